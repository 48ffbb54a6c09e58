// Duration, Timestamp, FieldMask and bytes as the strings that proto3 JSON makes of them.
// https://protobuf.dev/programming-guides/json: 0, 3, 6 or 9 fractional digits, RFC 3339, base64 in either alphabet.

import { lowerCamel } from './descriptors.ts';

// ±10,000 years, and the years 1 to 9999: the limits in duration.proto and timestamp.proto.
const MAX_DURATION_SECONDS = 315_576_000_000n;
const MIN_TIMESTAMP_SECONDS = -62_135_596_800n;
const MAX_TIMESTAMP_SECONDS = 253_402_300_799n;

export interface SecondsAndNanos {
  seconds: bigint;
  nanos: number;
}

function nanosOf(digits: string | undefined): number {
  return digits === undefined ? 0 : Number(digits.padEnd(9, '0'));
}

function fraction(nanos: number): string {
  if (nanos === 0) return '';
  const digits = String(nanos).padStart(9, '0');
  return '.' + digits.replace(/(?:000){1,2}$/, '');
}

/** Reads `1.5s`. The reason as a string when it is no duration. */
export function parseDuration(text: string): SecondsAndNanos | string {
  if (!text.endsWith('s')) return "duration must end with a single 's'";
  const match = /^(-?)(\d+)(?:\.(\d{1,9}))?s$/.exec(text);
  if (match === null) return `invalid duration: '${text}'`;
  const seconds = BigInt(match[2]!);
  const nanos = nanosOf(match[3]);
  if (seconds > MAX_DURATION_SECONDS) return 'duration out of range';
  return match[1] === '-' ? { seconds: -seconds, nanos: nanos === 0 ? 0 : -nanos } : { seconds, nanos };
}

/** Prints `1.500s`. */
export function formatDuration({ seconds, nanos }: SecondsAndNanos): string {
  const sign = seconds < 0n || nanos < 0 ? '-' : '';
  return `${sign}${seconds < 0n ? -seconds : seconds}${fraction(Math.abs(nanos))}s`;
}

/** Reads `2026-01-02T03:04:05.678Z` or with an offset. The reason as a string when it is no timestamp. */
export function parseTimestamp(text: string): SecondsAndNanos | string {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(text);
  const milliseconds = match === null ? Number.NaN : Date.parse(match[1]! + match[3]!);
  if (match === null || Number.isNaN(milliseconds)) return `invalid timestamp: '${text}'`;
  const seconds = BigInt(milliseconds / 1e3);
  if (seconds < MIN_TIMESTAMP_SECONDS || seconds > MAX_TIMESTAMP_SECONDS) return 'timestamp out of range';
  return { seconds, nanos: nanosOf(match[2]) };
}

/** Prints `2026-01-02T03:04:05.678Z`. */
export function formatTimestamp({ seconds, nanos }: SecondsAndNanos): string {
  return new Date(Number(seconds) * 1e3).toISOString().slice(0, 19) + fraction(nanos) + 'Z';
}

/** `a_b,c.d_e` for the paths of `aB,c.dE`. */
export function parseFieldMask(text: string): string[] {
  if (text === '') return [];
  return text.split(',').map((path) => path.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`));
}

export function formatFieldMask(paths: readonly string[]): string {
  return paths.map((path) => path.split('.').map(lowerCamel).join('.')).join(',');
}

/** Reads base64 of either alphabet, with or without padding; undefined for anything else. */
export function parseBase64(text: string): Uint8Array | undefined {
  const bare = text.replace(/={1,2}$/, '');
  if (!/^[A-Za-z0-9+/_-]*$/.test(bare) || bare.length % 4 === 1) return undefined;
  return new Uint8Array(Buffer.from(bare, 'base64'));
}

export function formatBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}
