// What a balancer sees of the world beside its hosts.

import type { Runtime } from '../../api/runtime.ts';
import type { PrioritySet } from '../upstream/priority_set.ts';

export interface LoadBalancerEnvironment {
  readonly runtime: Runtime;
  /** Adds to a stat of CLUSTER_LB_STATS; `offset` is its offset there. */
  count(offset: number, n?: number): void;
  /** Active requests of the cluster, of all workers together. */
  activeRequests(): number;
  /** Hosts of the cluster that this proxy belongs to, where zone-aware routing is wanted; another object when they change. */
  localPrioritySet(): PrioritySet | undefined;
}
