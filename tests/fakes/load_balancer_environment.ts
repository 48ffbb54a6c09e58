// A LoadBalancerEnvironment for unit tests: counts stats by name.

import type { LoadBalancerEnvironment } from '../../server/common/load_balancing/load_balancer_environment.ts';
import { CLUSTER_LB_STATS } from '../../server/common/stats/families/cluster.ts';
import { fakeRuntime } from './factory_context.ts';

export function fakeLoadBalancerEnvironment(
  overrides: Partial<LoadBalancerEnvironment> = {},
): LoadBalancerEnvironment & { readonly counts: Record<string, number> } {
  const counts: Record<string, number> = {};
  return {
    counts,
    runtime: fakeRuntime(),
    count(offset, n = 1) {
      const { name } = CLUSTER_LB_STATS.definitions[offset];
      counts[name] = (counts[name] ?? 0) + n;
    },
    activeRequests: () => 0,
    localPrioritySet: () => undefined,
    ...overrides,
  };
}
