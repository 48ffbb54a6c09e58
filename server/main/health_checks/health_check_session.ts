// The checks of one host: asks again and again, and decides by thresholds whether the host is well.
// Envoy: HealthCheckerImplBase::ActiveHealthCheckSession of source/extensions/health_checkers/common/health_checker_base_impl.cc.

import { HostHealthFlag } from '../../api/upstream/host.ts';
import { CLUSTER_HEALTH_CHECK_STATS } from '../../common/stats/families/cluster.ts';
import type { HealthCheckConfig } from '../../common/upstream/health_check_config.ts';
import type { HealthCheckEvents } from './health_check_event_logger.ts';
import type { FailureType, Probe, ProbeResult } from './probe.ts';

const STAT = CLUSTER_HEALTH_CHECK_STATS.offset;
const { FailedActiveHc, DegradedActiveHc, PendingActiveHc, ExcludedViaImmediateHcFail, ActiveHcTimeout } =
  HostHealthFlag;

/** What one check did to the host. */
type Transition = 'unchanged' | 'changed' | 'pending';

/** What the sessions of a cluster have in common. */
export interface SessionOwner {
  readonly config: HealthCheckConfig;
  /** Adds to a stat of CLUSTER_HEALTH_CHECK_STATS. */
  count(offset: number, n: number): void;
  /** Has the cluster ever been used? Until then it is asked less often. */
  hasTraffic(): boolean;
  /** ms until the next check: `baseMs` with jitter. */
  withJitter(baseMs: number): number;
  /** A check is over; `changed`: the host's flags differ from before. */
  onChecked(session: HealthCheckSession, healthy: boolean, changed: boolean): void;
}

export class HealthCheckSession {
  /** Bits of HostHealthFlag that checks decide on. */
  flags: number;
  /** No check has ended yet. */
  first = true;
  readonly #owner: SessionOwner;
  readonly #probe: Probe;
  readonly #events: HealthCheckEvents | undefined;
  #healthyInARow = 0;
  #unhealthyInARow = 0;
  #timer: NodeJS.Timeout | undefined;

  /** A host is unhealthy until its first check. `initialMs`: when that is. */
  constructor(
    owner: SessionOwner,
    probe: Probe,
    events: HealthCheckEvents | undefined,
    pending: boolean,
    initialMs: number,
  ) {
    this.#owner = owner;
    this.#probe = probe;
    this.#events = events;
    this.flags = FailedActiveHc | (pending ? PendingActiveHc : 0);
    // Not at once: `--mode validate` closes everything before anybody is asked.
    this.#wait(initialMs);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#probe.close();
    if (!this.#has(FailedActiveHc)) this.#owner.count(STAT.healthy, -1);
    if (this.#has(DegradedActiveHc)) this.#owner.count(STAT.degraded, -1);
  }

  #check(): void {
    this.#owner.count(STAT.attempt, 1);
    // The clock begins when all is loaded that the first check of its kind needs.
    this.#probe.start((result) => this.#onResult(result));
    this.#timer = setTimeout(() => {
      this.#probe.abort();
      this.#onFailure('NETWORK_TIMEOUT', false, 0, false);
    }, this.#owner.config.timeoutMs).unref();
  }

  #onResult(result: ProbeResult): void {
    if (result.verified) this.#owner.count(STAT.verify_cluster, 1);
    if (result.ok) this.#onSuccess(result.degraded);
    else this.#onFailure(result.type, result.retriable, result.status, result.exclude);
  }

  #onSuccess(degraded: boolean): void {
    const { config, count } = this.#owner;
    const before = this.flags;
    let transition: Transition = 'unchanged';
    this.#unhealthyInARow = 0;
    if (this.#has(FailedActiveHc)) {
      // The first answer is enough, so that a start does not take several intervals.
      if (this.first || ++this.#healthyInARow === config.healthyThreshold) {
        this.flags &= ~(ActiveHcTimeout | ExcludedViaImmediateHcFail | FailedActiveHc);
        count(STAT.healthy, 1);
        transition = 'changed';
        this.#events?.addHealthy(this.first);
      } else transition = 'pending';
    }
    if (transition !== 'changed' && config.alwaysLogSuccess) this.#events?.successful();
    this.flags &= ~PendingActiveHc;
    if (degraded !== this.#has(DegradedActiveHc)) {
      this.flags ^= DegradedActiveHc;
      // Envoy never counts one down here.
      if (degraded) count(STAT.degraded, 1);
      if (degraded) this.#events?.degraded();
      else this.#events?.noLongerDegraded();
    }
    count(STAT.success, 1);
    this.#end(true, transition, before);
  }

  #onFailure(type: FailureType, retriable: boolean, status: number, exclude: boolean): void {
    const before = this.flags;
    const transition = this.#fail(type, retriable, status, exclude);
    this.#end(false, transition, before);
  }

  /** The host asked in an answer to a request to be left alone: no check says it, and the next one comes when it would have. */
  setUnhealthy(): void {
    const before = this.flags;
    this.#fail('PASSIVE', false, 0, true);
    this.first = false;
    this.#owner.onChecked(this, false, this.flags !== before);
  }

  #fail(type: FailureType, retriable: boolean, status: number, exclude: boolean): Transition {
    const { config, count } = this.#owner;
    const network = type === 'NETWORK' || type === 'NETWORK_TIMEOUT';
    let transition: Transition = 'unchanged';
    this.#healthyInARow = 0;
    if (exclude) this.flags |= ExcludedViaImmediateHcFail;
    if (!this.#has(FailedActiveHc)) {
      // An answer that says no is believed at once.
      if ((!network && !retriable) || ++this.#unhealthyInARow === config.unhealthyThreshold) {
        this.flags |= FailedActiveHc;
        count(STAT.healthy, -1);
        transition = 'changed';
        this.#events?.ejectUnhealthy(type, status);
      } else transition = 'pending';
    }
    if (type === 'NETWORK_TIMEOUT' && this.#has(FailedActiveHc)) this.flags |= ActiveHcTimeout;
    else this.flags &= ~ActiveHcTimeout;
    this.flags &= ~PendingActiveHc;
    if (this.first || config.alwaysLogFailures) this.#events?.unhealthy(type, this.first, status);
    count(STAT.failure, 1);
    if (network) count(STAT.network_failure, 1);
    else if (type === 'PASSIVE') count(STAT.passive_failure, 1);
    return transition;
  }

  #end(healthy: boolean, transition: Transition, before: number): void {
    clearTimeout(this.#timer);
    this.first = false;
    this.#wait(this.#owner.withJitter(this.#baseInterval(healthy, transition)));
    this.#owner.onChecked(this, healthy, this.flags !== before);
  }

  #wait(ms: number): void {
    this.#timer = setTimeout(() => this.#check(), ms).unref();
  }

  #baseInterval(healthy: boolean, transition: Transition): number {
    const { config } = this.#owner;
    const pending = transition === 'pending';
    if (!this.#owner.hasTraffic())
      return healthy && !pending ? config.noTrafficHealthyIntervalMs : config.noTrafficIntervalMs;
    if (healthy) return pending ? config.healthyEdgeIntervalMs : config.intervalMs;
    return pending ? config.unhealthyEdgeIntervalMs : config.unhealthyIntervalMs;
  }

  #has(flag: number): boolean {
    return (this.flags & flag) !== 0;
  }
}
