// Turns the Struct of a static or RTDS layer into flat runtime keys: nested objects join with dots, an object with a
// numerator or a denominator is a FractionalPercent. Envoy: source/common/runtime/runtime_impl.cc, walkProtoValue.

import type { Struct, Value } from '../../../xds-protos/generated/google/protobuf.ts';
import { structToJson } from '../../../xds-protos/well_known.ts';
import { ConfigError } from '../../api/config_error.ts';
import type { RuntimeValue } from './runtime.ts';

/** Flat keys of a layer. Throws ConfigError for lists and nulls, which the runtime has no use for. */
export function flattenLayer(struct: Struct, path: string): Map<string, RuntimeValue> {
  const values = new Map<string, RuntimeValue>();
  for (const [key, value] of Object.entries(struct.fields)) flatten(key, value, values, path);
  return values;
}

function flatten(key: string, value: Value, into: Map<string, RuntimeValue>, path: string): void {
  const struct = value.struct_value;
  if (struct === undefined) {
    const scalar = value.string_value ?? value.number_value ?? value.bool_value;
    if (scalar === undefined) throw new ConfigError(path, `Invalid runtime entry value for ${key}`);
    into.set(key, scalar);
  } else if ('numerator' in struct.fields || 'denominator' in struct.fields) {
    into.set(key, JSON.stringify(structToJson(struct)));
  } else {
    for (const [name, inner] of Object.entries(struct.fields)) flatten(`${key}.${name}`, inner, into, path);
  }
}
