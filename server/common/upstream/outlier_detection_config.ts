// Compiles Cluster.outlier_detection: when a host that answers badly is left out, and for how long.
// Envoy: source/common/upstream/outlier_detection_impl.cc (DetectorConfig); document: arch_overview/upstream/outlier.

import type { OutlierDetection } from '../../../xds-protos/generated/envoy/config/cluster/v3.ts';
import { durationMs, wrapperValue } from '../../../xds-protos/well_known.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { Runtime } from '../../api/runtime.ts';
import { rejectOtherFields } from '../config/handled_fields.ts';

/** Sources of all defaults: config.cluster.v3.OutlierDetection. Times in ms. */
const DEFAULTS = Object.freeze({
  consecutive_5xx: 5,
  consecutive_gateway_failure: 5,
  consecutive_local_origin_failure: 5,
  interval_ms: 10_000,
  base_ejection_time_ms: 30_000,
  max_ejection_time_ms: 300_000,
  max_ejection_time_jitter_ms: 0,
  max_ejection_percent: 10,
  success_rate_minimum_hosts: 5,
  success_rate_request_volume: 100,
  success_rate_stdev_factor: 1900,
  failure_percentage_threshold: 85,
  failure_percentage_minimum_hosts: 5,
  failure_percentage_request_volume: 50,
  enforcing_consecutive_5xx: 100,
  enforcing_consecutive_gateway_failure: 0,
  enforcing_consecutive_local_origin_failure: 100,
  enforcing_success_rate: 100,
  enforcing_local_origin_success_rate: 100,
  enforcing_failure_percentage: 0,
  enforcing_failure_percentage_local_origin: 0,
});

/** The numbers by the names that the runtime has for them, below `outlier_detection.`. */
export type OutlierSetting = keyof typeof DEFAULTS;

type UInt32Setting = Exclude<OutlierSetting, `${string}_ms`>;

const DURATIONS = [
  'interval',
  'base_ejection_time',
  'max_ejection_time',
  'max_ejection_time_jitter',
] as const;
const NUMBERS = Object.keys(DEFAULTS).filter((name) => !name.endsWith('_ms')) as UInt32Setting[];
const FIELDS = new Set([
  ...NUMBERS,
  ...DURATIONS,
  'split_external_local_origin_errors',
  'always_eject_one_host',
  'successful_active_health_check_uneject_host',
  'detect_degraded_hosts',
]);

export interface OutlierDetectionConfig {
  readonly settings: Readonly<Record<OutlierSetting, number>>;
  /** Failures to connect and timeouts are counted apart from what the host answers. */
  readonly splitLocalOrigin: boolean;
  /** The first host goes even when that is more than `max_ejection_percent`. */
  readonly alwaysEjectOne: boolean;
  readonly unejectByHealthCheck: boolean;
  /** Hosts whose answers carry `x-envoy-degraded` are degraded for a while. */
  readonly detectDegraded: boolean;
}

/** Throws ConfigError. */
export function compileOutlierDetection(
  config: OutlierDetection | undefined,
  path: string,
): OutlierDetectionConfig | undefined {
  if (config === undefined) return undefined;
  rejectOtherFields(config, FIELDS, path);
  const settings: Record<OutlierSetting, number> = { ...DEFAULTS };
  for (const name of NUMBERS) settings[name] = wrapperValue(config[name]) ?? DEFAULTS[name];
  for (const name of DURATIONS) {
    const ms = durationMs(config[name]);
    if (ms !== undefined) settings[`${name}_ms`] = Math.trunc(ms);
  }
  if (config.max_ejection_time === undefined)
    settings.max_ejection_time_ms = Math.max(DEFAULTS.max_ejection_time_ms, settings.base_ejection_time_ms);
  if (settings.max_ejection_time_ms < settings.base_ejection_time_ms) {
    const reason = "outlier detector's max_ejection_time cannot be smaller than base_ejection_time";
    throw new ConfigError(at(path, 'max_ejection_time'), reason);
  }
  return Object.freeze({
    settings: Object.freeze(settings),
    splitLocalOrigin: config.split_external_local_origin_errors,
    alwaysEjectOne: wrapperValue(config.always_eject_one_host) === true,
    unejectByHealthCheck: wrapperValue(config.successful_active_health_check_uneject_host) ?? true,
    detectDegraded: wrapperValue(config.detect_degraded_hosts) === true,
  });
}

/** A setting as the runtime has it now. */
export function outlierSetting(
  { settings }: OutlierDetectionConfig,
  runtime: Runtime,
  name: OutlierSetting,
): number {
  return runtime.getInteger(`outlier_detection.${name}`, settings[name]);
}
