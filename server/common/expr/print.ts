// Values of CEL as access logs print them. Envoy: Expr::print in source/extensions/filters/common/expr/evaluator.cc; durations
// as absl::FormatDuration, and in typed JSON as proto3 JSON has them.

import { latin1Of } from '../matcher/latin1.ts';
import { type CelValue, isCelList, isCelMap, isCelType, isCelUint } from './cel.ts';

interface TimeMessage {
  readonly $typeName: string;
  readonly seconds: bigint;
  readonly nanos: number;
}

/** Byte text. */
export function printCel(value: CelValue): string {
  if (typeof value === 'string') return latin1Of(value);
  if (typeof value === 'number') return doubleText(value);
  if (value === null) return 'NULL';
  if (typeof value !== 'object') return String(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1');
  if (isCelUint(value)) return String(value.value);
  if (isCelList(value)) return 'CelList value';
  if (isCelMap(value)) return 'CelMap value';
  if (isCelType(value)) return 'CelType value';
  const time = timeOf(value);
  return time.$typeName === 'google.protobuf.Duration' ? durationText(time) : timestampText(time);
}

/** As plain JSON; undefined where Envoy has nothing to show. */
export function celToJson(value: CelValue): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (value === null || typeof value !== 'object') return value;
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (isCelUint(value)) return Number(value.value);
  if (isCelList(value)) return [...value].map(celToJson);
  if (isCelMap(value)) return mapToJson(value);
  if (isCelType(value)) return undefined;
  const time = timeOf(value);
  if (time.$typeName === 'google.protobuf.Duration') return `${secondsText(time)}s`;
  return `${dateText(time)}${groupedFraction(time.nanos)}Z`;
}

function mapToJson(map: Iterable<[unknown, CelValue]>): unknown {
  const object: Record<string, unknown> = Object.create(null);
  try {
    for (const [key, value] of map) object[String(key)] = celToJson(value) ?? null;
  } catch {
    // Attributes cannot be listed.
    return undefined;
  }
  return object;
}

function timeOf(value: object): TimeMessage {
  return (value as { readonly message: unknown }).message as TimeMessage;
}

/** absl::StrCat: six significant digits. */
function doubleText(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'nan' : value < 0 ? '-inf' : 'inf';
  const [digits, exponent] = value.toExponential(5).split('e') as [string, string];
  const power = Number(exponent);
  if (power >= -5 && power < 6) return String(Number(value.toPrecision(6)));
  const mantissa = digits.replace(/\.?0+$/, '');
  return `${mantissa}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
}

/** `1h2m3.5s`, `2.13ms`, `0`. */
function durationText({ seconds, nanos }: TimeMessage): string {
  const total = seconds * 1_000_000_000n + BigInt(nanos);
  if (total === 0n) return '0';
  const sign = total < 0n ? '-' : '';
  const size = total < 0n ? -total : total;
  if (size < 1_000n) return `${sign}${size}ns`;
  if (size < 1_000_000n) return `${sign}${decimal(size, 3)}us`;
  if (size < 1_000_000_000n) return `${sign}${decimal(size, 6)}ms`;
  const hours = size / 3_600_000_000_000n;
  const minutes = (size / 60_000_000_000n) % 60n;
  const rest = size % 60_000_000_000n;
  const parts = [
    hours > 0n ? `${hours}h` : '',
    minutes > 0n ? `${minutes}m` : '',
    rest > 0n ? `${decimal(rest, 9)}s` : '',
  ];
  return sign + parts.join('');
}

/** `value` with its last `places` digits behind the point, without closing zeros. */
function decimal(value: bigint, places: number): string {
  const text = String(value).padStart(places + 1, '0');
  const fraction = text.slice(-places).replace(/0+$/, '');
  return fraction === '' ? text.slice(0, -places) : `${text.slice(0, -places)}.${fraction}`;
}

function timestampText(time: TimeMessage): string {
  const fraction = String(time.nanos).padStart(9, '0').replace(/0+$/, '');
  return `${dateText(time)}${fraction === '' ? '' : `.${fraction}`}+00:00`;
}

function dateText({ seconds }: TimeMessage): string {
  return new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
}

function secondsText({ seconds, nanos }: TimeMessage): string {
  const sign = seconds < 0n || nanos < 0 ? '-' : '';
  return `${sign}${seconds < 0n ? -seconds : seconds}${groupedFraction(Math.abs(nanos))}`;
}

/** Nothing, or three, six or nine digits. */
function groupedFraction(nanos: number): string {
  if (nanos === 0) return '';
  const digits = String(nanos).padStart(9, '0');
  if (nanos % 1_000_000 === 0) return `.${digits.slice(0, 3)}`;
  return nanos % 1_000 === 0 ? `.${digits.slice(0, 6)}` : `.${digits}`;
}
