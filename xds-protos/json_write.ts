// Messages into proto3 JSON, fields in the order of their numbers.

import { decodeMessage, isZero } from './codec.ts';
import type { Field, Message, MessageType } from './descriptors.ts';
import { hasType, messageType } from './descriptors.ts';
import type { ToJsonOptions } from './json.ts';
import { hasOwnJson, isWrapper } from './json_read.ts';
import { writeFloat, writeNumber } from './json_scalars.ts';
import type { SecondsAndNanos } from './json_well_known.ts';
import { formatBase64, formatDuration, formatFieldMask, formatTimestamp } from './json_well_known.ts';
import type { Json } from './well_known.ts';
import { listToJson, structToJson, valueToJson } from './well_known.ts';

/** The JSON of a message of any type, well-known ones in their own form. */
export function writeMessage(type: MessageType, message: Message, options: ToJsonOptions): Json {
  if (!type.name.startsWith('google.protobuf.')) return writeFields(type, message, options);
  if (isWrapper(type.name)) {
    const field = type.byName.get('value')!;
    return writeOne(field, message['value'] ?? field.zero, options);
  }
  switch (type.name.slice('google.protobuf.'.length)) {
    case 'Any':
      return writeAny(message, options);
    case 'Duration':
      return formatDuration(secondsAndNanos(message));
    case 'Timestamp':
      return formatTimestamp(secondsAndNanos(message));
    case 'FieldMask':
      return formatFieldMask((message['paths'] ?? []) as readonly string[]);
    case 'Struct':
      return structToJson(message as never);
    case 'ListValue':
      return listToJson(message as never);
    case 'Value':
      return valueToJson(message as never);
    default:
      return writeFields(type, message, options);
  }
}

function secondsAndNanos(message: Message): SecondsAndNanos {
  return {
    seconds: BigInt((message['seconds'] ?? 0n) as bigint),
    nanos: (message['nanos'] ?? 0) as number,
  };
}

function writeFields(type: MessageType, message: Message, options: ToJsonOptions): { [key: string]: Json } {
  const json: { [key: string]: Json } = {};
  for (const field of type.fields) {
    const value = message[field.name] ?? undefined;
    if (isOmitted(field, value, options)) continue;
    const key = options.preserveProtoFieldNames ? field.name : field.jsonName;
    json[key] = writeField(field, value ?? emptyOf(field), options);
  }
  return json;
}

function isOmitted(field: Field, value: unknown, options: ToJsonOptions): boolean {
  if (field.presence) return value === undefined;
  if (options.alwaysPrintPrimitiveFields) return false;
  if (value === undefined) return true;
  if (field.key !== undefined) return Object.keys(value as Message).length === 0;
  return field.repeated ? (value as readonly unknown[]).length === 0 : isZero(field, value);
}

/** What a plain object that was not made by create() leaves out. */
function emptyOf(field: Field): unknown {
  if (field.key !== undefined) return {};
  return field.repeated ? [] : field.zero;
}

function writeField(field: Field, value: unknown, options: ToJsonOptions): Json {
  if (field.repeated)
    return (value as readonly unknown[]).map((element) => writeOne(field, element, options));
  if (field.key === undefined) return writeOne(field, value, options);
  const entries = Object.entries(value as Message);
  // Object.fromEntries makes an own property of any key, `__proto__` too.
  return Object.fromEntries(entries.map(([key, element]) => [key, writeOne(field, element, options)]));
}

function writeOne(field: Field, value: unknown, options: ToJsonOptions): Json {
  switch (field.type) {
    case 'message':
      return writeMessage(field.message, value as Message, options);
    case 'enum':
      return field.enum.name === 'google.protobuf.NullValue' ? null : writeEnum(field, value);
    case 'bytes':
      return formatBase64(value as Uint8Array);
    case 'double':
      return writeNumber(value as number);
    case 'float':
      return writeFloat(value as number);
    default:
      return typeof value === 'bigint' || field.type.endsWith('64') ? String(value) : (value as Json);
  }
}

function writeEnum(field: Field, value: unknown): Json {
  return typeof value === 'number' ? (field.enum.nameOf.get(value) ?? value) : (value as string);
}

function writeAny(any: Message, options: ToJsonOptions): Json {
  const url = (any['type_url'] ?? '') as string;
  const value = (any['value'] ?? new Uint8Array(0)) as Uint8Array;
  if (url === '' && value.length === 0) return {};
  const name = url.slice(url.lastIndexOf('/') + 1);
  if (!hasType(name)) return { '@type': url, value: formatBase64(value) };
  const type = messageType(name);
  const message = decodeMessage(type, value);
  if (hasOwnJson(name)) return { '@type': url, value: writeMessage(type, message, options) };
  return { '@type': url, ...writeFields(type, message, options) };
}
