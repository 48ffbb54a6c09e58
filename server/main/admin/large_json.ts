// Messages of megabytes as JSON in steps: a route configuration of istiod may have tens of thousands of routes, which would keep the
// main thread for half a second. Protobuf allows to read a message piece by piece, and so the pieces become JSON by themselves.

import { type MessageType, messageType } from '../../../xds-protos/descriptors.ts';
import { type Json, toJson } from '../../../xds-protos/json.ts';
import { type Any, decode, hasType, typeNameOf } from '../../../xds-protos/load.ts';
import { redact } from '../../../xds-protos/redact.ts';
import { BYTES, Reader } from '../../../xds-protos/wire.ts';
import type { Steps } from '../../common/event/steps.ts';
import { prettyJson } from './handler.ts';

type JsonObject = { [key: string]: Json };

/** Bytes that become JSON in one step: a millisecond or so. */
const STEP_BYTES = 16 * 1024;
/** Values of JSON that are printed in one step. */
const STEP_VALUES = 1000;
const ANY = 'google.protobuf.Any';
const OPTIONS = { preserveProtoFieldNames: true };

/** Whether it is worth it. */
export function isLarge(bytes: Uint8Array): boolean {
  return bytes.length > STEP_BYTES;
}

/** The JSON of a message's wire bytes, without its secrets. Throws DecodeError. */
export function redactedJson(typeName: string, bytes: Uint8Array): Steps<JsonObject> {
  return messageJson(messageType(typeName), bytes);
}

function* messageJson(type: MessageType, bytes: Uint8Array): Steps<JsonObject> {
  if (!isLarge(bytes)) return wholeJson(type.name, bytes);
  if (type.name === ANY) return yield* anyJson(bytes);
  const json: JsonObject = {};
  const reader = new Reader(bytes);
  let begin = 0;
  let before = 0;
  for (let tag = reader.tag(); tag !== 0; before = reader.position, tag = reader.tag()) {
    const field = type.byNumber.get(tag >>> 3);
    let divided: Uint8Array | undefined;
    if ((tag & 7) === BYTES) {
      const start = reader.delimited();
      const body = bytes.subarray(start, reader.position);
      if (
        field?.type === 'message' &&
        field.key === undefined &&
        !field.sensitive &&
        isLarge(body) &&
        isDivisible(field.message)
      )
        divided = body;
    } else reader.skip(tag);
    if (divided !== undefined || reader.position - begin > STEP_BYTES) {
      const end = divided === undefined ? reader.position : before;
      if (end > begin) merge(json, wholeJson(type.name, bytes.subarray(begin, end)));
      begin = reader.position;
      yield '';
    }
    if (divided === undefined || field === undefined) continue;
    const part = yield* messageJson(field.message, divided);
    merge(json, { [field.name]: field.repeated ? [part] : part });
  }
  if (bytes.length > begin) merge(json, wholeJson(type.name, bytes.subarray(begin)));
  return inOrder(type, json);
}

function* anyJson(bytes: Uint8Array): Steps<JsonObject> {
  const { type_url, value } = decode(ANY, bytes) as Any;
  const name = typeNameOf(type_url);
  if (!hasType(name) || !isDivisible(messageType(name))) return wholeJson(ANY, bytes);
  return { '@type': type_url, ...(yield* messageJson(messageType(name), value)) };
}

/** Those whose JSON is an object of their fields, and whose fields are redacted each for itself. */
function isDivisible({ name }: MessageType): boolean {
  return name === ANY || !(name.startsWith('google.protobuf.') || name.endsWith('.TypedStruct'));
}

function wholeJson(typeName: string, bytes: Uint8Array): JsonObject {
  return toJson(typeName, redact(typeName, decode<object>(typeName, bytes)), OPTIONS) as JsonObject;
}

/** As protobuf does: lists grow, the last of single fields counts. */
function merge(into: JsonObject, part: JsonObject): void {
  for (const [name, value] of Object.entries(part)) {
    const before = into[name];
    if (Array.isArray(before) && Array.isArray(value)) for (const each of value) before.push(each);
    else into[name] = value;
  }
}

function inOrder(type: MessageType, json: JsonObject): JsonObject {
  const ordered: JsonObject = {};
  for (const { name } of type.fields) if (json[name] !== undefined) ordered[name] = json[name];
  return ordered;
}

/** Is it so much that it is better printed in pieces? */
export function isLong(json: Json): boolean {
  return valuesLeft(json, STEP_VALUES) < 0;
}

/** As `prettyJson` prints it so deep inside, without a line feed at the end. */
export function* prettyPieces(json: Json, depth: number): Generator<string> {
  const indent = ' '.repeat(depth);
  if (typeof json !== 'object' || json === null || !isLong(json)) {
    yield prettyJson(json).slice(0, -1).replaceAll('\n', `\n${indent}`);
    return;
  }
  let start = Array.isArray(json) ? '[' : '{';
  for (const key of keysOf(json)) {
    yield `${start}\n${indent} ${typeof key === 'string' ? `${prettyJson(key).slice(0, -1)}: ` : ''}`;
    yield* prettyPieces((json as JsonObject)[key] as Json, depth + 1);
    start = ',';
  }
  yield `\n${indent}${Array.isArray(json) ? ']' : '}'}`;
}

/** As JSON.stringify prints it. */
export function* plainPieces(json: Json): Generator<string> {
  if (typeof json !== 'object' || json === null || !isLong(json)) {
    yield JSON.stringify(json);
    return;
  }
  let start = Array.isArray(json) ? '[' : '{';
  for (const key of keysOf(json)) {
    yield `${start}${typeof key === 'string' ? `${JSON.stringify(key)}:` : ''}`;
    yield* plainPieces((json as JsonObject)[key] as Json);
    start = ',';
  }
  yield Array.isArray(json) ? ']' : '}';
}

/** Places of a list, names of an object. */
function keysOf(json: Json & object): Iterable<string | number> {
  return Array.isArray(json) ? json.keys() : Object.keys(json);
}

/** How many of `limit` values are left, below 0 when there are more. */
function valuesLeft(json: Json, limit: number): number {
  if (typeof json !== 'object' || json === null) return limit - 1;
  let left = limit - 1;
  for (const key of keysOf(json)) {
    left = valuesLeft((json as JsonObject)[key] as Json, left);
    if (left < 0) return left;
  }
  return left;
}
