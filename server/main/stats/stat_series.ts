// The last 15 minutes of what people look at first, in a ring: sums over all listeners and clusters, sampled while the proxy
// runs, so that a graph has a past when it is opened.

import type { StatAggregator } from '../../common/stats/aggregator.ts';
import { CLUSTER_ENDPOINT_STATS, CLUSTER_TRAFFIC_STATS } from '../../common/stats/families/cluster.ts';
import { HTTP_STATS } from '../../common/stats/families/http.ts';
import { LISTENER_STATS } from '../../common/stats/families/listener.ts';

/** ms between samples. */
export const SAMPLE_INTERVAL_MS = 5_000;
/** 15 minutes. */
const SAMPLES = 180;
/** The admin port's own requests are nobody's traffic. */
const ADMIN = 'http.admin.';

type Sample = (stats: StatAggregator) => number;

/** By the name that the series has. */
const SERIES: Readonly<Record<string, Sample>> = {
  'listener.downstream_cx_active': (stats) => stats.sum(LISTENER_STATS, 'downstream_cx_active'),
  'listener.downstream_cx_total': (stats) => stats.sum(LISTENER_STATS, 'downstream_cx_total'),
  'http.downstream_rq_active': (stats) => stats.sum(HTTP_STATS, 'downstream_rq_active', ADMIN),
  'http.downstream_rq_total': (stats) => stats.sum(HTTP_STATS, 'downstream_rq_total', ADMIN),
  'http.downstream_rq_4xx': (stats) => stats.sum(HTTP_STATS, 'downstream_rq_4xx', ADMIN),
  'http.downstream_rq_5xx': (stats) => stats.sum(HTTP_STATS, 'downstream_rq_5xx', ADMIN),
  'cluster.upstream_cx_active': (stats) => stats.sum(CLUSTER_TRAFFIC_STATS, 'upstream_cx_active'),
  'cluster.upstream_cx_connect_fail': (stats) => stats.sum(CLUSTER_TRAFFIC_STATS, 'upstream_cx_connect_fail'),
  'cluster.upstream_rq_active': (stats) => stats.sum(CLUSTER_TRAFFIC_STATS, 'upstream_rq_active'),
  'cluster.upstream_rq_total': (stats) => stats.sum(CLUSTER_TRAFFIC_STATS, 'upstream_rq_total'),
  'cluster.upstream_rq_retry': (stats) => stats.sum(CLUSTER_TRAFFIC_STATS, 'upstream_rq_retry'),
  'cluster.upstream_rq_timeout': (stats) => stats.sum(CLUSTER_TRAFFIC_STATS, 'upstream_rq_timeout'),
  'cluster.membership_total': (stats) => stats.sum(CLUSTER_ENDPOINT_STATS, 'membership_total'),
  'server.memory_physical_size': () => process.memoryUsage.rss(),
};

export class StatSeries {
  static readonly names: readonly string[] = Object.keys(SERIES);

  readonly #aggregator: StatAggregator;
  readonly #rings: readonly {
    readonly name: string;
    readonly sample: Sample;
    readonly values: Float64Array;
  }[];
  /** ms since 1970 of each sample. */
  readonly #times = new Float64Array(SAMPLES);
  #taken = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(aggregator: StatAggregator) {
    this.#aggregator = aggregator;
    this.#rings = Object.entries(SERIES).map(([name, sample]) => ({
      name,
      sample,
      values: new Float64Array(SAMPLES),
    }));
  }

  start(): void {
    this.#timer = setInterval(() => this.sample(Date.now()), SAMPLE_INTERVAL_MS);
    this.#timer.unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** `at` in ms since 1970. */
  sample(at: number): void {
    const slot = this.#taken++ % SAMPLES;
    this.#times[slot] = at;
    for (const { sample, values } of this.#rings) values[slot] = sample(this.#aggregator);
  }

  /** When samples were taken, the oldest first. */
  get times(): number[] {
    return this.#inOrder(this.#times);
  }

  /** The samples of a series, in the order of `times`; undefined when there is no such series. */
  values(name: string): number[] | undefined {
    const ring = this.#rings.find((each) => each.name === name);
    return ring && this.#inOrder(ring.values);
  }

  #inOrder(ring: Float64Array): number[] {
    const start = this.#taken <= SAMPLES ? 0 : this.#taken % SAMPLES;
    const kept = Math.min(this.#taken, SAMPLES);
    // A number that nobody has written yet is -0.
    return Array.from({ length: kept }, (_, i) => (ring[(start + i) % SAMPLES] as number) + 0);
  }
}
