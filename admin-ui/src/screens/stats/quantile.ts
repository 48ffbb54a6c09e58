// A value of a histogram in its unit.

import { bytes, milliseconds, short } from '../../format.ts';

export function quantile(value: number | undefined, unit: string | undefined): string {
  if (value === undefined) return '';
  if (unit === 'ms' || unit === 'milliseconds') return milliseconds(value);
  if (unit === 'bytes') return bytes(Math.round(value));
  if (unit === 'us' || unit === 'microseconds') return milliseconds(value / 1000);
  return short(value);
}
