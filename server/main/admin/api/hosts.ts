// /api/hosts: hosts of clusters with their health and live numbers, a page at a time.

import { HostSlot } from '../../../api/upstream/host.ts';
import { inTurns, type Steps } from '../../../common/event/steps.ts';
import { coarseHealth } from '../../../common/upstream/host.ts';
import type { WorkerHosts } from '../../status/worker_hosts.ts';
import { healthFlagNames, slotOf } from '../clusters.ts';
import type { AdminContext, HostStatus } from '../context.ts';
import { type ApiEndpoint, ApiError, type Schema } from './endpoint.ts';
import { listParams, pageOf, pageSchema } from './listing.ts';

const HEALTHS = ['healthy', 'degraded', 'unhealthy'] as const;

/** Live numbers by the field that has them. */
const NUMBERS = {
  active_connections: HostSlot.ActiveConnections,
  active_requests: HostSlot.ActiveRequests,
  connections: HostSlot.ConnectionTotal,
  connect_failures: HostSlot.ConnectFail,
  requests: HostSlot.RequestTotal,
  successes: HostSlot.RequestSuccess,
  errors: HostSlot.RequestError,
  timeouts: HostSlot.RequestTimeout,
} as const;
const LATENCIES: readonly string[] = ['latency_p50_ms', 'latency_p99_ms'];
const COUNT: Schema = { type: 'integer' };
const TEXT: Schema = { type: 'string' };

/** What an answer says of a host. */
export interface HostJson {
  readonly name: string;
  readonly cluster: string;
  readonly health: (typeof HEALTHS)[number];
  readonly [field: string]: string | number | string[];
}

export const HOST_SCHEMAS: Readonly<Record<string, Schema>> = {
  Host: {
    type: 'object',
    required: ['name', 'cluster', 'health', 'health_flags', 'weight', 'priority', ...Object.keys(NUMBERS)],
    additionalProperties: false,
    properties: {
      name: { type: 'string', description: 'Its address' },
      cluster: TEXT,
      hostname: TEXT,
      region: TEXT,
      zone: TEXT,
      sub_zone: TEXT,
      priority: COUNT,
      weight: COUNT,
      health: { type: 'string', enum: HEALTHS },
      health_flags: {
        type: 'array',
        items: TEXT,
        description: 'Why it is not healthy, in words of /clusters',
      },
      ...Object.fromEntries(Object.keys(NUMBERS).map((name) => [name, COUNT])),
      success_rate: { type: 'number', description: 'Percent, where outlier detection has enough answers' },
      latency_p50_ms: {
        type: 'number',
        description:
          'From the beginning of an attempt to the head of its answer: half of the last answers took less (of each worker about 1,000; within 6 %, or 8 us)',
      },
      latency_p99_ms: { type: 'number', description: 'The same of 99 of 100' },
    },
  },
};

export const HOST_ENDPOINTS: readonly ApiEndpoint[] = [
  {
    path: '/api/hosts',
    summary: 'Hosts of clusters, with their health and live numbers of all workers together',
    params: [
      { name: 'cluster', in: 'query', description: 'Only of this cluster', schema: TEXT },
      { name: 'health', in: 'query', description: 'Only these', schema: { type: 'string', enum: HEALTHS } },
      ...listParams(['name', 'cluster', 'health', 'weight', ...LATENCIES, ...Object.keys(NUMBERS)]),
    ],
    response: pageSchema({ $ref: '#/components/schemas/Host' }),
    handle: async (params, context) => {
      const [cluster, health] = [params.text('cluster'), params.text('health')];
      const sort = params.text('sort')!.replace(/^-/, '');
      if (cluster === undefined && LATENCIES.includes(sort))
        throw new ApiError(400, `sorting by ${sort} needs the parameter 'cluster'`);
      const wanted = cluster === undefined ? undefined : (name: string) => name === cluster;
      const all = await inTurns(hosts(context, wanted, await context.ownHosts()));
      const found = all.filter((host) => health === undefined || host.health === health);
      const ofOne = cluster !== undefined;
      const page = pageOf(ofOne ? await withLatencies(found, context) : found, params, sortedBy);
      return { json: { ...page, items: ofOne ? [...page.items] : await withLatencies(page.items, context) } };
    },
  },
];

/** A host that has not answered comes before all that have. */
function sortedBy(host: HostJson, field: string): string | number {
  return (host[field] as string | number | undefined) ?? 0;
}

async function withLatencies(hosts: readonly HostJson[], context: AdminContext): Promise<HostJson[]> {
  const latencies = await context.workerHosts([...new Set(hosts.map(({ cluster }) => cluster))]);
  return hosts.map((host) => {
    const found = latencies.latency(host.cluster, host.name);
    return found === undefined ? host : { ...host, latency_p50_ms: found.p50, latency_p99_ms: found.p99 };
  });
}

/** The hosts of the clusters that are wanted, all by default. */
export function* hosts(
  { clusters }: AdminContext,
  wanted?: (name: string, observabilityName: string) => boolean,
  ownHosts?: WorkerHosts,
): Steps<HostJson[]> {
  const all: HostJson[] = [];
  for (const cluster of clusters(wanted, ownHosts)) {
    for (const host of cluster.hosts) all.push(hostJson(cluster.name, host));
    yield '';
  }
  return all;
}

function hostJson(cluster: string, host: HostStatus): HostJson {
  const { address, hostname, locality, priority, weight } = host.description;
  const bits = slotOf(host, HostSlot.HealthFlags);
  const numbers = Object.entries(NUMBERS).map(([name, slot]) => [name, slotOf(host, slot)]);
  return {
    name: address.text,
    cluster,
    hostname,
    region: locality.region,
    zone: locality.zone,
    sub_zone: locality.subZone,
    priority,
    weight,
    health: coarseHealth(bits),
    health_flags: healthFlagNames(bits),
    ...(Object.fromEntries(numbers) as Readonly<Record<string, number>>),
    ...(host.successRate >= 0 && { success_rate: host.successRate }),
  };
}
