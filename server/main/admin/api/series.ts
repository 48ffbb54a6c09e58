// /api/stats/series: the last 15 minutes of the numbers that people look at first.

import { StatSeries } from '../../stats/stat_series.ts';
import { type ApiEndpoint, ApiError, type Schema } from './endpoint.ts';

export const SERIES_SCHEMAS: Readonly<Record<string, Schema>> = {
  StatSeries: {
    type: 'object',
    required: ['name', 'values'],
    additionalProperties: false,
    properties: {
      name: { type: 'string' },
      values: {
        type: 'array',
        items: { description: 'A number; null where there is no sample' },
        description: 'As the stats are: counters only grow. Of a histogram, how many values were recorded',
      },
    },
  },
  HistogramColumn: {
    type: 'object',
    required: ['at', 'counts'],
    additionalProperties: false,
    properties: {
      at: { type: 'integer', description: 'ms since 1970' },
      counts: {
        type: 'array',
        items: { type: 'integer' },
        description: 'Values that were recorded since the column before, by bucket',
      },
    },
  },
};

export const SERIES_ENDPOINTS: readonly ApiEndpoint[] = [
  {
    path: '/api/stats/series',
    summary: 'Sums over all listeners and clusters, or any stat, during the last 15 minutes, every 5 seconds',
    params: [
      {
        name: 'name',
        in: 'query',
        description: `Only this one: ${StatSeries.names.join(', ')}, or the name of a stat, which is sampled from then on for 15 minutes after the last question`,
        schema: { type: 'string' },
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
      const items = (name === undefined ? StatSeries.names : [name]).map((each) => {
        const values = series.values(each);
        if (values === undefined) throw new ApiError(404, `no stat '${each}', or too many are watched`);
        return { name: each, values: values.map((value) => (Number.isNaN(value) ? null : value)) };
      });
      return { json: { times: series.times, items } };
    },
  },
  {
    path: '/api/stats/heat',
    summary:
      'Which values a histogram recorded during the last 15 minutes, every 5 seconds: from the first question on, until 15 minutes after the last',
    params: [
      {
        name: 'name',
        in: 'query',
        description: 'The full name of the histogram; the default is of all connection managers together',
        schema: { type: 'string', default: 'http.downstream_rq_time' },
      },
    ],
    response: {
      type: 'object',
      required: ['bounds', 'columns'],
      additionalProperties: false,
      properties: {
        bounds: { type: 'array', items: { type: 'number' }, description: 'The upper bound of each bucket' },
        columns: { type: 'array', items: { $ref: '#/components/schemas/HistogramColumn' } },
      },
    },
    handle: async (params, { stats, series, statsSettings }) => {
      const name = params.text('name') as string;
      const { histogramSeriesOf } = await import('../../stats/histogram_series.ts');
      const bounds = statsSettings.buckets(name);
      const columns = histogramSeriesOf(stats, series).columns(name, bounds, Date.now());
      if (columns === undefined) throw new ApiError(404, `no histogram '${name}', or too many are watched`);
      return {
        json: {
          bounds: [...bounds],
          columns: columns.map(({ at, counts }) => ({ at, counts: [...counts] })),
        },
      };
    },
  },
];
