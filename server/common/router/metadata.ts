// google.protobuf.Struct and envoy.config.core.v3.Metadata as plain frozen JSON.

import type { Metadata } from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import type { Struct, Value } from '../../../xds-protos/generated/google/protobuf.ts';

export type PlainStruct = Readonly<Record<string, unknown>>;

export function plainStruct(struct: Struct): PlainStruct {
  const entries = Object.entries(struct.fields).map(([key, value]) => [key, plainValue(value)]);
  return Object.freeze(Object.fromEntries(entries));
}

function plainValue(value: Value): unknown {
  if (value.struct_value !== undefined) return plainStruct(value.struct_value);
  if (value.list_value !== undefined) return Object.freeze(value.list_value.values.map(plainValue));
  return value.string_value ?? value.number_value ?? value.bool_value ?? null;
}

/** filter_metadata by namespace; undefined where there is none. */
export function plainMetadata(
  metadata: Metadata | undefined,
): Readonly<Record<string, PlainStruct>> | undefined {
  if (metadata === undefined) return undefined;
  const entries = Object.entries(metadata.filter_metadata).map(([name, struct]) => [
    name,
    plainStruct(struct),
  ]);
  return Object.freeze(Object.fromEntries(entries));
}
