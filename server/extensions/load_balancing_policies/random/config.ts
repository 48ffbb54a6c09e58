// envoy.load_balancing_policies.random: any host. Envoy: source/extensions/load_balancing_policies/random.

import type { Random } from '../../../../xds-protos/generated/envoy/extensions/load_balancing_policies/random/v3.ts';
import type { SettingsFactory } from '../../../api/registry.ts';
import { rejectOtherFields } from '../../../common/config/handled_fields.ts';
import type { LoadBalancingPolicySettings } from '../../../common/upstream/load_balancer_config.ts';

const HANDLED = new Set<string>();

export const randomFactory: SettingsFactory<Random> = {
  category: 'envoy.load_balancing_policies',
  name: 'envoy.load_balancing_policies.random',
  configTypes: ['envoy.extensions.load_balancing_policies.random.v3.Random'],
  compile(config, _context, path): LoadBalancingPolicySettings {
    rejectOtherFields(config, HANDLED, path);
    return { loadBalancer: { policy: 'RANDOM' } };
  },
};
