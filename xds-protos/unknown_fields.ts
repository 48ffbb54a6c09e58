// Finds fields in wire bytes that this build has no declaration for, as Envoy counts them for dynamic configuration.
// Looks into nested messages and into every Any of a known type.

import { wireTypeOf } from './codec.ts';
import type { Field, MessageType } from './descriptors.ts';
import { hasType, messageType } from './descriptors.ts';
import { BYTES, DecodeError, MAX_DEPTH, Reader } from './wire.ts';

const ANY = 'google.protobuf.Any';

/** Paths such as `filter_chains[0].filters[1].typed_config.#9`: unknown fields end in `#` and their number. */
export function unknownFields(typeName: string, bytes: Uint8Array): string[] {
  const found: string[] = [];
  walk(new Reader(bytes), messageType(typeName), '', 0, found);
  return found;
}

function walk(reader: Reader, type: MessageType, path: string, depth: number, found: string[]): void {
  if (depth > MAX_DEPTH) throw new DecodeError(`nested deeper than ${MAX_DEPTH} levels`);
  if (type.name === ANY) {
    walkAny(reader, path, depth, found);
    return;
  }
  const seen = new Map<Field, number>();
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    const field = type.byNumber.get(tag >>> 3);
    const wireType = tag & 7;
    if (field === undefined || !takes(field, wireType)) {
      found.push(join(path, `#${tag >>> 3}`));
      reader.skip(tag);
    } else if (field.type === 'message' && wireType === BYTES) {
      const index = seen.get(field) ?? 0;
      seen.set(field, index + 1);
      const here = join(path, field.name);
      if (field.key !== undefined) walkEntry(reader, field, field.key, here, depth, found);
      else inside(reader, field.message, field.repeated ? `${here}[${index}]` : here, depth, found);
    } else reader.skip(tag);
  }
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}

function takes(field: Field, wireType: number): boolean {
  if (field.key !== undefined) return wireType === BYTES;
  return wireType === wireTypeOf(field.type) || (field.repeated && wireType === BYTES);
}

/** Walks the message that the reader stands before. */
function inside(reader: Reader, type: MessageType, path: string, depth: number, found: string[]): void {
  const start = reader.delimited();
  const outer = reader.end;
  reader.end = reader.position;
  reader.position = start;
  walk(reader, type, path, depth + 1, found);
  reader.end = outer;
}

function walkEntry(
  reader: Reader,
  field: Field,
  keyType: string,
  path: string,
  depth: number,
  found: string[],
): void {
  const start = reader.delimited();
  const outer = reader.end;
  reader.end = reader.position;
  reader.position = start;
  let key = '';
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === ((1 << 3) | BYTES) && keyType === 'string') key = reader.string();
    else if (tag === ((2 << 3) | BYTES)) inside(reader, field.message, join(path, key), depth, found);
    else reader.skip(tag);
  }
  reader.end = outer;
}

function walkAny(reader: Reader, path: string, depth: number, found: string[]): void {
  let url = '';
  let value: Uint8Array = new Uint8Array(0);
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === ((1 << 3) | BYTES)) url = reader.string();
    else if (tag === ((2 << 3) | BYTES)) value = reader.bytes();
    else reader.skip(tag);
  }
  const name = url.slice(url.lastIndexOf('/') + 1);
  if (hasType(name)) walk(new Reader(value), messageType(name), path, depth + 1, found);
}
