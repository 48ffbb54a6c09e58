// What requests tell of hosts: counted in memory that all threads share, so that errors in a row are in a row whichever
// worker saw them. The main thread decides (server/main/outlier_detection). Envoy: DetectorHostMonitorImpl of
// source/common/upstream/outlier_detection_impl.cc.

import type { Runtime } from '../../api/runtime.ts';
import { HostHealthFlag, HostSlot } from '../../api/upstream/host.ts';
import type { Host } from './host.ts';
import type { OutlierDetectionConfig } from './outlier_detection_config.ts';

/** Errors in a row, by the names of data.cluster.v3.OutlierEjectionType. */
export type ConsecutiveError =
  | 'CONSECUTIVE_5XX'
  | 'CONSECUTIVE_GATEWAY_FAILURE'
  | 'CONSECUTIVE_LOCAL_ORIGIN_FAILURE';

/** As many errors in a row as lead to an ejection, or an answer that said that the host is degraded. */
export type OutlierEvent = ConsecutiveError | 'DEGRADED';

export type OnOutlierEvent = (host: Host, event: OutlierEvent) => void;

/** A host of which no answer that says `degraded` tells anything new. */
const DECIDED = HostHealthFlag.DegradedOutlierDetection | HostHealthFlag.FailedOutlierCheck;

/** What a failure that is not an answer counts as, where the two are not counted apart. Source: resultToHttpCode. */
const TIMEOUT_CODE = 504;
const CONNECT_FAILED_CODE = 503;
const OK_CODE = 200;

export class OutlierMonitor {
  private readonly config: OutlierDetectionConfig;
  private readonly runtime: Runtime;
  private readonly onEvent: OnOutlierEvent;

  constructor(config: OutlierDetectionConfig, runtime: Runtime, onEvent: OnOutlierEvent) {
    this.config = config;
    this.runtime = runtime;
    this.onEvent = onEvent;
  }

  /** The host answered. */
  putHttpResponseCode(host: Host, code: number): void {
    const { table, slot } = host;
    Atomics.add(table, slot + HostSlot.ExternalTotal, 1);
    if (code < 500 || code > 599) {
      Atomics.add(table, slot + HostSlot.ExternalSuccess, 1);
      reset(table, slot + HostSlot.Consecutive5xx);
      reset(table, slot + HostSlot.ConsecutiveGatewayFailure);
      return;
    }
    if (code < 502 || code > 504) reset(table, slot + HostSlot.ConsecutiveGatewayFailure);
    else this.countError(host, HostSlot.ConsecutiveGatewayFailure, 'CONSECUTIVE_GATEWAY_FAILURE');
    this.countError(host, HostSlot.Consecutive5xx, 'CONSECUTIVE_5XX');
  }

  get detectsDegraded(): boolean {
    return this.config.detectDegraded;
  }

  /** The host answered, and said that it is degraded. */
  putDegraded(host: Host): void {
    // Told once: a host that is known to be so goes on saying it.
    const flags = Atomics.load(host.table, host.slot + HostSlot.HealthFlags);
    if ((flags & DECIDED) === 0) this.onEvent(host, 'DEGRADED');
  }

  /** A connection is there; what is said on it is judged apart (HTTP). */
  putConnectSuccess(host: Host): void {
    if (this.config.splitLocalOrigin) this.localOriginSuccess(host);
  }

  /** A connection is there, and that is all there is to know (TCP). */
  putConnectSuccessFinal(host: Host): void {
    if (this.config.splitLocalOrigin) this.localOriginSuccess(host);
    else this.putHttpResponseCode(host, OK_CODE);
  }

  /** It did not answer in time. */
  putTimeout(host: Host): void {
    if (this.config.splitLocalOrigin) this.localOriginFailure(host);
    else this.putHttpResponseCode(host, TIMEOUT_CODE);
  }

  /** It could not be reached, or broke off. */
  putConnectFailed(host: Host): void {
    if (this.config.splitLocalOrigin) this.localOriginFailure(host);
    else this.putHttpResponseCode(host, CONNECT_FAILED_CODE);
  }

  private localOriginSuccess({ table, slot }: Host): void {
    Atomics.add(table, slot + HostSlot.LocalOriginTotal, 1);
    Atomics.add(table, slot + HostSlot.LocalOriginSuccess, 1);
    reset(table, slot + HostSlot.ConsecutiveLocalOriginFailure);
  }

  private localOriginFailure(host: Host): void {
    Atomics.add(host.table, host.slot + HostSlot.LocalOriginTotal, 1);
    this.countError(host, HostSlot.ConsecutiveLocalOriginFailure, 'CONSECUTIVE_LOCAL_ORIGIN_FAILURE');
  }

  /** Exactly the worker that counts the last of them reports it. */
  private countError(host: Host, counter: number, error: ConsecutiveError): void {
    const inARow = Atomics.add(host.table, host.slot + counter, 1) + 1;
    const { settings } = this.config;
    const limit =
      error === 'CONSECUTIVE_5XX'
        ? this.runtime.getInteger('outlier_detection.consecutive_5xx', settings.consecutive_5xx)
        : error === 'CONSECUTIVE_GATEWAY_FAILURE'
          ? this.runtime.getInteger(
              'outlier_detection.consecutive_gateway_failure',
              settings.consecutive_gateway_failure,
            )
          : this.runtime.getInteger(
              'outlier_detection.consecutive_local_origin_failure',
              settings.consecutive_local_origin_failure,
            );
    if (inARow === limit) this.onEvent(host, error);
  }
}

/** Mostly it is 0 already, and then nothing is written that another core has in its cache. */
function reset(table: Int32Array, at: number): void {
  if (Atomics.load(table, at) !== 0) Atomics.store(table, at, 0);
}
