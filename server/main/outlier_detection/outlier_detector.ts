// Leaves hosts of a cluster out that answer worse than others, and takes them back. Workers count and report errors in a
// row; rates are looked at in every interval. Follows Envoy's source/common/upstream/outlier_detection_impl.cc (DetectorImpl);
// document: arch_overview/upstream/outlier.

import type { Runtime } from '../../api/runtime.ts';
import type { StatBlock } from '../../api/stats.ts';
import { HostSlot } from '../../api/upstream/host.ts';
import { CLUSTER_OUTLIER_DETECTION_STATS } from '../../common/stats/families/cluster.ts';
import {
  type OutlierDetectionConfig,
  type OutlierSetting,
  outlierSetting,
} from '../../common/upstream/outlier_detection_config.ts';
import type { ConsecutiveError } from '../../common/upstream/outlier_monitor.ts';
import { SharedTable } from '../../common/upstream/shared_table.ts';
import { EJECTION_TYPES, type EjectionType, type LoggedType } from './ejection_types.ts';
import { HostMonitor, type Origin, type Sentence } from './host_monitor.ts';

const STAT = CLUSTER_OUTLIER_DETECTION_STATS.offset;
const COUNTERS = {
  CONSECUTIVE_5XX: HostSlot.Consecutive5xx,
  CONSECUTIVE_GATEWAY_FAILURE: HostSlot.ConsecutiveGatewayFailure,
  CONSECUTIVE_LOCAL_ORIGIN_FAILURE: HostSlot.ConsecutiveLocalOriginFailure,
} as const;
const NO_RATES = Object.freeze({ average: -1, threshold: -1 });

/** Average success rate of the hosts in percent, and the one below which they are ejected; -1: too few hosts or requests. */
export interface SuccessRates {
  readonly average: number;
  readonly threshold: number;
}

/** What the detector tells. */
export interface OutlierEvents {
  /** The health of a host changed. */
  onHealthChange(): void;
  onEject(slot: number, monitor: HostMonitor, type: LoggedType, enforced: boolean, rates: SuccessRates): void;
  onUneject(slot: number, monitor: HostMonitor): void;
}

export interface OutlierDetectorOptions {
  readonly config: OutlierDetectionConfig;
  readonly runtime: Runtime;
  readonly stats: StatBlock;
  /** Of the hosts. */
  readonly table: SharedTable;
  readonly events: OutlierEvents;
  /** ms of the monotonic clock; a whole random number below n. */
  readonly now?: () => number;
  readonly randomBelow?: (n: number) => number;
}

