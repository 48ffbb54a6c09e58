// The last 15 minutes of what people look at first, in a ring: sums over all listeners and clusters, sampled while the proxy
// runs, so that a graph has a past when it is opened.

import type { StatAggregator } from '../../common/stats/aggregator.ts';
import { CLUSTER_ENDPOINT_STATS, CLUSTER_TRAFFIC_STATS } from '../../common/stats/families/cluster.ts';
import { HTTP_STATS } from '../../common/stats/families/http.ts';
import { LISTENER_STATS } from '../../common/stats/families/listener.ts';
import { requestTimes } from './request_times.ts';

/** ms between samples. */
export const SAMPLE_INTERVAL_MS = 5_000;
/** 15 minutes. */
export const SAMPLES = 180;
/** The admin port's own requests are nobody's traffic. */
const ADMIN = 'http.admin.';

/** Stats by name that are sampled besides. */
const MAX_WATCHED = 64;

type Sample = (stats: StatAggregator) => number;

/** By the name that the series has. */
const SERIES: Readonly<Record<string, Sample>> = {
  'listener.downstream_cx_active': (stats) => stats.sum(LISTENER_STATS, 'downstream_cx_active'),
  'listener.downstream_cx_total': (stats) => stats.sum(LISTENER_STATS, 'downstream_cx_total'),
  'http.downstream_rq_active': (stats) => stats.sum(HTTP_STATS, 'downstream_rq_active', ADMIN),
  'http.downstream_rq_total': (stats) => stats.sum(HTTP_STATS, 'downstream_rq_total', ADMIN),
  'http.downstream_rq_4xx': (stats) => stats.sum(HTTP_STATS, 'downstream_rq_4xx', ADMIN),
  'http.downstream_rq_5xx': (stats) => stats.sum(HTTP_STATS, 'downstream_rq_5xx', ADMIN),
  'http.downstream_rq_time.p50': (stats) => requestTimes(stats).p50 ?? Number.NaN,
  'http.downstream_rq_time.p99': (stats) => requestTimes(stats).p99 ?? Number.NaN,
  'cluster.upstream_cx_active': (stats) => stats.sum(CLUSTER_TRAFFIC_STATS, 'upstream_cx_active'),
  'cluster.upstream_cx_connect_fail': (stats) => stats.sum(CLUSTER_TRAFFIC_STATS, 'upstream_cx_connect_fail'),
  'cluster.upstream_rq_active': (stats) => stats.sum(CLUSTER_TRAFFIC_STATS, 'upstream_rq_active'),
  'cluster.upstream_rq_total': (stats) => stats.sum(CLUSTER_TRAFFIC_STATS, 'upstream_rq_total'),
  'cluster.upstream_rq_retry': (stats) => stats.sum(CLUSTER_TRAFFIC_STATS, 'upstream_rq_retry'),
  'cluster.upstream_rq_timeout': (stats) => stats.sum(CLUSTER_TRAFFIC_STATS, 'upstream_rq_timeout'),
  'cluster.membership_total': (stats) => stats.sum(CLUSTER_ENDPOINT_STATS, 'membership_total'),
  'server.memory_physical_size': () => process.memoryUsage.rss(),
};

/** The samples of one series. */
interface Ring {
  readonly name: string;
  readonly sample: Sample;
  /** NaN where there was nothing to sample. */
  readonly values: Float64Array;
  /** Of a watched one: the number of the sample before which somebody asked last. */
  askedAt: number;
}

export class StatSeries {
  static readonly names: readonly string[] = Object.keys(SERIES);

  readonly #aggregator: StatAggregator;
  readonly #rings: readonly Ring[];
  /** By the full name of the stat. */
  readonly #watched = new Map<string, Ring>();
  readonly #observers = new Set<(at: number) => void>();
  /** ms since 1970 of each sample. */
  readonly #times = new Float64Array(SAMPLES);
  #taken = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(aggregator: StatAggregator) {
    this.#aggregator = aggregator;
    this.#rings = Object.entries(SERIES).map(([name, sample]) => newRing(name, sample));
  }

  start(): void {
    this.#timer = setInterval(() => this.sample(Date.now()), SAMPLE_INTERVAL_MS);
    this.#timer.unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Calls `observer` with each sample to come, and when it is, in ms since 1970. */
  observe(observer: (at: number) => void): void {
    this.#observers.add(observer);
  }

  /** `at` in ms since 1970. */
  sample(at: number): void {
    for (const observer of this.#observers) observer(at);
    for (const { name, askedAt } of this.#watched.values()) {
      if (this.#taken - askedAt >= SAMPLES) this.#watched.delete(name);
    }
    const slot = this.#taken++ % SAMPLES;
    this.#times[slot] = at;
    for (const { sample, values } of this.#rings) values[slot] = sample(this.#aggregator);
    for (const { sample, values } of this.#watched.values()) values[slot] = sample(this.#aggregator);
  }

  /** When samples were taken, the oldest first. */
  get times(): number[] {
    return this.#inOrder(this.#times);
  }

  /** The value of one of `names` at this moment. */
  now(name: string): number {
    return (SERIES[name] as Sample)(this.#aggregator) + 0;
  }

  /**
   * The samples of one of `names`, or of the stat of that full name, in the order of `times`. A stat is sampled from the first
   * question on for as long as somebody asks every 15 minutes. NaN where there is no sample. Undefined when there is no such
   * stat, or when too many are watched.
   */
  values(name: string): number[] | undefined {
    const ring = this.#rings.find((each) => each.name === name) ?? this.#watch(name);
    return ring && this.#inOrder(ring.values);
  }

  #watch(name: string): Ring | undefined {
    const known = this.#watched.get(name);
    if (known !== undefined) {
      known.askedAt = this.#taken;
      return known;
    }
    if (this.#watched.size >= MAX_WATCHED || this.#aggregator.find(name).length === 0) return undefined;
    const ring = newRing(name, (stats) => numberOf(stats, name));
    ring.askedAt = this.#taken;
    this.#watched.set(name, ring);
    return ring;
  }

  #inOrder(ring: Float64Array): number[] {
    const start = this.#taken <= SAMPLES ? 0 : this.#taken % SAMPLES;
    const kept = Math.min(this.#taken, SAMPLES);
    // A number that nobody has written yet is -0.
    return Array.from({ length: kept }, (_, i) => (ring[(start + i) % SAMPLES] as number) + 0);
  }
}

function newRing(name: string, sample: Sample): Ring {
  return { name, sample, values: new Float64Array(SAMPLES).fill(Number.NaN), askedAt: 0 };
}

function numberOf(stats: StatAggregator, name: string): number {
  const found = stats.find(name);
  if (found.length === 0) return Number.NaN;
  return found.reduce((sum, { family, offset }) => sum + family.number(offset), 0);
}
