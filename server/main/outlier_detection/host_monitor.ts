// What the detector knows of one host beside what workers count in the shared table.
// Envoy: DetectorHostMonitorImpl, SuccessRateAccumulator of source/common/upstream/outlier_detection_impl.cc.

import { HostHealthFlag, HostSlot } from '../../api/upstream/host.ts';

/** Who is to blame: the host's answers, or that it could not be reached. */
export type Origin = 'external' | 'local';

const TOTALS = {
  external: { total: HostSlot.ExternalTotal, success: HostSlot.ExternalSuccess },
  local: { total: HostSlot.LocalOriginTotal, success: HostSlot.LocalOriginSuccess },
} as const;

interface Interval {
  /** What the counters stood at when it began, as unsigned 32-bit numbers. */
  total: number;
  success: number;
  /** Requests of the last whole interval, and the part of them that went well. */
  requests: number;
  successes: number;
}

/** How long a host is out, or degraded: the longer, the more often it was in a row. */
export class Sentence {
  /** It lasts this many base times. */
  backoff = 0;
  jitterMs = 0;
  /** ms of the monotonic clock. */
  lastBegin: number | undefined;
  lastEnd: number | undefined;
}

export class HostMonitor {
  readonly #table: Int32Array;
  readonly #slot: number;
  readonly #intervals: Readonly<Record<Origin, Interval>>;
  /** Percent of the last interval; -1: too few requests. */
  readonly successRate: Record<Origin, number> = { external: -1, local: -1 };
  numEjections = 0;
  readonly ejection = new Sentence();
  readonly degradation = new Sentence();

  constructor(table: Int32Array, slot: number) {
    this.#table = table;
    this.#slot = slot;
    this.#intervals = { external: this.#begin('external'), local: this.#begin('local') };
  }

  get ejected(): boolean {
    return (this.#load(HostSlot.HealthFlags) & HostHealthFlag.FailedOutlierCheck) !== 0;
  }

  setEjected(ejected: boolean): void {
    this.#setFlag(HostHealthFlag.FailedOutlierCheck, ejected);
  }

  get degraded(): boolean {
    return (this.#load(HostSlot.HealthFlags) & HostHealthFlag.DegradedOutlierDetection) !== 0;
  }

  setDegraded(degraded: boolean): void {
    this.#setFlag(HostHealthFlag.DegradedOutlierDetection, degraded);
  }

  /** `counter` is an offset of HostSlot. */
  reset(counter: number): void {
    Atomics.store(this.#table, this.#slot + counter, 0);
  }

  /** An interval is over. */
  endInterval(): void {
    for (const origin of ['external', 'local'] as const) {
      const { total, success } = TOTALS[origin];
      const interval = this.#intervals[origin];
      const before = { total: interval.total, success: interval.success };
      interval.total = this.#load(total);
      interval.success = this.#load(success);
      interval.requests = (interval.total - before.total) >>> 0;
      interval.successes = (interval.success - before.success) >>> 0;
      this.successRate[origin] = -1;
    }
  }

  /** Requests in the last interval. */
  requests(origin: Origin): number {
    return this.#intervals[origin].requests;
  }

  /** Percent of them that went well. */
  rate(origin: Origin): number {
    const { requests, successes } = this.#intervals[origin];
    return (successes * 100) / requests;
  }

  #begin(origin: Origin): Interval {
    const { total, success } = TOTALS[origin];
    return { total: this.#load(total), success: this.#load(success), requests: 0, successes: 0 };
  }

  #setFlag(flag: number, set: boolean): void {
    const at = this.#slot + HostSlot.HealthFlags;
    if (set) Atomics.or(this.#table, at, flag);
    else Atomics.and(this.#table, at, ~flag);
  }

  #load(offset: number): number {
    return Atomics.load(this.#table, this.#slot + offset) >>> 0;
  }
}
