// envoy.load_balancing_policies.round_robin: hosts in turn, by weight.
// Envoy: source/extensions/load_balancing_policies/round_robin.

import type { RoundRobin } from '../../../../xds-protos/generated/envoy/extensions/load_balancing_policies/round_robin/v3.ts';
import type { SettingsFactory } from '../../../api/registry.ts';
import { rejectOtherFields } from '../../../common/config/handled_fields.ts';
import type { LoadBalancingPolicySettings } from '../../../common/upstream/load_balancer_config.ts';

const HANDLED = new Set<string>();

export const roundRobinFactory: SettingsFactory<RoundRobin> = {
  category: 'envoy.load_balancing_policies',
  name: 'envoy.load_balancing_policies.round_robin',
  configTypes: ['envoy.extensions.load_balancing_policies.round_robin.v3.RoundRobin'],
  compile(config, _context, path): LoadBalancingPolicySettings {
    rejectOtherFields(config, HANDLED, path);
    return { loadBalancer: { policy: 'ROUND_ROBIN' } };
  },
};
