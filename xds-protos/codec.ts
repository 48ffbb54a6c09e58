// Messages from and to wire bytes, driven by the descriptors.
// Follows protobuf: the last value of a field wins, repeated occurrences of a message merge, a oneof holds its last member.

import type { Field, Message, MessageType } from './descriptors.ts';
import { BYTES, DecodeError, FIXED32, FIXED64, MAX_DEPTH, Reader, VARINT, Writer } from './wire.ts';

const WIRE_TYPES: Readonly<Record<string, number>> = {
  string: BYTES,
  bytes: BYTES,
  message: BYTES,
  double: FIXED64,
  fixed64: FIXED64,
  sfixed64: FIXED64,
  float: FIXED32,
  fixed32: FIXED32,
  sfixed32: FIXED32,
};

/** The wire type of one value of a field or a map key of that type. */
export function wireTypeOf(type: string): number {
  return WIRE_TYPES[type] ?? VARINT;
}

/** Decodes a whole buffer. Throws DecodeError. */
export function decodeMessage(type: MessageType, bytes: Uint8Array): Message {
  const message = type.create();
  readInto(new Reader(bytes), type, message, 0);
  return message;
}

function readInto(reader: Reader, type: MessageType, message: Message, depth: number): void {
  if (depth > MAX_DEPTH) throw new DecodeError(`nested deeper than ${MAX_DEPTH} levels`);
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    const field = type.byNumber.get(tag >>> 3);
    if (field === undefined || !readField(reader, type, field, tag & 7, message, depth)) reader.skip(tag);
  }
}

/** False when the wire type is not the field's, which makes it an unknown field. */
function readField(
  reader: Reader,
  type: MessageType,
  field: Field,
  wireType: number,
  message: Message,
  depth: number,
): boolean {
  if (field.key !== undefined) {
    if (wireType !== BYTES) return false;
    readEntry(reader, field, field.key, ownMap(message, field.name), depth);
    return true;
  }
  const expected = wireTypeOf(field.type);
  if (field.repeated) {
    if (wireType === expected) {
      ownList(message, field.name).push(readValue(reader, field, undefined, depth));
      return true;
    }
    if (wireType !== BYTES) return false;
    readPacked(reader, field, ownList(message, field.name));
    return true;
  }
  if (wireType !== expected) return false;
  message[field.name] = readValue(reader, field, message[field.name], depth);
  if (field.oneof !== undefined) clearOthers(type, field, message);
  return true;
}

function clearOthers(type: MessageType, member: Field, message: Message): void {
  for (const other of type.fields) {
    if (other.oneof === member.oneof && other !== member) delete message[other.name];
  }
}

function ownList(message: Message, name: string): unknown[] {
  if (!Object.hasOwn(message, name)) message[name] = [];
  return message[name] as unknown[];
}

function ownMap(message: Message, name: string): Message {
  if (!Object.hasOwn(message, name)) message[name] = Object.create(null);
  return message[name] as Message;
}

/** Moves the reader into a length-delimited part; the result is the end to go back to. */
function enter(reader: Reader): number {
  const outer = reader.end;
  const start = reader.delimited();
  reader.end = reader.position;
  reader.position = start;
  return outer;
}

function readPacked(reader: Reader, field: Field, into: unknown[]): void {
  const outer = enter(reader);
  while (reader.position < reader.end) into.push(readScalar(reader, field, field.type));
  reader.end = outer;
}

function readEntry(reader: Reader, field: Field, keyType: string, map: Message, depth: number): void {
  const outer = enter(reader);
  let key: unknown = keyType === 'string' ? '' : keyType === 'bool' ? false : 0;
  let value: unknown;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === ((1 << 3) | wireTypeOf(keyType))) key = readScalar(reader, field, keyType);
    else if (tag === ((2 << 3) | wireTypeOf(field.type))) value = readValue(reader, field, value, depth);
    else reader.skip(tag);
  }
  reader.end = outer;
  map[String(key)] = value ?? (field.type === 'message' ? field.message.create() : field.zero);
}

function readValue(reader: Reader, field: Field, existing: unknown, depth: number): unknown {
  if (field.type !== 'message') return readScalar(reader, field, field.type);
  const type = field.message;
  const message = existing === undefined ? type.create() : (existing as Message);
  const outer = enter(reader);
  readInto(reader, type, message, depth + 1);
  reader.end = outer;
  return message;
}

