// envoy.load_balancing_policies.random: any host. Envoy: source/extensions/load_balancing_policies/random.

import type { Random } from '../../../../xds-protos/generated/envoy/extensions/load_balancing_policies/random/v3.ts';
import { at } from '../../../api/config_error.ts';
import type { SettingsFactory } from '../../../api/registry.ts';
import { rejectOtherFields } from '../../../common/config/handled_fields.ts';
import type { LoadBalancingPolicySettings } from '../../../common/load_balancing/load_balancer_config.ts';
import { checkLocalityFields, compileRandom } from '../../../common/load_balancing/policy_settings.ts';

const HANDLED = new Set(['locality_lb_config']);

export const randomFactory: SettingsFactory<Random> = {
  compile(config, _context, path): LoadBalancingPolicySettings {
    rejectOtherFields(config, HANDLED, path);
    checkLocalityFields(config.locality_lb_config, at(path, 'locality_lb_config'));
    return { loadBalancer: compileRandom(config.locality_lb_config, path) };
  },
};
