// envoy.load_balancing_policies.least_request: the least busy of a few hosts, or of all.
// Envoy: source/extensions/load_balancing_policies/least_request.

import type { LeastRequest } from '../../../../xds-protos/generated/envoy/extensions/load_balancing_policies/least_request/v3.ts';
import { at } from '../../../api/config_error.ts';
import type { SettingsFactory } from '../../../api/registry.ts';
import type { LoadBalancingPolicySettings } from '../../../common/load_balancing/load_balancer_config.ts';
import { checkLocalityFields, compileLeastRequest } from '../../../common/load_balancing/policy_settings.ts';

export const leastRequestFactory: SettingsFactory<LeastRequest> = {
  compile(config, _context, path): LoadBalancingPolicySettings {
    checkLocalityFields(config.locality_lb_config, at(path, 'locality_lb_config'));
    return { loadBalancer: compileLeastRequest(config, config.locality_lb_config, path) };
  },
};
