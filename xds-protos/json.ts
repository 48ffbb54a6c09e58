// Proto3 JSON both ways, by https://protobuf.dev/programming-guides/json and Envoy's reading of it.
// Input is JSON.parse's or a YAML parser's output; errors are ConfigErrors with the path of the field.

import type { Message } from './descriptors.ts';
import { messageType } from './descriptors.ts';
import type { TypeMap } from './generated/type_map.ts';
import { JsonReader } from './json_read.ts';
import { writeMessage } from './json_write.ts';
import type { Json } from './well_known.ts';

export type { Json };

export interface FromJsonOptions {
  /** The path of `json` itself, put before every path in errors. */
  readonly path?: string;
  /** Where the paths of unknown fields and enum values are put. Without it the first one is an error. */
  readonly unknownFields?: string[];
}

export interface ToJsonOptions {
  /** snake_case, as Envoy prints everything. */
  readonly preserveProtoFieldNames?: boolean;
  /** Prints fields without presence even when they hold their default, empty lists and maps too. */
  readonly alwaysPrintPrimitiveFields?: boolean;
}

/** The message that `json` describes. Throws ConfigError, and UnknownTypeError for `typeName` or an `@type`. */
export function fromJson<K extends keyof TypeMap>(
  typeName: K,
  json: unknown,
  options?: FromJsonOptions,
): TypeMap[K];
export function fromJson<T = Message>(typeName: string, json: unknown, options?: FromJsonOptions): T;
export function fromJson(typeName: string, json: unknown, options: FromJsonOptions = {}): Message {
  const reader = new JsonReader(options.path ?? '', options.unknownFields);
  return reader.message(messageType(typeName), json);
}

/** The JSON of a message; an Any whose type is not known becomes its `@type` and base64 `value`. */
export function toJson(typeName: string, message: object, options: ToJsonOptions = {}): Json {
  return writeMessage(messageType(typeName), message as Message, options);
}
