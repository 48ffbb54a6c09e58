// /api/overview: how the proxy does, in one answer: traffic and failures per second, latency, hosts that are not well, limits that
// are reached, what was refused and changed last, and the stats that grow most.

import type { Json } from '../../../../xds-protos/json.ts';
import { inTurns, type Steps } from '../../../common/event/steps.ts';
import type { StatAggregator } from '../../../common/stats/aggregator.ts';
import {
  CLUSTER_CIRCUIT_BREAKER_STATS,
  CLUSTER_ENDPOINT_STATS,
} from '../../../common/stats/families/cluster.ts';
import type { StatFamily } from '../../../common/stats/stat_family.ts';
import { requestTimes } from '../../stats/request_times.ts';
import { ratesOf, type StatRates } from '../../stats/stat_rates.ts';
import { SAMPLE_INTERVAL_MS, type StatSeries } from '../../stats/stat_series.ts';
import type { AdminContext, ResourceStatus } from '../context.ts';
import type { ApiEndpoint, Schema } from './endpoint.ts';
import { entryJson } from './history.ts';
import { type HostJson, hosts } from './hosts.ts';
import { summaryJson } from './resources.ts';

/** Of each list. */
const MOST = 10;

/** Counters by the name that their rate has. */
const RATES = {
  downstream_rq: 'http.downstream_rq_total',
  downstream_rq_4xx: 'http.downstream_rq_4xx',
  downstream_rq_5xx: 'http.downstream_rq_5xx',
  downstream_cx: 'listener.downstream_cx_total',
  upstream_rq: 'cluster.upstream_rq_total',
  upstream_rq_retry: 'cluster.upstream_rq_retry',
  upstream_rq_timeout: 'cluster.upstream_rq_timeout',
  upstream_cx_connect_fail: 'cluster.upstream_cx_connect_fail',
} as const;
const ACTIVE = {
  downstream_cx: 'listener.downstream_cx_active',
  downstream_rq: 'http.downstream_rq_active',
  upstream_cx: 'cluster.upstream_cx_active',
  upstream_rq: 'cluster.upstream_rq_active',
} as const;
/** The limits of CircuitBreakers.Thresholds by the stat that says that they are reached. */
const LIMITS: Readonly<Record<string, string>> = {
  cx_open: 'max_connections',
  cx_pool_open: 'max_connection_pools',
  rq_open: 'max_requests',
  rq_pending_open: 'max_pending_requests',
  rq_retry_open: 'max_retries',
};
const NUMBER: Schema = { type: 'number' };
const TEXT: Schema = { type: 'string' };

export const OVERVIEW_SCHEMAS: Readonly<Record<string, Schema>> = {
  Overview: objectOf({
    at: { type: 'integer', description: 'ms since 1970' },
    state: TEXT,
    uptime_s: NUMBER,
    rates: {
      ...numbers(RATES),
      required: [],
      description: 'Per second, over the last 5 s; empty in the first seconds of a proxy',
    },
    active: numbers(ACTIVE),
    latency: {
      ...numbers({ p50: '', p99: '' }),
      required: [],
      description:
        'ms, of requests of clients in the last interval of histograms; empty when there were none',
    },
    hosts: objectOf({
      total: NUMBER,
      healthy: NUMBER,
      degraded: NUMBER,
      unhealthy: NUMBER,
      items: list({ $ref: '#/components/schemas/Host' }, 'Some that are not healthy'),
    }),
    open_breakers: list(
      objectOf({ cluster: TEXT, priority: TEXT, limit: TEXT }),
      'Limits of clusters that are reached now',
    ),
    rejected: objectOf({
      total: NUMBER,
      items: list({ $ref: '#/components/schemas/Resource' }, 'What was refused last'),
    }),
    updates: list({ $ref: '#/components/schemas/HistoryEntry' }, 'What came last'),
    changing: list(objectOf({ name: TEXT, rate: NUMBER }), 'Counters that grow most, per second'),
  }),
};

export const OVERVIEW_ENDPOINTS: readonly ApiEndpoint[] = [
  {
    path: '/api/overview',
    summary: 'How the proxy does, in one answer',
    params: [],
    response: { $ref: '#/components/schemas/Overview' },
    handle: async (_params, context) => ({ json: await inTurns(overview(context)) }),
  },
];

function* overview(context: AdminContext): Steps<Json> {
  const { stats, series, server, history } = context;
  yield* stats.refresh();
  const rates = ratesOf(stats);
  yield* rates.look();
  return {
    at: Date.now(),
    state: server.state(),
    uptime_s: server.uptime().currentEpoch,
    rates: seriesRates(series),
    active: Object.fromEntries(Object.entries(ACTIVE).map(([name, of]) => [name, series.now(of)])),
    latency: latencyJson(stats),
    hosts: yield* hostsJson(context),
    open_breakers: [...openBreakers(stats)],
    rejected: yield* rejectedJson(context),
    updates: (yield* largest(history.all(), ({ id }) => id)).map(entryJson),
    changing: yield* changing(rates),
  };
}

