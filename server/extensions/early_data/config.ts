// envoy.route.early_data_policy.default: which requests may go upstream as early data. Only connections that take early data
// (QUIC) would send any, in Envoy too; there are none here, so that the policy has nothing to decide.
// Envoy: source/extensions/early_data/default_early_data_policy.cc.

import type { DefaultEarlyDataPolicy } from '../../../xds-protos/generated/envoy/extensions/early_data/v3.ts';
import type { SettingsFactory } from '../../api/registry.ts';

export const defaultEarlyDataPolicyFactory: SettingsFactory<DefaultEarlyDataPolicy> = {
  compile: () => undefined,
};
