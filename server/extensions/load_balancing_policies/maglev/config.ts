// envoy.load_balancing_policies.maglev: consistent hashing by a table.
// Envoy: source/extensions/load_balancing_policies/maglev.

import type { Maglev } from '../../../../xds-protos/generated/envoy/extensions/load_balancing_policies/maglev/v3.ts';
import type { SettingsFactory } from '../../../api/registry.ts';
import type { LoadBalancingPolicySettings } from '../../../common/load_balancing/load_balancer_config.ts';
import { compileMaglev } from '../../../common/load_balancing/policy_settings.ts';

export const maglevFactory: SettingsFactory<Maglev> = {
  compile(config, _context, path): LoadBalancingPolicySettings {
    const byLocality = config.locality_weighted_lb_config !== undefined;
    return { loadBalancer: compileMaglev(config, config.consistent_hashing_lb_config, byLocality, path) };
  },
};