/** Between the last two samples. */
function seriesRates(series: StatSeries): { [name: string]: number } {
  if (series.times.length < 2) return {};
  return Object.fromEntries(
    Object.entries(RATES).map(([name, of]) => {
      const [before, last] = series.values(of)!.slice(-2) as [number, number];
      return [name, ((last - before) * 1000) / SAMPLE_INTERVAL_MS];
    }),
  );
}

function latencyJson(stats: StatAggregator): { [name: string]: number } {
  const { p50, p99 } = requestTimes(stats);
  return p50 === undefined || p99 === undefined ? {} : { p50, p99 };
}

function* hostsJson(context: AdminContext): Steps<{ [field: string]: Json }> {
  const { stats } = context;
  const sum = (name: 'membership_total' | 'membership_healthy' | 'membership_degraded'): number =>
    stats.sum(CLUSTER_ENDPOINT_STATS, name) + 0;
  const [total, healthy, degraded] = [
    sum('membership_total'),
    sum('membership_healthy'),
    sum('membership_degraded'),
  ];
  const worst: HostJson[] = [];
  const clusters = new Set([...clustersWithUnhealthyHosts(stats)].slice(0, MOST));
  if (clusters.size > 0) {
    for (const host of yield* hosts(context, (_name, statName) => clusters.has(statName))) {
      if (host.health !== 'healthy' && worst.length < MOST) worst.push(host);
    }
  }
  return { total, healthy, degraded, unhealthy: total - healthy - degraded, items: worst };
}

/** Their names in stats. */
function* clustersWithUnhealthyHosts(stats: StatAggregator): Generator<string> {
  const { membership_total, membership_healthy } = CLUSTER_ENDPOINT_STATS.offset;
  for (const family of stats.familiesOf(CLUSTER_ENDPOINT_STATS)) {
    if (family.value(membership_total) > family.value(membership_healthy))
      yield family.prefix.slice('cluster.'.length, -1);
  }
}

function* openBreakers(stats: StatAggregator): Generator<{ [field: string]: string }> {
  for (const family of stats.familiesOf(CLUSTER_CIRCUIT_BREAKER_STATS)) {
    if (!family.hasValues) continue;
    const [, cluster = '', priority = ''] =
      /^cluster\.(.*)\.circuit_breakers\.(\w+)\.$/.exec(family.prefix) ?? [];
    for (const [offset, { name }] of family.definitions.entries()) {
      if (family.value(offset) > 0) yield { cluster, priority, limit: LIMITS[name] ?? name };
    }
  }
}

function* rejectedJson({ resources }: AdminContext): Steps<{ [field: string]: Json }> {
  const rejected: ResourceStatus[] = [];
  for (const status of resources.all(undefined)) {
    if (status.failure !== undefined) rejected.push(status);
    yield '';
  }
  const items = yield* largest(rejected, ({ failure }) => failure!.at);
  return { total: rejected.length, items: items.map(summaryJson) };
}

function* changing(rates: StatRates): Steps<{ [field: string]: string | number }[]> {
  const most = yield* largest(growing(rates), (stat) => (stat === '' ? 0 : stat.rate));
  return most.flatMap((stat) =>
    stat === ''
      ? []
      : { name: stat.family.prefix + stat.family.definitions[stat.offset]!.name, rate: stat.rate },
  );
}

/** Counters that grow, and '' after each family. */
function* growing(
  rates: StatRates,
): Generator<{ readonly family: StatFamily; readonly offset: number; readonly rate: number } | ''> {
  for (const family of rates.families) {
    for (const [offset, { kind }] of family.definitions.entries()) {
      const rate = kind === 'counter' ? (rates.of(family, offset) ?? 0) : 0;
      if (rate > 0) yield { family, offset, rate };
    }
    yield '';
  }
}

/** Those with the largest numbers, the largest first. */
function* largest<Item>(items: Iterable<Item>, numberOf: (item: Item) => number): Steps<Item[]> {
  let most: { readonly item: Item; readonly number: number }[] = [];
  for (const item of items) {
    yield '';
    const number = numberOf(item);
    if (most.length === MOST && number <= most[MOST - 1]!.number) continue;
    most = [...most, { item, number }].sort((a, b) => b.number - a.number).slice(0, MOST);
  }
  return most.map(({ item }) => item);
}

function objectOf(properties: Readonly<Record<string, Schema>>): Schema {
  return { type: 'object', required: Object.keys(properties), additionalProperties: false, properties };
}

function numbers(names: object): Schema {
  return objectOf(Object.fromEntries(Object.keys(names).map((name) => [name, NUMBER])));
}

function list(items: Schema, description: string): Schema {
  return { type: 'array', items, description };
}
