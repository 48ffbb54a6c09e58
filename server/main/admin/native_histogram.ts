// A native histogram of Prometheus out of a log-linear one: exponential buckets, 2^(2^-schema) wide, as fine as fits a number of
// buckets. Envoy: source/server/admin/prometheus_stats.cc. https://prometheus.io/docs/specs/native_histograms

import type { HistogramBucket, HistogramStatistics } from '../../common/stats/histogram_statistics.ts';

/** Of Envoy: 16 buckets between two powers of two, at the finest, and one for 2^16 at the coarsest. */
const FINEST_SCHEMA = 4;
const COARSEST_SCHEMA = -4;
/** What Envoy says of a histogram without values. */
const EMPTY_SCHEMA = 3;
/** Smaller values are counted together. */
const ZERO_THRESHOLD = 0.5;

/** Neighbouring buckets. */
export interface BucketSpan {
  /** The index of the first bucket of the first span; of others how many buckets are left out before. */
  readonly offset: number;
  readonly counts: readonly number[];
}

export interface NativeHistogram {
  readonly count: number;
  readonly sum: number;
  readonly schema: number;
  readonly zeroThreshold: number;
  readonly zeroCount: number;
  readonly spans: readonly BucketSpan[];
}

/** The finest in which the values lie in at most `maxBuckets` buckets, as far as their log-linear buckets tell. */
export function nativeHistogram(statistics: HistogramStatistics, maxBuckets: number): NativeHistogram {
  const { sampleCount: count, sampleSum: sum } = statistics;
  if (count === 0) {
    const nothing = [{ offset: 0, counts: [] }];
    return { count, sum, schema: EMPTY_SCHEMA, zeroThreshold: ZERO_THRESHOLD, zeroCount: 0, spans: nothing };
  }
  const buckets = statistics.buckets.filter(({ low }) => low >= ZERO_THRESHOLD);
  let schema = FINEST_SCHEMA;
  while (schema > COARSEST_SCHEMA && bucketsTouched(buckets, schema) > maxBuckets) schema--;
  const zeroCount = count - buckets.reduce((total, bucket) => total + bucket.count, 0);
  return { count, sum, schema, zeroThreshold: ZERO_THRESHOLD, zeroCount, spans: spansOf(buckets, schema) };
}

/** How many buckets the ranges of `buckets` (ascending) lie in. */
function bucketsTouched(buckets: readonly HistogramBucket[], schema: number): number {
  let touched = 0;
  let next = Number.NEGATIVE_INFINITY;
  for (const { low, width } of buckets) {
    const first = Math.max(indexOf(low, schema), next);
    const last = indexOf(low + width, schema);
    touched += Math.max(0, last - first + 1);
    next = Math.max(next, last + 1);
  }
  return touched;
}

/** Values are counted where their log-linear bucket begins. */
function spansOf(buckets: readonly HistogramBucket[], schema: number): BucketSpan[] {
  const spans: { readonly offset: number; readonly counts: number[] }[] = [];
  let end = 0;
  for (const { low, count } of buckets) {
    const index = indexOf(low, schema);
    const counts = spans.at(-1)?.counts;
    if (counts !== undefined && index === end - 1) counts[counts.length - 1]! += count;
    else if (counts !== undefined && index === end) counts.push(count);
    else spans.push({ offset: index - end, counts: [count] });
    end = index + 1;
  }
  return spans;
}

/** Of the bucket that ends at or above `value`. */
function indexOf(value: number, schema: number): number {
  return Math.ceil(Math.log2(value) * 2 ** schema);
}
