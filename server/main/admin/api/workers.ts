// /api/workers: how each worker does, so that an uneven one is seen.

import type { WorkerNumbers } from '../../status/worker_numbers.ts';
import type { ApiEndpoint, Schema } from './endpoint.ts';

const COUNT: Schema = { type: 'integer' };

export const WORKER_SCHEMAS: Readonly<Record<string, Schema>> = {
  Worker: {
    type: 'object',
    required: ['name', 'uptime_ms', 'connections', 'connections_total', 'utilization', 'heap_used_bytes', 'heap_limit_bytes'],
    additionalProperties: false,
    properties: {
      name: { type: 'string' },
      uptime_ms: COUNT,
      connections: COUNT,
      connections_total: { type: 'integer', description: 'Since the start of the process' },
      utilization: { type: 'number', description: 'Share of the time its event loop was busy since the last look, 0 to 1' },
      response_ms: { type: 'number', description: 'Until it answered a message; absent when it does not' },
      heap_used_bytes: COUNT,
      heap_limit_bytes: COUNT,
    },
  },
}; // biome-ignore format: a table

export const WORKER_ENDPOINTS: readonly ApiEndpoint[] = [
  {
    path: '/api/workers',
    summary: 'The workers with their load',
    params: [],
    response: {
      type: 'object',
      required: ['items'],
      additionalProperties: false,
      properties: { items: { type: 'array', items: { $ref: '#/components/schemas/Worker' } } },
    },
    handle: async (_params, context) => ({ json: { items: (await context.workers()).map(workerJson) } }),
  },
];

function workerJson(worker: WorkerNumbers) {
  return {
    name: `worker_${worker.index}`,
    uptime_ms: Math.round(worker.uptimeMs),
    connections: worker.connections,
    connections_total: worker.connectionsTotal,
    utilization: worker.utilization,
    ...(worker.responseMs !== undefined && { response_ms: worker.responseMs }),
    heap_used_bytes: worker.heapUsed,
    heap_limit_bytes: worker.heapLimit,
  };
}
