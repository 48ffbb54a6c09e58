// envoy.load_balancing_policies.client_side_weighted_round_robin: hosts in turn, by the load that they report (ORCA).
// Envoy: source/extensions/load_balancing_policies/client_side_weighted_round_robin.

import type { ClientSideWeightedRoundRobin } from '../../../../xds-protos/generated/envoy/extensions/load_balancing_policies/client_side_weighted_round_robin/v3.ts';
import { structToJson, wrapperValue } from '../../../../xds-protos/well_known.ts';
import { at, ConfigError } from '../../../api/config_error.ts';
import type { SettingsFactory } from '../../../api/registry.ts';
import type {
  LoadBalancingPolicySettings,
  OrcaOobReportingConfig,
} from '../../../common/load_balancing/load_balancer_config.ts';
import { compileRoundRobin } from '../../../common/load_balancing/policy_settings.ts';
import { optionalMilliseconds } from '../../../common/router/durations.ts';

type DurationField =
  | 'blackout_period'
  | 'weight_expiration_period'
  | 'weight_update_period'
  | 'oob_reporting_period';

/** Sources: ClientSideWeightedRoundRobin.blackout_period, weight_expiration_period, weight_update_period. */
const DEFAULT_BLACKOUT_MS = 10_000;
const DEFAULT_EXPIRATION_MS = 180_000;
const DEFAULT_UPDATE_MS = 1000;
/** Source: weight_update_period: lower values are raised to it. */
const MIN_UPDATE_MS = 100;
/** Source: oob_reporting_period; for less than 1 ms as well. */
const DEFAULT_OOB_REPORTING_MS = 10_000;
const MAX_PORT = 65_535;

export const clientSideWeightedRoundRobinFactory: SettingsFactory<ClientSideWeightedRoundRobin> = {
  compile(config, _context, path): LoadBalancingPolicySettings {
    const { slow_start_config } = config;
    const base = compileRoundRobin(slow_start_config && { slow_start_config }, undefined, path);
    const ms = (field: DurationField): number | undefined =>
      optionalMilliseconds(config[field], at(path, field));
    return {
      loadBalancer: {
        ...base,
        policy: 'CLIENT_SIDE_WEIGHTED_ROUND_ROBIN',
        blackoutMs: ms('blackout_period') ?? DEFAULT_BLACKOUT_MS,
        expirationMs: ms('weight_expiration_period') ?? DEFAULT_EXPIRATION_MS,
        updateMs: Math.max(MIN_UPDATE_MS, ms('weight_update_period') ?? DEFAULT_UPDATE_MS),
        errorPenalty: wrapperValue(config.error_utilization_penalty) ?? 0,
        metricNames: config.metric_names_for_computing_utilization,
        outOfBand: outOfBand(config, ms('oob_reporting_period') || DEFAULT_OOB_REPORTING_MS, path),
      },
    };
  },
};

function outOfBand(
  config: ClientSideWeightedRoundRobin,
  periodMs: number,
  path: string,
): OrcaOobReportingConfig | undefined {
  if (wrapperValue(config.enable_oob_load_report) !== true) return undefined;
  const {
    port_value: port = 0,
    authority = '',
    transport_socket_match_criteria: match,
  } = config.oob_reporting_config ?? {};
  if (port > MAX_PORT)
    throw new ConfigError(at(at(path, 'oob_reporting_config'), 'port_value'), `there is no port ${port}`);
  return {
    periodMs,
    port,
    authority,
    transportSocketMatch: match && structToJson(match),
  };
}
