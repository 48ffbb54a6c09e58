// A host of a cluster. What changes while traffic flows (health, active requests) is in memory shared by all threads:
// `table[slot + HostSlot.X]`, written with Atomics. Envoy: envoy/upstream/host_description.h, upstream.h.

import type { Address } from '../stream_info.ts';

/** Offsets in a host's run of the shared host table (Int32 each). */
export const HostSlot = {
  /** Bits of HostHealthFlag. */
  HealthFlags: 0,
  ActiveRequests: 1,
  ActiveConnections: 2,
  /** Totals since the host came, as unsigned 32-bit numbers (`>>> 0`). */
  ConnectionTotal: 3,
  ConnectFail: 4,
  RequestTotal: 5,
  RequestSuccess: 6,
  RequestError: 7,
  RequestTimeout: 8,
  /** Errors in a row, for outlier detection. */
  Consecutive5xx: 9,
  ConsecutiveGatewayFailure: 10,
  ConsecutiveLocalOriginFailure: 11,
  /** Answers, and those that were not 5xx; for outlier detection, as totals. */
  ExternalTotal: 12,
  ExternalSuccess: 13,
  /** Attempts to connect and to get an answer in time, and those that went well. */
  LocalOriginTotal: 14,
  LocalOriginSuccess: 15,
} as const;
/** One cache line (64 bytes) a host, so that two hosts' counters never share one. */
export const HOST_SLOTS = 16;

/** Envoy's Host::HealthFlag, and what EDS said (Host::edsHealthStatus) where the flags do not tell it. */
export const HostHealthFlag = {
  FailedActiveHc: 1 << 0,
  FailedOutlierCheck: 1 << 1,
  FailedEdsHealth: 1 << 2,
  DegradedActiveHc: 1 << 3,
  DegradedEdsHealth: 1 << 4,
  PendingDynamicRemoval: 1 << 5,
  PendingActiveHc: 1 << 6,
  ExcludedViaImmediateHcFail: 1 << 7,
  ActiveHcTimeout: 1 << 8,
  EdsStatusDraining: 1 << 9,
  /** Of FailedEdsHealth: the control plane's word for it is TIMEOUT. */
  EdsStatusTimeout: 1 << 10,
  /** The control plane says HEALTHY, rather than nothing. */
  EdsStatusHealthy: 1 << 11,
  DegradedOutlierDetection: 1 << 12,
} as const;

/** Numbers of envoy.config.core.v3.HealthStatus. */
export const HealthStatus = {
  UNKNOWN: 0,
  HEALTHY: 1,
  UNHEALTHY: 2,
  DRAINING: 3,
  TIMEOUT: 4,
  DEGRADED: 5,
} as const;

export interface Locality {
  readonly region: string;
  readonly zone: string;
  readonly subZone: string;
}

/** What is known of a host, unchanged over its life. A host that changes in EDS is a new object with the same slot. */
export interface HostDescription {
  readonly address: Address;
  /** For STRICT_DNS and LOGICAL_DNS: the name that was resolved. Else ''. */
  readonly hostname: string;
  readonly locality: Locality;
  /** Priority 0 is used first. */
  readonly priority: number;
  readonly weight: number;
  /** `metadata.filter_metadata` of the endpoint merged over its locality's. */
  readonly metadata: Readonly<Record<string, Readonly<Record<string, unknown>>>> | undefined;
  readonly clusterName: string;
  /** Shared memory of its live numbers. */
  readonly table: Int32Array;
  readonly slot: number;
}
