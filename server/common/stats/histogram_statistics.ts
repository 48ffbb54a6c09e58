// What is said about recorded values: quantiles, counts, sum. Computed from sorted, non-empty buckets as libcircllhist does,
// so that the numbers are Envoy's. Envoy: source/common/stats/histogram_impl.cc.

import { BUCKETS_PER_DECADE, bucketLow, bucketWidth, ZERO_DECADE } from './histogram_buckets.ts';

/** The quantiles Envoy prints. */
export const SUPPORTED_QUANTILES: readonly number[] = [0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 1];

export interface HistogramBucket {
  readonly low: number;
  readonly width: number;
  readonly count: number;
}

/** Buckets by key: `(decade - ZERO_DECADE) * BUCKETS_PER_DECADE + position`, so that keys sort as values do. */
export type BucketCounts = ReadonlyMap<number, number>;

export class HistogramStatistics {
  static readonly EMPTY = new HistogramStatistics([]);

  /** Not empty, in ascending order. */
  readonly buckets: readonly HistogramBucket[];
  readonly sampleCount: number;

  private constructor(buckets: readonly HistogramBucket[]) {
    this.buckets = buckets;
    this.sampleCount = buckets.reduce((total, { count }) => total + count, 0);
  }

  static of(counts: BucketCounts): HistogramStatistics {
    const keys = [...counts.keys()].sort((a, b) => a - b);
    return new HistogramStatistics(
      keys.map((key) => {
        const decade = Math.floor(key / BUCKETS_PER_DECADE) + ZERO_DECADE;
        const low = bucketLow(decade, key % BUCKETS_PER_DECADE);
        return { low, width: bucketWidth(decade), count: counts.get(key) as number };
      }),
    );
  }

  /** Of all values of several histograms. */
  static merged(all: Iterable<HistogramStatistics>): HistogramStatistics {
    const byLow = new Map<number, HistogramBucket>();
    for (const { buckets } of all) {
      for (const bucket of buckets) {
        const count = bucket.count + (byLow.get(bucket.low)?.count ?? 0);
        byLow.set(bucket.low, { ...bucket, count });
      }
    }
    return new HistogramStatistics([...byLow.values()].sort((a, b) => a.low - b.low));
  }

  /** Sum of all values, each taken as the harmonic middle of its bucket. */
  get sampleSum(): number {
    let sum = 0;
    for (const { low, width, count } of this.buckets) {
      // In the order of libcircllhist, for the same last digit.
      if (low > 0) sum += count * (low + width * (low / (low + (low + width))));
    }
    return sum;
  }

  /** The values at SUPPORTED_QUANTILES, NaN when nothing was recorded. */
  quantiles(): number[] {
    const result: number[] = [];
    let index = 0;
    let below = 0;
    for (const quantile of SUPPORTED_QUANTILES) {
      const rank = Math.max(1, Math.ceil(quantile * this.sampleCount));
      let bucket = this.buckets[index];
      while (bucket !== undefined && below + bucket.count < rank) {
        below += bucket.count;
        bucket = this.buckets[++index];
      }
      // Samples of a bucket count as evenly spread inside it, off its edges.
      result.push(
        bucket === undefined ? Number.NaN : bucket.low + (bucket.width * (rank - below)) / (bucket.count + 1),
      );
    }
    return result;
  }

  /** How many values are in buckets that start at or below each of `bounds` (ascending). */
  cumulativeCounts(bounds: readonly number[]): number[] {
    let index = 0;
    let count = 0;
    return bounds.map((bound) => {
      for (
        let bucket = this.buckets[index];
        bucket !== undefined && bucket.low <= bound;
        bucket = this.buckets[++index]
      ) {
        count += bucket.count;
      }
      return count;
    });
  }
}
