// envoy.load_balancing_policies.round_robin: hosts in turn, by weight.
// Envoy: source/extensions/load_balancing_policies/round_robin.

import type { RoundRobin } from '../../../../xds-protos/generated/envoy/extensions/load_balancing_policies/round_robin/v3.ts';
import { at } from '../../../api/config_error.ts';
import type { SettingsFactory } from '../../../api/registry.ts';
import type { LoadBalancingPolicySettings } from '../../../common/load_balancing/load_balancer_config.ts';
import { checkLocalityFields, compileRoundRobin } from '../../../common/load_balancing/policy_settings.ts';

export const roundRobinFactory: SettingsFactory<RoundRobin> = {
  compile(config, _context, path): LoadBalancingPolicySettings {
    checkLocalityFields(config.locality_lb_config, at(path, 'locality_lb_config'));
    return { loadBalancer: compileRoundRobin(config, config.locality_lb_config, path) };
  },
};
