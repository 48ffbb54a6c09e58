// The scalar types of proto3 JSON: ranges, strings that hold numbers, NaN and the infinities.
// A reader returns its value, or throws ScalarError with protobuf's wording; the caller knows the path.

import { parseBase64 } from './json_well_known.ts';

/** Why a JSON value is not one of the scalar type. */
export class ScalarError extends Error {}

const RANGES: Readonly<Record<string, readonly [bigint, bigint]>> = {
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  uint32: [0n, 2n ** 32n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
};

const MAX_FLOAT = 3.4028234663852886e38;

function rangeOf(type: string): readonly [bigint, bigint] {
  if (type === 'fixed32' || type === 'fixed64') return RANGES[`uint${type.slice(5)}`]!;
  return RANGES[type.startsWith('u') ? type : `int${type.slice(-2)}`]!;
}

/** What kind of JSON a value is, for messages. */
export function kindOf(json: unknown): string {
  if (json === null) return 'null';
  return Array.isArray(json) ? 'array' : typeof json;
}

/** A scalar field's value from JSON. Throws ScalarError. */
export function readScalar(type: string, json: unknown): unknown {
  switch (type) {
    case 'string':
      if (typeof json !== 'string') throw new ScalarError(`expected string, got ${kindOf(json)}`);
      if (!json.isWellFormed()) throw new ScalarError('string contains an unpaired surrogate');
      return json;
    case 'bool':
      return readBool(json);
    case 'bytes':
      return readBytes(json);
    case 'double':
      return readNumber(json);
    case 'float':
      return readFloat(json);
    default:
      return readInteger(type, json);
  }
}

// The strings are what Envoy's (legacy) JSON parser takes.
function readBool(json: unknown): boolean {
  if (typeof json === 'boolean') return json;
  if (typeof json === 'string') {
    if (/^(true|t|yes|y|1)$/i.test(json)) return true;
    if (/^(false|f|no|n|0)$/i.test(json)) return false;
  }
  throw new ScalarError("expected 'true' or 'false'");
}

function readBytes(json: unknown): Uint8Array {
  if (typeof json !== 'string') throw new ScalarError(`expected base64 string, got ${kindOf(json)}`);
  const bytes = parseBase64(json);
  if (bytes === undefined) throw new ScalarError('corrupt base64');
  return bytes;
}

function readNumber(json: unknown): number {
  if (typeof json === 'number') return json;
  if (typeof json === 'bigint') return Number(json);
  if (typeof json !== 'string') throw new ScalarError(`expected number or string, got ${kindOf(json)}`);
  if (json === 'NaN') return Number.NaN;
  if (json === 'Infinity') return Number.POSITIVE_INFINITY;
  if (json === '-Infinity') return Number.NEGATIVE_INFINITY;
  if (!/^-?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(json)) throw new ScalarError(`invalid number: '${json}'`);
  const value = Number(json);
  if (!Number.isFinite(value)) throw new ScalarError(`number out of range: '${json}'`);
  return value;
}

function readFloat(json: unknown): number {
  const value = readNumber(json);
  if (Number.isFinite(value) && Math.abs(value) > MAX_FLOAT) throw new ScalarError('float out of range');
  return Math.fround(value);
}

function readInteger(type: string, json: unknown): number | bigint {
  const value = typeof json === 'string' && /^-?\d+$/.test(json) ? BigInt(json) : wholeOf(json);
  const [least, most] = rangeOf(type);
  if (value < least || value > most) throw new ScalarError('integer out of range');
  return type.endsWith('64') ? value : Number(value);
}

function wholeOf(json: unknown): bigint {
  if (typeof json === 'bigint') return json;
  const value = readNumber(json);
  if (Number.isInteger(value)) return BigInt(value);
  throw new ScalarError('expected integer, but JSON number had fractional part');
}

/** A double as JSON; the values that JSON numbers lack as strings. */
export function writeNumber(value: number): number | string {
  return Number.isFinite(value) ? value : String(value);
}

/** The shortest decimal that is this float: 0.1, not 0.10000000149011612. */
export function writeFloat(value: number): number | string {
  if (!Number.isFinite(value)) return String(value);
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return Number(value.toPrecision(9));
}
