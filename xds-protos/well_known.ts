// Reads google.protobuf's well-known messages into plain values.
// Absent messages stay undefined, so a default is written with `??` where Envoy's documentation states it.

import type { Duration, ListValue, Struct, Timestamp, Value } from './generated/google/protobuf.ts';

/** JSON as JSON.parse gives it. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** A 64-bit integer as a number; exact up to 2^53. */
export function toNumber(value: bigint | number): number {
  return Number(value);
}

/** Milliseconds, fractions kept. */
export function durationMs(duration: Duration): number;
export function durationMs(duration: Duration | undefined): number | undefined;
export function durationMs(duration: Duration | undefined): number | undefined {
  return duration === undefined ? undefined : Number(duration.seconds) * 1e3 + duration.nanos / 1e6;
}

/** Milliseconds since 1970, fractions kept. */
export function timestampMs(timestamp: Timestamp): number;
export function timestampMs(timestamp: Timestamp | undefined): number | undefined;
export function timestampMs(timestamp: Timestamp | undefined): number | undefined {
  return timestamp === undefined ? undefined : Number(timestamp.seconds) * 1e3 + timestamp.nanos / 1e6;
}

/** The Duration of a count of milliseconds, to the nanosecond. */
export function durationOf(milliseconds: number): Duration {
  const seconds = Math.trunc(milliseconds / 1e3);
  return { seconds: BigInt(seconds), nanos: Math.round((milliseconds - seconds * 1e3) * 1e6) };
}

/** The Timestamp of a count of milliseconds since 1970, as Date.now() gives it. */
export function timestampOf(milliseconds: number): Timestamp {
  const seconds = Math.floor(milliseconds / 1e3);
  return { seconds: BigInt(seconds), nanos: Math.floor((milliseconds - seconds * 1e3) * 1e6) };
}

/** What a wrapper (UInt32Value, BoolValue, …) holds; undefined when there is no wrapper. */
export function wrapperValue<T>(wrapper: { readonly value: T } | undefined): T | undefined {
  return wrapper?.value;
}

/** A Struct as the JSON object it stands for. */
export function structToJson(struct: Struct): { [key: string]: Json } {
  // Object.fromEntries makes an own property of any key, `__proto__` too.
  return Object.fromEntries(Object.entries(struct.fields).map(([key, value]) => [key, valueToJson(value)]));
}

/** A ListValue as the JSON array it stands for. */
export function listToJson(list: ListValue): Json[] {
  return list.values.map(valueToJson);
}

/** A Value as the JSON it stands for; a Value with no kind is null. */
export function valueToJson(value: Value): Json {
  if (value.struct_value !== undefined) return structToJson(value.struct_value);
  if (value.list_value !== undefined) return listToJson(value.list_value);
  return value.string_value ?? value.number_value ?? value.bool_value ?? null;
}
