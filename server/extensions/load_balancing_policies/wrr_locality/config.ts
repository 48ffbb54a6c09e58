// envoy.load_balancing_policies.wrr_locality: localities by their weights, and within them hosts by their load reports.
// Envoy: source/extensions/load_balancing_policies/wrr_locality.

import type { WrrLocality } from '../../../../xds-protos/generated/envoy/extensions/load_balancing_policies/wrr_locality/v3.ts';
import { at, ConfigError } from '../../../api/config_error.ts';
import type { SettingsFactory } from '../../../api/registry.ts';
import {
  compilePolicies,
  type LoadBalancingPolicySettings,
} from '../../../common/load_balancing/load_balancer_config.ts';

export const wrrLocalityFactory: SettingsFactory<WrrLocality> = {
  compile(config, context, path): LoadBalancingPolicySettings {
    const where = at(path, 'endpoint_picking_policy');
    const { endpoint_picking_policy: picking } = config;
    if (picking === undefined || picking.policies.length === 0)
      throw new ConfigError(where, 'No supported endpoint picking policy.');
    const child = compilePolicies(picking, context, where);
    if (child.policy !== 'CLIENT_SIDE_WEIGHTED_ROUND_ROBIN') {
      const reason =
        'Currently WrrLocalityLoadBalancer only supports ClientSideWeightedRoundRobinLoadBalancer as its endpoint picking policy.';
      throw new ConfigError(where, reason);
    }
    return { loadBalancer: { ...child, locality: { ...child.locality, weighted: true } } };
  },
};
