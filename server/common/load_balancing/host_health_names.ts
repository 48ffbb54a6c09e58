// The names of what makes a host unfit, as /clusters shows them. Envoy: HEALTH_FLAG_ENUM_VALUES in envoy/upstream/upstream.h.

import { HostHealthFlag } from '../../api/upstream/host.ts';

const NAMES: readonly (readonly [flag: number, name: string])[] = [
  [HostHealthFlag.FailedActiveHc, 'failed_active_hc'],
  [HostHealthFlag.FailedOutlierCheck, 'failed_outlier_check'],
  [HostHealthFlag.FailedEdsHealth, 'failed_eds_health'],
  [HostHealthFlag.DegradedActiveHc, 'degraded_active_hc'],
  [HostHealthFlag.DegradedEdsHealth, 'degraded_eds_health'],
  [HostHealthFlag.PendingDynamicRemoval, 'pending_dynamic_removal'],
  [HostHealthFlag.PendingActiveHc, 'pending_active_hc'],
  [HostHealthFlag.ExcludedViaImmediateHcFail, 'excluded_via_immediate_hc_fail'],
  [HostHealthFlag.ActiveHcTimeout, 'active_hc_timeout'],
  [HostHealthFlag.EdsStatusDraining, 'eds_status_draining'],
  [HostHealthFlag.DegradedOutlierDetection, 'degraded_outlier_detection'],
];

export function hostHealthNames(flags: number): string[] {
  return NAMES.filter(([flag]) => (flags & flag) !== 0).map(([, name]) => name);
}
