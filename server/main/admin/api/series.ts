// /api/stats/series: the last 15 minutes of the numbers that people look at first.

import { StatSeries } from '../../stats/stat_series.ts';
import type { ApiEndpoint, Schema } from './endpoint.ts';

export const SERIES_SCHEMAS: Readonly<Record<string, Schema>> = {
  StatSeries: {
    type: 'object',
    required: ['name', 'values'],
    additionalProperties: false,
    properties: {
      name: { type: 'string', enum: StatSeries.names },
      values: {
        type: 'array',
        items: { type: 'number' },
        description: 'As the stats are: counters only grow',
      },
    },
  },
};

export const SERIES_ENDPOINTS: readonly ApiEndpoint[] = [
  {
    path: '/api/stats/series',
    summary: 'Sums over all listeners and clusters during the last 15 minutes, every 5 seconds',
    params: [
      {
        name: 'name',
        in: 'query',
        description: 'Only this one',
        schema: { type: 'string', enum: StatSeries.names },
      },
    ],
    response: {
      type: 'object',
      required: ['times', 'items'],
      additionalProperties: false,
      properties: {
        times: { type: 'array', items: { type: 'integer' }, description: 'ms since 1970, the oldest first' },
        items: { type: 'array', items: { $ref: '#/components/schemas/StatSeries' } },
      },
    },
    handle: (params, { series }) => {
      const name = params.text('name');
      const names = name === undefined ? StatSeries.names : [name];
      return { json: { times: series.times, items: names.map((each) => ({ name: each, values: series.values(each)! })) } }; // biome-ignore format: short
    },
  },
];
