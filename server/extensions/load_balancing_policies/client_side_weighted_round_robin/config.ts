// envoy.load_balancing_policies.client_side_weighted_round_robin: hosts in turn, by the load that they report (ORCA).
// Envoy: source/extensions/load_balancing_policies/client_side_weighted_round_robin.

import type { ClientSideWeightedRoundRobin } from '../../../../xds-protos/generated/envoy/extensions/load_balancing_policies/client_side_weighted_round_robin/v3.ts';
import { durationMs, wrapperValue } from '../../../../xds-protos/well_known.ts';
import { at, ConfigError } from '../../../api/config_error.ts';
import type { SettingsFactory } from '../../../api/registry.ts';
import type { LoadBalancingPolicySettings } from '../../../common/load_balancing/load_balancer_config.ts';
import { compileRoundRobin } from '../../../common/load_balancing/policy_settings.ts';

/** Sources: ClientSideWeightedRoundRobin.blackout_period, weight_expiration_period, weight_update_period. */
const DEFAULT_BLACKOUT_MS = 10_000;
const DEFAULT_EXPIRATION_MS = 180_000;
const DEFAULT_UPDATE_MS = 1000;
/** Source: the same field: lower values are raised to it. */
const MIN_UPDATE_MS = 100;

export const clientSideWeightedRoundRobinFactory: SettingsFactory<ClientSideWeightedRoundRobin> = {
  compile(config, _context, path): LoadBalancingPolicySettings {
    if (wrapperValue(config.enable_oob_load_report) === true)
      throw new ConfigError(at(path, 'enable_oob_load_report'), 'reports out of band are not supported');
    const { slow_start_config } = config;
    const base = compileRoundRobin(slow_start_config && { slow_start_config }, undefined, path);
    return {
      loadBalancer: {
        ...base,
        policy: 'CLIENT_SIDE_WEIGHTED_ROUND_ROBIN',
        blackoutMs: durationMs(config.blackout_period) ?? DEFAULT_BLACKOUT_MS,
        expirationMs: durationMs(config.weight_expiration_period) ?? DEFAULT_EXPIRATION_MS,
        updateMs: Math.max(MIN_UPDATE_MS, durationMs(config.weight_update_period) ?? DEFAULT_UPDATE_MS),
        errorPenalty: wrapperValue(config.error_utilization_penalty) ?? 0,
        metricNames: config.metric_names_for_computing_utilization,
      },
    };
  },
};
