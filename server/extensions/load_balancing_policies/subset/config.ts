// envoy.load_balancing_policies.subset: balances within the group of hosts whose metadata the route asks for.
// Envoy: source/extensions/load_balancing_policies/subset.

import type { Subset } from '../../../../xds-protos/generated/envoy/extensions/load_balancing_policies/subset/v3.ts';
import { at, ConfigError } from '../../../api/config_error.ts';
import type { SettingsFactory } from '../../../api/registry.ts';
import {
  compilePolicies,
  type LoadBalancingPolicySettings,
} from '../../../common/load_balancing/load_balancer_config.ts';
import { compileSubset } from '../../../common/load_balancing/subset_config.ts';

export const subsetFactory: SettingsFactory<Subset> = {
  compile(config, context, path): LoadBalancingPolicySettings {
    const where = at(path, 'subset_lb_policy');
    if (config.subset_lb_policy === undefined) {
      const reason =
        "cluster: didn't find a registered load balancer factory implementation for subset lb with names from []";
      throw new ConfigError(where, reason);
    }
    const child = compilePolicies(config.subset_lb_policy, context, where);
    if (child.policy === 'CLUSTER_PROVIDED')
      throw new ConfigError(where, 'the policy of subsets must be one that chooses among hosts');
    return { loadBalancer: compileSubset(config, child, path) };
  },
};
