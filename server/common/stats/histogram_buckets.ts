// Log-linear histogram buckets with two significant decimal digits: 1.0, 1.1, ... 9.9, 10, 11, ... 99, 100, 110, ...
// The same buckets as Envoy's circllhist, so the same values give the same quantiles.
// https://github.com/openhistogram/libcircllhist

/** Buckets of a decade: 1.0 to 9.9 times a power of ten. */
export const BUCKETS_PER_DECADE = 90;
/** Decade 0 starts at 1; smaller values (percentages as fractions) have negative decades. Beyond the range the edge bucket counts. */
export const MIN_DECADE = -6;
export const MAX_DECADE = 18;
/** The decade number that stands for the single bucket of values <= 0. */
export const ZERO_DECADE = MIN_DECADE - 1;

const POWERS: readonly number[] = Array.from({ length: MAX_DECADE - MIN_DECADE + 2 }, (_, i) =>
  Number(`1e${MIN_DECADE + i}`),
);

/** The decade of a value, ZERO_DECADE for values too small to have one. */
export function decadeOf(value: number): number {
  if (value >= 1) {
    let decade = 0;
    while (decade < MAX_DECADE && value >= powerOfTen(decade + 1)) decade++;
    return decade;
  }
  let decade = ZERO_DECADE;
  while (value >= powerOfTen(decade + 1)) decade++;
  return decade;
}

/** Position of a value among the buckets of its decade, 0 to 89. */
export function bucketInDecade(value: number, decade: number): number {
  const scaled =
    decade > 0
      ? Math.floor(value / powerOfTen(decade - 1))
      : // A whole number times 10 is exact; a fraction like 0.3 needs the rounding error taken off.
        Math.floor(value * powerOfTen(1 - decade) + 1e-9);
  return Math.min(Math.max(scaled - 10, 0), BUCKETS_PER_DECADE - 1);
}

/** Lower edge of a bucket. Calculated as the library does, for the same last digit: 510 comes out as 509.99999999999994. */
export function bucketLow(decade: number, bucket: number): number {
  return decade === ZERO_DECADE ? 0 : ((bucket + 10) / 10) * powerOfTen(decade);
}

/** Width of the buckets of a decade; the zero bucket has none. */
export function bucketWidth(decade: number): number {
  return decade === ZERO_DECADE ? 0 : powerOfTen(decade) / 10;
}

function powerOfTen(exponent: number): number {
  return POWERS[exponent - MIN_DECADE] as number;
}
