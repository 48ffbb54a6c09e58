// From the name of a cluster to the hosts that may get the request, with their shares; and what stands in the way: breakers that are
// open, hosts that are not healthy.

import { ConfigError } from '../../api/config_error.ts';
import type { LoadBalancerContext, Priority } from '../../api/upstream/cluster.ts';
import { HostSlot } from '../../api/upstream/host.ts';
import { type ExplainedHost, explainHosts } from '../../common/load_balancing/explain_hosts.ts';
import { hostHealthNames } from '../../common/load_balancing/host_health_names.ts';
import type { Host } from '../../common/upstream/host.ts';
import type { ThreadLocalCluster } from '../../common/upstream/thread_local_cluster.ts';
import type { CompiledConfiguration } from './configuration.ts';
import { nearestOf } from './edit_distance.ts';
import type { ExplainStep, HostShare, StepItem } from './explanation.ts';
import { ended, nearestName, passed } from './steps.ts';

export interface ClusterOutcome {
  readonly steps: readonly ExplainStep[];
  readonly hosts: readonly HostShare[];
  readonly found: 'hosts' | 'no_cluster' | 'no_host';
}

const TITLE = 'Cluster';

export function explainCluster(
  configuration: CompiledConfiguration,
  name: string,
  why: string,
  priority: Priority,
  context: LoadBalancerContext,
): ClusterOutcome {
  let cluster: ThreadLocalCluster | undefined;
  try {
    cluster = name === '' ? undefined : configuration.cluster(name);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const step = ended('cluster', TITLE, `cluster '${name}' cannot be used here: ${error.message}`, {
      link: { kind: 'cluster', name },
    });
    return { steps: [step], hosts: [], found: 'no_cluster' };
  }
  if (cluster === undefined)
    return { steps: [missing(configuration, name, why)], hosts: [], found: 'no_cluster' };
  const link = { kind: 'cluster', name } as const;
  const found = passed('cluster', TITLE, name, why, { link, items: breakers(cluster, priority) });
  const { policy, notes, hosts } = explainHosts(cluster, context);
  const total = hosts.reduce((sum, { host }) => sum + requestsOf(host), 0);
  const shares = hosts.map((host) => hostShare(cluster, host, total));
  const items = notes.map((note) => ({ name: policy, note, ok: true }));
  const usable = shares.filter(({ share }) => share > 0);
  if (usable.length === 0) {
    const reason =
      shares.length === 0
        ? noHosts(cluster, notes)
        : `none of ${shares.length} hosts can be used: ${countReasons(hosts)}`;
    const step = ended('hosts', 'Host', reason, {
      items,
      link: { kind: 'endpoints', name: cluster.config.edsServiceName },
    });
    return { steps: [found, step], hosts: shares, found: 'no_host' };
  }
  const [first] = usable;
  const one = usable.length === 1 ? (first?.address as string) : `${usable.length} of ${shares.length} hosts`;
  const step = passed('hosts', 'Host', one, first?.chosen === true ? first.reason : `balanced by ${policy}`, {
    items,
  });
  return { steps: [found, step], hosts: shares, found: 'hosts' };
}

function missing(configuration: CompiledConfiguration, name: string, why: string): ExplainStep {
  if (name === '')
    return ended('cluster', TITLE, `${why}, and that is not there: the request names no cluster`);
  const nearest = nearestOf(name, configuration.clusterNames, (each) => each);
  const miss = nearest && nearestName('cluster', nearest.found, nearest.found, name, nearest.distance);
  return ended(
    'cluster',
    TITLE,
    `${why}, but there is no cluster '${name}'`,
    miss === undefined ? {} : { nearest_miss: miss },
  );
}

function noHosts({ config }: ThreadLocalCluster, notes: readonly string[]): string {
  if (config.type === 'ORIGINAL_DST') return notes.join('; ');
  if (config.type === 'EDS') return `the control plane has sent no endpoints of '${config.edsServiceName}'`;
  return config.type === 'STATIC' ? 'it is configured without hosts' : 'its names have no addresses (DNS)';
}

function countReasons(hosts: readonly ExplainedHost[]): string {
  const counts = new Map<string, number>();
  for (const { reason } of hosts) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return [...counts].map(([reason, count]) => `${count} ${reason}`).join('; ');
}

function breakers(cluster: ThreadLocalCluster, priority: Priority): StepItem[] {
  const use = cluster.resourceManager(priority).use();
  const names = {
    cx: 'max_connections',
    pending: 'max_pending_requests',
    rq: 'max_requests',
    retries: 'max_retries',
    cx_pools: 'max_connection_pools',
  };
  return Object.entries(names).flatMap(([resource, name]) => {
    const { used, limit } = use[resource as keyof typeof use];
    if (limit === Number.POSITIVE_INFINITY) return [];
    const open = used >= limit;
    return {
      name: `circuit breaker ${name}`,
      note: `${used} of ${limit} in use${open ? ': open, more is refused' : ''}`,
      ok: !open,
    };
  });
}

function requestsOf({ table, slot }: Host): number {
  return Atomics.load(table, slot + HostSlot.RequestTotal) >>> 0;
}

function hostShare(
  cluster: ThreadLocalCluster,
  { host, share, reason, chosen }: ExplainedHost,
  total: number,
): HostShare {
  const { region, zone, subZone } = host.locality;
  return {
    cluster: cluster.name,
    address: host.address.text,
    hostname: host.hostname,
    priority: host.priority,
    region,
    zone,
    sub_zone: subZone,
    weight: host.weight,
    health: host.health,
    health_flags: hostHealthNames(Atomics.load(host.table, host.slot + HostSlot.HealthFlags)),
    active_requests: host.activeRequests,
    requests: requestsOf(host),
    actual_share: total === 0 ? 0 : Math.round((requestsOf(host) / total) * 1e6) / 1e6,
    share: Math.round(share * 1e6) / 1e6,
    reason,
    chosen,
  };
}
