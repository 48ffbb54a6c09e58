// A balancer that says ahead which hosts it will choose, for connections that are made before requests come.
// Follows Envoy's LoadBalancer::peekAnotherHost (source/extensions/load_balancing_policies/common/load_balancer_impl.cc).

import type { LoadBalancer, LoadBalancerContext } from '../../api/upstream/cluster.ts';
import type { Host } from '../upstream/host.ts';
import type { PrioritySet } from '../upstream/priority_set.ts';
import type { BalancingConfig } from './load_balancer_config.ts';

/** Hosts whose choice depends on the request, or on how busy they will be, cannot be told ahead. */
export function canPeek({ policy }: BalancingConfig, { hosts }: PrioritySet): boolean {
  if (policy === 'LEAST_REQUEST') return hosts.some(({ weight }) => weight !== hosts[0].weight);
  return policy === 'ROUND_ROBIN' || policy === 'RANDOM' || policy === 'CLIENT_SIDE_WEIGHTED_ROUND_ROBIN';
}

export class PeekingLoadBalancer implements LoadBalancer {
  private readonly inner: LoadBalancer;
  /** Told, but not chosen yet; the next one first. */
  private readonly peeked: Host[] = [];
  private readonly most: number;

  constructor(inner: LoadBalancer, { sets }: PrioritySet) {
    this.inner = inner;
    this.most = sets.reduce((sum, { healthy }) => sum + healthy.length, 0);
  }

  chooseHost(context: LoadBalancerContext | undefined): Host | undefined {
    if (this.peeked.length > 0 && isPlain(context)) {
      const host = this.peeked.shift()!;
      if (context === undefined || context.hostSelectionRetryCount === 0) return host;
      if (!context.shouldSelectAnotherHost(host)) return host;
    }
    return this.inner.chooseHost(context) as Host | undefined;
  }

  /** Undefined when as many were told as there are healthy hosts. Source: tooManyPreconnects. */
  peekAnotherHost(): Host | undefined {
    if (this.peeked.length >= this.most) return undefined;
    const host = this.inner.chooseHost(undefined) as Host | undefined;
    if (host !== undefined) this.peeked.push(host);
    return host;
  }

  priorityOf(host: Host): number {
    return this.inner.priorityOf?.(host) ?? host.priority;
  }
}

/** Does the request leave the choice to the balancer? */
function isPlain(context: LoadBalancerContext | undefined): boolean {
  return (
    context === undefined ||
    (context.excludedPriorities === undefined && context.forcedPriority === undefined)
  );
}
