// The balancer of a configuration over one state of a cluster's hosts. Envoy: TypedLoadBalancerFactory.

import type { LoadBalancer } from '../../api/upstream/cluster.ts';
import type { PrioritySet } from '../upstream/priority_set.ts';
import { HashLoadBalancer } from './hash_load_balancer.ts';
import type { BalancingConfig } from './load_balancer_config.ts';
import type { LoadBalancerEnvironment } from './load_balancer_environment.ts';
import { PriorityLoadBalancer } from './priority_load_balancer.ts';
import { SubsetLoadBalancer } from './subset_load_balancer.ts';

/** `before`: the cluster's balancer until its hosts changed. */
export function createLoadBalancer(
  prioritySet: PrioritySet,
  config: BalancingConfig,
  environment: LoadBalancerEnvironment,
  before?: LoadBalancer,
): LoadBalancer {
  switch (config.policy) {
    case 'RING_HASH':
    case 'MAGLEV':
      return new HashLoadBalancer(prioritySet, config, environment);
    case 'SUBSET':
      return new SubsetLoadBalancer(
        prioritySet,
        config,
        environment,
        createLoadBalancer,
        before instanceof SubsetLoadBalancer ? before : undefined,
      );
    default:
      return new PriorityLoadBalancer(prioritySet, config, environment);
  }
}
