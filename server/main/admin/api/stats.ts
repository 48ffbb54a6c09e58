// /api/stats: stats by a part of their names, sorted by name, value or how quickly they grow, a page at a time.

import type { Json } from '../../../../xds-protos/json.ts';
import type { StatKind } from '../../../api/stats.ts';
import { inTurns, type Steps } from '../../../common/event/steps.ts';
import { type HistogramStatistics, SUPPORTED_QUANTILES } from '../../../common/stats/histogram_statistics.ts';
import type { ListedStat } from '../../../common/stats/stat_list.ts';
import { ratesOf, type StatRates } from '../../stats/stat_rates.ts';
import { type StatNumber, searchStats } from '../../stats/stat_search.ts';
import type { AdminContext } from '../context.ts';
import { type ApiEndpoint, ApiError, type ApiParams, type Schema } from './endpoint.ts';
import { listParams, pageSchema } from './listing.ts';

const KINDS = ['counter', 'gauge', 'histogram'] as const;
/** By the field that has them. */
const QUANTILES = { p50: 0.5, p90: 0.9, p95: 0.95, p99: 0.99, max: 1 } as const;

/** A status that nobody sees: as nginx logs a client that closed the connection. */
const CLIENT_GONE = 499;
/** ms. Who types asks with each key, and the numbers of the main thread's own stats need not be counted anew for each. */
const MAX_AGE_MS = 1_000;

export const STAT_SCHEMAS: Readonly<Record<string, Schema>> = {
  Stat: {
    type: 'object',
    required: ['name', 'kind', 'value', 'used'],
    additionalProperties: false,
    properties: {
      name: { type: 'string' },
      kind: { type: 'string', enum: KINDS },
      unit: { type: 'string', description: 'Of a histogram: ms, us, bytes, percent, none' },
      value: { type: 'number', description: 'Of a histogram, how many values were recorded' },
      used: { type: 'boolean', description: 'Was it ever written?' },
      rate: {
        type: 'number',
        description: 'Growth per second between the last two looks of this answer; not there with the first',
      },
      quantiles: {
        type: 'object',
        description: 'Of a histogram with values, since the start',
        required: Object.keys(QUANTILES),
        additionalProperties: false,
        properties: Object.fromEntries(Object.keys(QUANTILES).map((name) => [name, { type: 'number' }])),
      },
    },
  },
};

const PAGE = pageSchema({ $ref: '#/components/schemas/Stat' });

export const STAT_ENDPOINTS: readonly ApiEndpoint[] = [
  {
    path: '/api/stats',
    summary: 'Counters, gauges and histograms by a part of their names',
    params: [
      {
        name: 'kind',
        in: 'query',
        description: 'Only of this kind',
        schema: { type: 'string', enum: KINDS },
      },
      {
        name: 'used',
        in: 'query',
        description: 'Only those that were written',
        schema: { type: 'string', enum: ['true', 'false'], default: 'false' },
      },
      ...listParams(['name', 'value', 'rate']),
    ],
    response: {
      ...PAGE,
      properties: {
        ...PAGE.properties,
        seconds: { type: 'number', description: 'Between the two looks that rates are of' },
      },
    },
    handle: async (params, context, _body, { message }) => {
      // Who types asks anew with each key, and closes the connection of the question before.
      const stopIfGone = (): void => {
        if (message.socket.destroyed) throw new ApiError(CLIENT_GONE, 'nobody waits for this');
      };
      return { json: await inTurns(page(params, context), stopIfGone) };
    },
  },
];

function* page(params: ApiParams, { stats, statsSettings }: AdminContext): Steps<Json> {
  const rates = ratesOf(stats);
  yield* stats.refresh(MAX_AGE_MS);
  yield* rates.look();
  const kind = params.text('kind') as StatKind | undefined;
  const [sort, descending] = orderOf(params.text('sort') as string);
  const offset = params.integer('offset');
  const found = yield* searchStats(stats, {
    text: params.text('search')?.toLowerCase() ?? '',
    kinds: new Set<StatKind>(kind === undefined ? KINDS : [kind]),
    usedOnly: params.text('used') === 'true',
    accepts: statsSettings.accepts,
    offset,
    limit: params.integer('limit'),
    sortBy: numberBy(sort, rates),
    descending,
  });
  const { seconds } = rates;
  return {
    total: found.total,
    offset,
    items: found.stats.map((stat) => statJson(stat, rates)),
    ...(seconds !== undefined && { seconds }),
  };
}

function orderOf(sort: string): [field: string, descending: boolean] {
  return sort.startsWith('-') ? [sort.slice(1), true] : [sort, false];
}

function numberBy(field: string, rates: StatRates): StatNumber | undefined {
  if (field === 'value') return { of: numberIn, isZero: ({ hasValues }) => !hasValues };
  if (field !== 'rate') return undefined;
  return {
    of: ({ family, offset }) => rates.of(family, offset) ?? 0,
    isZero: (family) => !rates.changed(family),
  };
}

function numberIn(stat: ListedStat): number {
  return stat.definition.kind === 'histogram' ? stat.family.number(stat.offset) : stat.value;
}

function statJson(stat: ListedStat, rates: StatRates): { [key: string]: Json } {
  const { family, offset, definition, name } = stat;
  const rate = definition.kind === 'gauge' ? undefined : rates.of(family, offset);
  const histogram = definition.kind === 'histogram' ? family.histogram(offset)?.cumulative : undefined;
  return {
    name,
    kind: definition.kind,
    ...(definition.unit !== undefined && { unit: definition.unit }),
    // A number that nobody has written is -0.
    value: numberIn(stat) + 0,
    used: family.used(offset),
    ...(rate !== undefined && { rate }),
    ...(histogram !== undefined && histogram.sampleCount > 0 && { quantiles: quantilesJson(histogram) }),
  };
}

function quantilesJson(statistics: HistogramStatistics): { [key: string]: number } {
  const values = statistics.quantiles();
  return Object.fromEntries(
    Object.entries(QUANTILES).map(([name, quantile]) => [
      name,
      values[SUPPORTED_QUANTILES.indexOf(quantile)] as number,
    ]),
  );
}
