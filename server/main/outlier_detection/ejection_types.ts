// The kinds of ejections: which stats count them, and which setting says how many of them are carried out.
// Envoy: DetectorImpl::enforceEjection, updateDetectedEjectionStats, updateEnforcedEjectionStats.

import { CLUSTER_OUTLIER_DETECTION_STATS } from '../../common/stats/families/cluster.ts';
import type { OutlierSetting } from '../../common/upstream/outlier_detection_config.ts';

const STAT = CLUSTER_OUTLIER_DETECTION_STATS.offset;

interface Ejection {
  /** Offsets of stats. */
  readonly detected: number;
  readonly enforced: number;
  /** Percent that are carried out. */
  readonly enforcing: OutlierSetting;
}

/** By the names of data.cluster.v3.OutlierEjectionType. */
export const EJECTION_TYPES = {
  CONSECUTIVE_5XX: {
    detected: STAT.ejections_detected_consecutive_5xx,
    enforced: STAT.ejections_enforced_consecutive_5xx,
    enforcing: 'enforcing_consecutive_5xx',
  },
  CONSECUTIVE_GATEWAY_FAILURE: {
    detected: STAT.ejections_detected_consecutive_gateway_failure,
    enforced: STAT.ejections_enforced_consecutive_gateway_failure,
    enforcing: 'enforcing_consecutive_gateway_failure',
  },
  CONSECUTIVE_LOCAL_ORIGIN_FAILURE: {
    detected: STAT.ejections_detected_consecutive_local_origin_failure,
    enforced: STAT.ejections_enforced_consecutive_local_origin_failure,
    enforcing: 'enforcing_consecutive_local_origin_failure',
  },
  SUCCESS_RATE: {
    detected: STAT.ejections_detected_success_rate,
    enforced: STAT.ejections_enforced_success_rate,
    enforcing: 'enforcing_success_rate',
  },
  SUCCESS_RATE_LOCAL_ORIGIN: {
    detected: STAT.ejections_detected_local_origin_success_rate,
    enforced: STAT.ejections_enforced_local_origin_success_rate,
    enforcing: 'enforcing_local_origin_success_rate',
  },
  FAILURE_PERCENTAGE: {
    detected: STAT.ejections_detected_failure_percentage,
    enforced: STAT.ejections_enforced_failure_percentage,
    enforcing: 'enforcing_failure_percentage',
  },
  FAILURE_PERCENTAGE_LOCAL_ORIGIN: {
    detected: STAT.ejections_detected_local_origin_failure_percentage,
    enforced: STAT.ejections_enforced_local_origin_failure_percentage,
    enforcing: 'enforcing_failure_percentage_local_origin',
  },
} as const satisfies Record<string, Ejection>;

export type EjectionType = keyof typeof EJECTION_TYPES;

/** What the event log tells of: a host that is degraded is told as if it were ejected. */
export type LoggedType = EjectionType | 'DEGRADED';