export class OutlierDetector {
  readonly rates: Record<Origin, SuccessRates> = { external: NO_RATES, local: NO_RATES };
  readonly #options: OutlierDetectorOptions;
  readonly #now: () => number;
  readonly #randomBelow: (n: number) => number;
  #monitors = new Map<number, HostMonitor>();
  #ejected = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: OutlierDetectorOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#randomBelow = options.randomBelow ?? ((n) => Math.floor(Math.random() * n));
    this.#arm();
  }

  /** Undefined for a host that is not there. `slot` is that of its run in the table. */
  monitor(slot: number): HostMonitor | undefined {
    return this.#monitors.get(slot);
  }

  /** The cluster's hosts are these now. */
  setHosts(slots: Int32Array): void {
    const monitors = new Map<number, HostMonitor>();
    for (const slot of slots) {
      const { table } = this.#options;
      const known = this.#monitors.get(slot);
      monitors.set(slot, known ?? new HostMonitor(table.view(slot), SharedTable.offset(slot)));
      this.#monitors.delete(slot);
    }
    for (const gone of this.#monitors.values()) if (gone.ejected) this.#ejected--;
    this.#monitors = monitors;
    this.#updateGauge();
  }

  /** A worker has counted enough errors in a row. */
  onConsecutiveError(slot: number, error: ConsecutiveError): void {
    const monitor = this.#monitors.get(slot);
    if (monitor === undefined || monitor.ejected) return;
    this.#count(EJECTION_TYPES[error].detected);
    this.#eject(slot, monitor, error, NO_RATES);
    if (error === 'CONSECUTIVE_5XX') this.#count(STAT.ejections_consecutive_5xx);
    monitor.reset(COUNTERS[error]);
  }

  /** A worker had an answer that said that the host is degraded. */
  onDegraded(slot: number): void {
    const monitor = this.#monitors.get(slot);
    // Who is out is not asked to begin with.
    if (monitor === undefined || monitor.ejected || monitor.degraded) return;
    this.#count(STAT.ejections_detected_degradation);
    monitor.setDegraded(true);
    this.#begin(monitor.degradation);
    this.#options.events.onHealthChange();
    this.#options.events.onEject(slot, monitor, 'DEGRADED', true, NO_RATES);
  }

  /** A health check found the host well: that ends its ejection, unless configuration says otherwise. */
  onHealthy(slot: number): void {
    const monitor = this.#monitors.get(slot);
    if (monitor?.ejected === true && this.#options.config.unejectByHealthCheck)
      this.#uneject(slot, monitor, this.#now());
  }

  /** Takes everybody back: another detector, or none, goes on from here. */
  close(): void {
    clearTimeout(this.#timer);
    let changed = false;
    for (const monitor of this.#monitors.values()) {
      changed ||= monitor.ejected || monitor.degraded;
      monitor.setEjected(false);
      monitor.setDegraded(false);
      for (const counter of Object.values(COUNTERS)) monitor.reset(counter);
    }
    this.#monitors.clear();
    this.#ejected = 0;
    this.#updateGauge();
    if (changed) this.#options.events.onHealthChange();
  }

  // ---- the interval --------------------------------------------------------------------------------------------------

  #arm(): void {
    this.#timer = setTimeout(() => {
      this.onInterval();
      this.#arm();
    }, this.#setting('interval_ms'));
    this.#timer.unref();
  }

  /** Called by the timer. */
  onInterval(): void {
    const now = this.#now();
    for (const [slot, monitor] of this.#monitors) {
      if (monitor.ejected && this.#isOver(monitor.ejection, now)) this.#uneject(slot, monitor, now);
      if (monitor.degraded && this.#isOver(monitor.degradation, now)) this.#undegrade(slot, monitor, now);
      monitor.endInterval();
    }
    this.#judgeRates('external');
    this.#judgeRates('local');
    for (const monitor of this.#monitors.values()) {
      if (!monitor.ejected) this.#forgive(monitor.ejection, now);
      if (!monitor.degraded) this.#forgive(monitor.degradation, now);
    }
  }

  #begin(sentence: Sentence): void {
    sentence.lastBegin = this.#now();
    sentence.jitterMs = this.#randomBelow(this.#setting('max_ejection_time_jitter_ms') + 1);
    const base = this.#setting('base_ejection_time_ms');
    if (sentence.backoff * base < this.#setting('max_ejection_time_ms') + base) sentence.backoff++;
  }

  #isOver({ backoff, jitterMs, lastBegin }: Sentence, now: number): boolean {
    const base = this.#setting('base_ejection_time_ms') * backoff;
    return Math.min(base, this.#setting('max_ejection_time_ms')) + jitterMs <= now - lastBegin!;
  }

  /** A quiet interval makes the next one shorter. */
  #forgive(sentence: Sentence, now: number): void {
    const { lastEnd, backoff } = sentence;
    if (lastEnd === undefined || backoff === 0) return;
    if (now - lastEnd >= this.#setting('interval_ms')) sentence.backoff--;
  }

  #judgeRates(origin: Origin): void {
    this.rates[origin] = NO_RATES;
    const { size } = this.#monitors;
    const minimumHosts = this.#setting('success_rate_minimum_hosts');
    const failureMinimumHosts = this.#setting('failure_percentage_minimum_hosts');
    if (size < minimumHosts && size < failureMinimumHosts) return;
    const volume = this.#setting('success_rate_request_volume');
    const failureVolume = this.#setting('failure_percentage_request_volume');
    const bySuccess: [number, HostMonitor][] = [];
    const byFailure: [number, HostMonitor][] = [];
    for (const [slot, monitor] of this.#monitors) {
      const requests = monitor.requests(origin);
      if (monitor.ejected || requests === 0) continue;
      if (requests >= Math.min(volume, failureVolume)) monitor.successRate[origin] = monitor.rate(origin);
      if (requests >= volume) bySuccess.push([slot, monitor]);
      if (requests >= failureVolume) byFailure.push([slot, monitor]);
    }
    if (bySuccess.length > 0 && bySuccess.length >= minimumHosts) this.#ejectBySuccessRate(origin, bySuccess);
    if (byFailure.length > 0 && byFailure.length >= failureMinimumHosts)
      this.#ejectByFailurePercentage(origin, byFailure);
  }

  #ejectBySuccessRate(origin: Origin, hosts: readonly [number, HostMonitor][]): void {
    const rates = hosts.map(([, monitor]) => monitor.rate(origin));
    const average = rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
    const variance = rates.reduce((sum, rate) => sum + (rate - average) ** 2, 0) / rates.length;
    const threshold = average - (this.#setting('success_rate_stdev_factor') / 1000) * Math.sqrt(variance);
    const type = origin === 'external' ? 'SUCCESS_RATE' : 'SUCCESS_RATE_LOCAL_ORIGIN';
    this.rates[origin] = { average, threshold };
    for (const [slot, monitor] of hosts) {
      if (monitor.rate(origin) >= threshold) continue;
      this.#count(STAT.ejections_success_rate);
      this.#count(EJECTION_TYPES[type].detected);
      this.#eject(slot, monitor, type, this.rates[origin]);
    }
  }

  #ejectByFailurePercentage(origin: Origin, hosts: readonly [number, HostMonitor][]): void {
    const threshold = this.#setting('failure_percentage_threshold');
    const type = origin === 'external' ? 'FAILURE_PERCENTAGE' : 'FAILURE_PERCENTAGE_LOCAL_ORIGIN';
    for (const [slot, monitor] of hosts) {
      if (100 - monitor.rate(origin) < threshold) continue;
      this.#count(EJECTION_TYPES[type].detected);
      this.#eject(slot, monitor, type, NO_RATES);
    }
  }

  // ---- ejections -----------------------------------------------------------------------------------------------------

  #eject(slot: number, monitor: HostMonitor, type: EjectionType, rates: SuccessRates): void {
    const { config, events, runtime } = this.#options;
    const percent = (100 * (this.#ejected + 1)) / this.#monitors.size;
    const allowed = percent <= Math.min(100, this.#setting('max_ejection_percent'));
    if (!allowed && !(config.alwaysEjectOne && this.#ejected === 0)) {
      this.#count(STAT.ejections_overflow);
      return;
    }
    if (type === 'CONSECUTIVE_5XX' || type === 'SUCCESS_RATE') this.#count(STAT.ejections_total);
    const { enforcing, enforced } = EJECTION_TYPES[type];
    const key = `outlier_detection.${enforcing}`;
    if (!runtime.featureEnabled(key, config.settings[enforcing], 100, this.#randomBelow(2 ** 32))) {
      events.onEject(slot, monitor, type, false, rates);
      return;
    }
    // Both judgements of one interval may name the host: it is out already. Envoy counts it twice, and takes it back once.
    if (monitor.ejected) return;
    this.#ejected++;
    this.#updateGauge();
    this.#count(STAT.ejections_enforced_total);
    this.#count(enforced);
    monitor.setEjected(true);
    monitor.numEjections++;
    this.#begin(monitor.ejection);
    events.onHealthChange();
    events.onEject(slot, monitor, type, true, rates);
  }

  #uneject(slot: number, monitor: HostMonitor, now: number): void {
    this.#ejected--;
    this.#updateGauge();
    monitor.setEjected(false);
    // So that few new errors do not eject it again by a counter that was nearly there.
    for (const counter of Object.values(COUNTERS)) monitor.reset(counter);
    monitor.ejection.lastEnd = now;
    this.#options.events.onHealthChange();
    this.#options.events.onUneject(slot, monitor);
  }

  #undegrade(slot: number, monitor: HostMonitor, now: number): void {
    monitor.setDegraded(false);
    monitor.degradation.lastEnd = now;
    this.#options.events.onHealthChange();
    this.#options.events.onUneject(slot, monitor);
  }

  #setting(name: OutlierSetting): number {
    return outlierSetting(this.#options.config, this.#options.runtime, name);
  }

  #count(offset: number): void {
    const { values, base } = this.#options.stats;
    values[base + offset]!++;
  }

  #updateGauge(): void {
    const { values, base } = this.#options.stats;
    values[base + STAT.ejections_active] = this.#ejected;
  }
}
