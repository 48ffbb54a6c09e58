// The balancer of a configuration over one state of a cluster's hosts. Envoy: TypedLoadBalancerFactory.

import { createRequire } from 'node:module';
import type { LoadBalancer } from '../../api/upstream/cluster.ts';
import type { Host } from '../upstream/host.ts';
import type { PrioritySet } from '../upstream/priority_set.ts';
import type { ClientSideWeights } from './client_side_weights.ts';
import { HashLoadBalancer } from './hash_load_balancer.ts';
import {
  type BalancingConfig,
  clientSideWeighting,
  type LoadBalancerConfig,
} from './load_balancer_config.ts';
import type { LoadBalancerEnvironment } from './load_balancer_environment.ts';
import { PriorityLoadBalancer } from './priority_load_balancer.ts';
import { SubsetLoadBalancer } from './subset_load_balancer.ts';

const require = createRequire(import.meta.url);

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
    case 'OVERRIDE_HOST': {
      const fallback = createLoadBalancer(prioritySet, config.fallback, environment);
      const { OverrideHostLoadBalancer } =
        require('./override_host_load_balancer.ts') as typeof import('./override_host_load_balancer.ts');
      return new OverrideHostLoadBalancer(prioritySet, config, fallback);
    }
    default:
      return new PriorityLoadBalancer(prioritySet, config, environment);
  }
}

/** Undefined unless the policy goes by load reports. `hosts` are those of now; `onUpdate`: their weights have changed. */
export function createClientSideWeights(
  config: LoadBalancerConfig,
  hosts: () => readonly Host[],
  onUpdate: () => void,
): ClientSideWeights | undefined {
  const settings = clientSideWeighting(config);
  if (settings === undefined) return undefined;
  const { ClientSideWeights } =
    require('./client_side_weights.ts') as typeof import('./client_side_weights.ts');
  return new ClientSideWeights(settings, hosts, onUpdate);
}
