import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  BUCKETS_PER_DECADE,
  bucketInDecade,
  bucketLow,
  bucketWidth,
  decadeOf,
  MIN_DECADE,
  ZERO_DECADE,
} from './histogram_buckets.ts';
import { HistogramStatistics } from './histogram_statistics.ts';

function keyOf(value: number): number {
  const decade = decadeOf(value);
  const bucket = decade < MIN_DECADE ? 0 : bucketInDecade(value, decade);
  return (decade - ZERO_DECADE) * BUCKETS_PER_DECADE + bucket;
}

function statistics(values: readonly number[]): HistogramStatistics {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(keyOf(value), (counts.get(keyOf(value)) ?? 0) + 1);
  return HistogramStatistics.of(counts);
}

describe('histograms', () => {
  test('a whole number is in the bucket of its first two digits', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), (value) => {
        const decade = decadeOf(value);
        const bucket = bucketInDecade(value, decade);
        assert.equal(String(bucket + 10), String(value).padEnd(2, '0').slice(0, 2));
        assert.equal(decade, String(value).length - 1);
        const low = bucketLow(decade, bucket);
        const slack = 1e-12 * value;
        assert.ok(low <= value + slack && value < low + bucketWidth(decade) + slack, `${value} in ${low}`);
      }),
    );
  });

  test('any number has a bucket', () => {
    fc.assert(
      fc.property(fc.double(), (value) => {
        const decade = decadeOf(value);
        const bucket = decade < MIN_DECADE ? 0 : bucketInDecade(value, decade);
        assert.ok(Number.isInteger(bucket) && bucket >= 0 && bucket < BUCKETS_PER_DECADE);
        assert.ok(value > 1e-6 === decade > ZERO_DECADE || Math.abs(value - 1e-6) < 1e-12);
      }),
    );
  });

  // What Envoy 1.40 printed for these values of downstream_cx_length_ms.
  const RECORDED = [...Array<number>(17).fill(0), 1, 1, 2, 3, 4, 7, 40];

  test('quantiles are those of Envoy', () => {
    assert.deepEqual(
      statistics(RECORDED).quantiles(),
      [0, 0, 0, 1.0333333333333334, 4.05, 7.05, 40.5, 40.5, 40.5, 40.5],
    );
    assert.deepEqual(
      statistics(Array<number>(24).fill(1)).quantiles(),
      [1.004, 1.024, 1.048, 1.072, 1.088, 1.092, 1.096, 1.096, 1.096, 1.096],
    );
    assert.ok(statistics([]).quantiles().every(Number.isNaN));
  });

  test('bucket counts and sums are those of Envoy', () => {
    assert.deepEqual(
      statistics(RECORDED).cumulativeCounts([0.5, 1, 5, 10, 25, 50]),
      [17, 19, 22, 23, 23, 24],
    );
    assert.equal(statistics([78]).sampleSum.toPrecision(32), '78.496815286624197938181168865412');
    assert.equal(statistics([510, 517]).sampleSum.toPrecision(31), '1029.902912621359064360149204731');
  });

  test('quantiles rise and stay inside what was recorded', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 1e6 }), { minLength: 1 }), (values) => {
        const quantiles = statistics(values).quantiles();
        assert.deepEqual(
          quantiles,
          quantiles.toSorted((a, b) => a - b),
        );
        assert.ok((quantiles[0] as number) >= Math.min(...values) * 0.9);
        assert.ok((quantiles.at(-1) as number) <= Math.max(...values) * 1.1);
      }),
    );
  });
});
