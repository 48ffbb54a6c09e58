// /api/clusters: what is looked at first of every cluster, by page, with the numbers of now.

import type { Json } from '../../../../xds-protos/json.ts';
import type { BreakerUse } from '../../../common/upstream/resource_manager.ts';
import type { ClusterNumbers } from '../../status/cluster_numbers.ts';
import { type ApiEndpoint, ApiError, type Schema } from './endpoint.ts';
import { listParams, pageOf, pageSchema } from './listing.ts';

const COUNT: Schema = { type: 'integer', minimum: 0 };
const TEXT: Schema = { type: 'string' };
const PRIORITIES = ['default', 'high'] as const;
/** By the name of the limit in config.cluster.v3.CircuitBreakers.Thresholds. */
const LIMITS = [
  ['max_connections', 'cx'],
  ['max_pending_requests', 'pending'],
  ['max_requests', 'rq'],
  ['max_retries', 'retries'],
  ['max_connection_pools', 'cx_pools'],
] as const satisfies readonly (readonly [string, keyof BreakerUse])[];

const BREAKER: Schema = {
  type: 'object',
  required: ['priority', 'limit', 'used', 'max'],
  additionalProperties: false,
  properties: {
    priority: { type: 'string', enum: PRIORITIES },
    limit: { type: 'string', enum: LIMITS.map(([limit]) => limit) },
    used: COUNT,
    max: COUNT,
  },
};

const ROW = {
  name: TEXT,
  static: { type: 'boolean', description: 'Of the bootstrap' },
  type: { type: 'string', description: 'Where its hosts come from: EDS, STATIC, STRICT_DNS, ...' },
  lb_policy: TEXT,
  hosts: COUNT,
  healthy: COUNT,
  degraded: COUNT,
  unhealthy: COUNT,
  active_connections: COUNT,
  active_requests: COUNT,
  pending_requests: COUNT,
  requests: { ...COUNT, description: 'Counters like this one only grow' },
  responses_4xx: COUNT,
  responses_5xx: COUNT,
  connect_failures: COUNT,
  timeouts: COUNT,
  retries: COUNT,
  overflows: { ...COUNT, description: 'Requests and connections that a circuit breaker refused' },
  fullest: { $ref: '#/components/schemas/Breaker' },
} as const satisfies Record<string, Schema>;

export const CLUSTER_SCHEMAS: Readonly<Record<string, Schema>> = {
  Breaker: BREAKER,
  ClusterRow: {
    type: 'object',
    description: '`fullest`: the circuit breaker of which the largest part is used',
    required: Object.keys(ROW),
    additionalProperties: false,
    properties: ROW,
  },
  ClusterNumbers: {
    type: 'object',
    required: [...Object.keys(ROW), 'breakers'],
    additionalProperties: false,
    properties: { ...ROW, breakers: { type: 'array', items: { $ref: '#/components/schemas/Breaker' } } },
  },
};

type Key = (cluster: ClusterNumbers) => string | number;

/** What a list of ten thousand is sorted by, each read without decoding anything. */
const SORTS: Readonly<Record<string, Key>> = {
  name: ({ name }) => name,
  hosts: (cluster) => cluster.hosts().total,
  unhealthy: (cluster) => unhealthyOf(cluster.hosts()),
  active_requests: (cluster) => cluster.traffic('upstream_rq_active'),
  active_connections: (cluster) => cluster.traffic('upstream_cx_active'),
  requests: (cluster) => cluster.traffic('upstream_rq_total'),
  responses_5xx: (cluster) => cluster.responses('upstream_rq_5xx'),
  connect_failures: (cluster) => cluster.traffic('upstream_cx_connect_fail'),
  fullest: (cluster) => fill(fullest(cluster)),
};

