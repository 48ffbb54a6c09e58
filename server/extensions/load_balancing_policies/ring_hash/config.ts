// envoy.load_balancing_policies.ring_hash: consistent hashing on a ring (Ketama).
// Envoy: source/extensions/load_balancing_policies/ring_hash.

import type { RingHash } from '../../../../xds-protos/generated/envoy/extensions/load_balancing_policies/ring_hash/v3.ts';
import type { SettingsFactory } from '../../../api/registry.ts';
import type { LoadBalancingPolicySettings } from '../../../common/load_balancing/load_balancer_config.ts';
import { compileRingHash } from '../../../common/load_balancing/policy_settings.ts';

export const ringHashFactory: SettingsFactory<RingHash> = {
  compile(config, _context, path): LoadBalancingPolicySettings {
    // The older fields of the same names count where the message that replaced them is not there.
    const hashing = config.consistent_hashing_lb_config ?? {
      use_hostname_for_hashing: config.use_hostname_for_hashing,
      hash_balance_factor: config.hash_balance_factor,
    };
    const byLocality = config.locality_weighted_lb_config !== undefined;
    return { loadBalancer: compileRingHash(config, hashing, byLocality, path) };
  },
};
