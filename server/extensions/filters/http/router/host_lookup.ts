// What happens to a request for which there is no host: it waits where its host can be looked up, and else is answered.
// Follows Envoy's Filter::onAsyncHostSelected (source/common/router/router.cc).

import type { HostLookupCallbacks } from '../../../../api/upstream/cluster.ts';
import { CLUSTER_TRAFFIC_STATS } from '../../../../common/stats/families/cluster.ts';
import type { ThreadLocalCluster } from '../../../../common/upstream/thread_local_cluster.ts';
import type { RequestLoadBalancerContext } from './load_balancer_context.ts';

const STAT = CLUSTER_TRAFFIC_STATS.offset;

/** Undefined while the host is looked up, else why there is none: the details of the response. */
export function lookUpHost(
  cluster: ThreadLocalCluster,
  balancing: RequestLoadBalancerContext,
  callbacks: HostLookupCallbacks,
): string | undefined {
  const lookup = cluster.lookUpHost(balancing, callbacks);
  if (lookup !== undefined && typeof lookup !== 'string') {
    balancing.lookup = lookup;
    return undefined;
  }
  const { values, base } = cluster.stats;
  values[base + STAT.upstream_cx_none_healthy]++;
  return lookup ?? 'no_healthy_upstream';
}
