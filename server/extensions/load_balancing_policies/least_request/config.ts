// envoy.load_balancing_policies.least_request: the least busy of a few hosts, or of all.
// Envoy: source/extensions/load_balancing_policies/least_request.

import type { LeastRequest } from '../../../../xds-protos/generated/envoy/extensions/load_balancing_policies/least_request/v3.ts';
import { wrapperValue } from '../../../../xds-protos/well_known.ts';
import type { SettingsFactory } from '../../../api/registry.ts';
import { rejectOtherFields } from '../../../common/config/handled_fields.ts';
import type { LoadBalancingPolicySettings } from '../../../common/upstream/load_balancer_config.ts';

// `enable_full_scan` is deprecated: Envoy reads `selection_method` alone.
const HANDLED = new Set(['choice_count', 'active_request_bias', 'selection_method']);
/** Source: LeastRequest.choice_count. */
const DEFAULT_CHOICE_COUNT = 2;

export const leastRequestFactory: SettingsFactory<LeastRequest> = {
  category: 'envoy.load_balancing_policies',
  name: 'envoy.load_balancing_policies.least_request',
  configTypes: ['envoy.extensions.load_balancing_policies.least_request.v3.LeastRequest'],
  compile(config, _context, path): LoadBalancingPolicySettings {
    rejectOtherFields(config, HANDLED, path);
    return {
      loadBalancer: {
        policy: 'LEAST_REQUEST',
        choiceCount: wrapperValue(config.choice_count) ?? DEFAULT_CHOICE_COUNT,
        fullScan: config.selection_method === 'FULL_SCAN',
        activeRequestBias: config.active_request_bias?.default_value ?? 1,
        biasKey: config.active_request_bias?.runtime_key ?? '',
      },
    };
  },
};