function readScalar(reader: Reader, field: Field, type: string): unknown {
  switch (type) {
    case 'string':
      return reader.string();
    case 'bool':
      return reader.varint() !== 0 || reader.high !== 0;
    case 'enum': {
      const number = reader.varint() | 0;
      return field.enum.nameOf.get(number) ?? number;
    }
    case 'uint32':
      return reader.varint();
    case 'int32':
      return reader.varint() | 0;
    case 'sint32': {
      const bits = reader.varint();
      return (bits >>> 1) ^ -(bits & 1);
    }
    case 'uint64':
      return reader.uint64();
    case 'int64':
      return BigInt.asIntN(64, reader.uint64());
    case 'sint64': {
      const bits = reader.uint64();
      return (bits >> 1n) ^ -(bits & 1n);
    }
    case 'bytes':
      return reader.bytes();
    case 'double':
      return reader.buffer.readDoubleLE(reader.skipBytes(8));
    case 'float':
      return reader.buffer.readFloatLE(reader.skipBytes(4));
    case 'fixed32':
      return reader.buffer.readUInt32LE(reader.skipBytes(4));
    case 'sfixed32':
      return reader.buffer.readInt32LE(reader.skipBytes(4));
    case 'fixed64':
      return reader.buffer.readBigUInt64LE(reader.skipBytes(8));
    case 'sfixed64':
      return reader.buffer.readBigInt64LE(reader.skipBytes(8));
    default:
      throw new TypeError(`field ${field.name} has type ${type}`);
  }
}

/** The wire bytes of a message, fields in the order of their numbers. Plain objects do as well as created messages. */
export function encodeMessage(type: MessageType, message: Message): Uint8Array {
  const writer = new Writer();
  writeFields(writer, type, message);
  return writer.finish();
}

function writeFields(writer: Writer, type: MessageType, message: Message): void {
  for (const field of type.fields) {
    const value = message[field.name];
    if (value === undefined || value === null) continue;
    if (field.key !== undefined) writeMap(writer, field, field.key, value as Message);
    else if (field.repeated) writeList(writer, field, value as readonly unknown[]);
    else if (field.presence || !isZero(field, value)) {
      writer.tag(field.number, wireTypeOf(field.type));
      writeValue(writer, field, field.type, value);
    }
  }
}

/** True for a value that proto3 does not write: zero (not -0), empty, false. */
export function isZero(field: Field, value: unknown): boolean {
  if (field.type === 'bytes') return (value as Uint8Array).length === 0;
  if (field.type === 'enum') return value === 0 || value === field.zero;
  if (typeof value === 'bigint') return value === 0n;
  return Object.is(value, 0) || (value === field.zero && typeof value !== 'number');
}

function writeList(writer: Writer, field: Field, list: readonly unknown[]): void {
  const wireType = wireTypeOf(field.type);
  if (list.length === 0) return;
  if (wireType === BYTES) {
    for (const value of list) {
      writer.tag(field.number, BYTES);
      writeValue(writer, field, field.type, value);
    }
    return;
  }
  writer.tag(field.number, BYTES);
  const start = writer.open();
  for (const value of list) writeValue(writer, field, field.type, value);
  writer.close(start);
}

function writeMap(writer: Writer, field: Field, keyType: string, map: Message): void {
  for (const key of Object.keys(map)) {
    writer.tag(field.number, BYTES);
    const start = writer.open();
    writer.tag(1, wireTypeOf(keyType));
    writeValue(writer, field, keyType, mapKey(keyType, key));
    writer.tag(2, wireTypeOf(field.type));
    writeValue(writer, field, field.type, map[key]);
    writer.close(start);
  }
}

function mapKey(type: string, key: string): unknown {
  if (type === 'string') return key;
  if (type === 'bool') return key === 'true';
  return type.endsWith('64') ? BigInt(key) : Number(key);
}

function writeValue(writer: Writer, field: Field, type: string, value: unknown): void {
  switch (type) {
    case 'message': {
      const start = writer.open();
      writeFields(writer, field.message, value as Message);
      writer.close(start);
      return;
    }
    case 'string':
      writer.string(value as string);
      return;
    case 'bytes':
      writer.bytes(value as Uint8Array);
      return;
    case 'bool':
      writer.uint32(value === true ? 1 : 0);
      return;
    case 'enum':
      writeInt32(writer, enumNumber(field, value));
      return;
    case 'int32':
      writeInt32(writer, value as number);
      return;
    case 'uint32':
      writer.uint32(value as number);
      return;
    case 'sint32':
      writer.uint32((((value as number) << 1) ^ ((value as number) >> 31)) >>> 0);
      return;
    case 'int64':
    case 'uint64':
      writer.uint64(BigInt(value as bigint));
      return;
    case 'sint64':
      writer.uint64((BigInt(value as bigint) << 1n) ^ (BigInt(value as bigint) >> 63n));
      return;
    case 'double':
      writer.double(value as number);
      return;
    case 'float':
      writer.float(value as number);
      return;
    case 'fixed32':
    case 'sfixed32':
      writer.fixed32((value as number) >>> 0);
      return;
    case 'fixed64':
    case 'sfixed64':
      writer.fixed64(BigInt(value as bigint));
      return;
    default:
      throw new TypeError(`field ${field.name} has type ${type}`);
  }
}

function writeInt32(writer: Writer, value: number): void {
  if (value < 0) writer.uint64(BigInt(value));
  else writer.uint32(value);
}

/** The number of an enum value that may be given by name. Throws TypeError for a name the enum does not have. */
export function enumNumber(field: Field, value: unknown): number {
  if (typeof value === 'number') return value;
  const number = field.enum.numberOf.get(value as string);
  if (number === undefined) throw new TypeError(`${field.enum.name} has no value '${String(value)}'`);
  return number;
}