export const CLUSTER_ENDPOINTS: readonly ApiEndpoint[] = [
  {
    path: '/api/clusters',
    summary: 'Active clusters with hosts, traffic, failures and circuit breakers',
    params: listParams(Object.keys(SORTS)),
    response: pageSchema({ $ref: '#/components/schemas/ClusterRow' }),
    handle: (params, { clusterNumbers }) => {
      const page = pageOf(
        withKeys(clusterNumbers(), params.text('sort') as string),
        params,
        ({ key }) => key,
      );
      return { json: { ...page, items: page.items.map(({ cluster }) => rowJson(cluster)) } };
    },
  },
  {
    path: '/api/clusters/{name}',
    summary: 'One of them, with all its circuit breakers',
    params: [{ name: 'name', in: 'path', description: 'Its name, percent-encoded', schema: TEXT }],
    response: { $ref: '#/components/schemas/ClusterNumbers' },
    handle: (params, { clusterNumbers }) => {
      const name = params.text('name');
      for (const cluster of clusterNumbers()) {
        if (cluster.name === name) return { json: { ...rowJson(cluster), breakers: breakersOf(cluster) } };
      }
      throw new ApiError(404, `no active cluster '${name}'`);
    },
  },
];

interface Keyed {
  readonly name: string;
  readonly key: string | number;
  readonly cluster: ClusterNumbers;
}

/** A key is read once, not with each comparison: it may change meanwhile. */
function* withKeys(clusters: Iterable<ClusterNumbers>, sort: string): Generator<Keyed> {
  const keyOf = SORTS[sort.replace(/^-/, '')] as Key;
  for (const cluster of clusters) yield { name: cluster.name, key: keyOf(cluster), cluster };
}

function rowJson(cluster: ClusterNumbers): { [key: string]: Json } {
  const message = cluster.message();
  const hosts = cluster.hosts();
  return {
    name: cluster.name,
    static: cluster.isStatic,
    type: message.cluster_type?.name ?? message.type ?? 'STATIC',
    lb_policy: message.lb_policy,
    hosts: hosts.total,
    healthy: hosts.healthy,
    degraded: hosts.degraded,
    unhealthy: unhealthyOf(hosts),
    active_connections: cluster.traffic('upstream_cx_active'),
    active_requests: cluster.traffic('upstream_rq_active'),
    pending_requests: cluster.traffic('upstream_rq_pending_active'),
    requests: cluster.traffic('upstream_rq_total'),
    responses_4xx: cluster.responses('upstream_rq_4xx'),
    responses_5xx: cluster.responses('upstream_rq_5xx'),
    connect_failures: cluster.traffic('upstream_cx_connect_fail'),
    timeouts: cluster.traffic('upstream_rq_timeout'),
    retries: cluster.traffic('upstream_rq_retry'),
    overflows:
      cluster.traffic('upstream_rq_pending_overflow') +
      cluster.traffic('upstream_cx_overflow') +
      cluster.traffic('upstream_rq_retry_overflow'),
    fullest: fullest(cluster),
  };
}

interface Breaker {
  readonly [key: string]: Json;
  readonly priority: string;
  readonly limit: string;
  readonly used: number;
  readonly max: number;
}

function breakersOf(cluster: ClusterNumbers): Breaker[] {
  return cluster.breakers().flatMap((use, index) =>
    LIMITS.filter(([, key]) => use[key].limit !== Number.POSITIVE_INFINITY).map(([limit, key]) => ({
      priority: PRIORITIES[index] as string,
      limit,
      used: use[key].used,
      max: use[key].limit,
    })),
  );
}

function fullest(cluster: ClusterNumbers): Breaker {
  return breakersOf(cluster).reduce((most, each) => (fill(each) > fill(most) ? each : most));
}

/** A limit of 0 that nobody came up against is not full. */
function fill({ used, max }: Breaker): number {
  if (used === 0) return 0;
  return max === 0 ? 1 : used / max;
}

function unhealthyOf({
  total,
  healthy,
  degraded,
}: {
  total: number;
  healthy: number;
  degraded: number;
}): number {
  return total - healthy - degraded;
}
