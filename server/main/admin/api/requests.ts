// /api/requests and /api/capture: requests that the workers have kept, and live ones while somebody watches. What answers is
// loaded with the first question.

import type { ApiEndpoint, ApiParam, Schema } from './endpoint.ts';
import { listParams, pageSchema } from './listing.ts';

const SUMMARY: Schema = { $ref: '#/components/schemas/CapturedRequestSummary' };
const STATE: Schema = { $ref: '#/components/schemas/CaptureState' };

function only(name: string, description: string, schema: Schema = { type: 'string' }): ApiParam {
  return { name, in: 'query', description, schema };
}

const WATCH: Schema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    seconds: { type: 'integer', minimum: 0, maximum: 600, description: 'After which it ends by itself; 0 ends it now. 60 where it is not said' },
    max_per_second: { type: 'integer', minimum: 1, maximum: 100, description: 'Of all workers; 20 where it is not said' },
    sample_percent: { type: 'number', minimum: 0, maximum: 100, description: '100 where it is not said' },
    filter: {
      type: 'object',
      description: 'All that are given must hold',
      additionalProperties: false,
      properties: {
        authority: { type: 'string' },
        path_prefix: { type: 'string' },
        method: { type: 'string' },
        cluster: { type: 'string' },
        route: { type: 'string' },
        min_status: { type: 'integer', minimum: 0, maximum: 999 },
        failed_only: { type: 'boolean' },
      },
    },
  },
}; // biome-ignore format: a table

export const REQUEST_ENDPOINTS: readonly ApiEndpoint[] = [
  {
    path: '/api/requests',
    summary: 'The last failed and the slowest requests, and live ones that were watched',
    params: [
      only('set', 'Only those kept for this', { type: 'string', enum: ['failed', 'slow', 'live'] }),
      only('status', 'Only with this status', { type: 'integer', minimum: 0, maximum: 999 }),
      only('flag', 'Only with this response flag, as UF'),
      only('cluster', 'Only of this cluster'),
      ...listParams(['at', 'duration_ms', 'status'], '-at'),
    ],
    response: pageSchema(SUMMARY),
    handle: async (params, context) => (await import('./request_answers.ts')).listRequests(params, context),
  },
  {
    path: '/api/requests/events',
    summary:
      'A stream of server-sent events: `request` for each that is watched, `capture` when watching begins or ends',
    params: [],
    response: undefined,
    handle: async (_params, context) => (await import('./request_answers.ts')).requestEvents(context),
  },
  {
    path: '/api/requests/{id}',
    summary: 'One request: its headers, phases and attempts, and why it failed',
    params: [{ name: 'id', in: 'path', description: 'Of the request', schema: { type: 'string' } }],
    response: { $ref: '#/components/schemas/CapturedRequest' },
    handle: async (params, context) => (await import('./request_answers.ts')).oneRequest(params, context),
  },
  {
    path: '/api/flags',
    summary: 'All response flags in a few words',
    params: [],
    response: { $ref: '#/components/schemas/ResponseFlags' },
    handle: async () => (await import('./request_answers.ts')).listFlags(),
  },
  {
    path: '/api/capture',
    summary: 'Is somebody watching live requests?',
    params: [],
    response: STATE,
    handle: async (_params, context) => (await import('./request_answers.ts')).captureState(context),
  },
  {
    path: '/api/capture',
    method: 'POST',
    mutates: true,
    summary: 'Begins to watch live requests, or ends that',
    params: [],
    body: WATCH,
    response: STATE,
    handle: async (_params, context, body) =>
      (await import('./request_answers.ts')).watchRequests(context, body),
  },
];
