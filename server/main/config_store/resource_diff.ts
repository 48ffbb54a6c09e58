// What changed between two versions of a resource, as field paths with the values before and after. Elements of lists
// are compared by their `name` where all have one, so that an inserted route does not make every later one look changed.

import { toJson } from '../../../xds-protos/json.ts';
import { decode, encode } from '../../../xds-protos/load.ts';
import { redact } from '../../../xds-protos/redact.ts';
import type { Json } from '../../../xds-protos/well_known.ts';
import { at } from '../../api/config_error.ts';

export interface Difference {
  readonly path: string;
  /** Undefined when the field was added. */
  readonly before: Json | undefined;
  /** Undefined when the field was removed. */
  readonly after: Json | undefined;
}

type JsonObject = { [key: string]: Json };

/** The differences in the order of the fields. Throws DecodeError for bytes that are not such a message. */
export function diffResources(typeName: string, before: Uint8Array, after: Uint8Array): Difference[] {
  const options = { preserveProtoFieldNames: true };
  const differences: Difference[] = [];
  compare(
    toJson(typeName, decode<object>(typeName, before), options),
    toJson(typeName, decode<object>(typeName, after), options),
    '',
    differences,
  );
  return differences;
}

/** As `diffResources`, with what is sensitive shown as `[redacted]`: it is said that a key changed, not from what to what. */
export function diffRedacted(typeName: string, before: Uint8Array, after: Uint8Array): Difference[] {
  const differences = diffResources(typeName, before, after);
  if (differences.length === 0) return differences;
  const redacted = (bytes: Uint8Array): Uint8Array =>
    encode(typeName, redact(typeName, decode(typeName, bytes)));
  const shown = new Map<string, Difference>();
  for (const each of diffResources(typeName, redacted(before), redacted(after))) shown.set(each.path, each);
  return differences.map(({ path, before: old, after: young }) => {
    const safe = shown.get(path);
    if (safe !== undefined) return safe;
    const hidden = (value: Json | undefined): Json | undefined =>
      value === undefined ? undefined : '[redacted]';
    return { path, before: hidden(old), after: hidden(young) };
  });
}

function compare(before: Json | undefined, after: Json | undefined, path: string, into: Difference[]): void {
  if (before === after) return;
  if (Array.isArray(before) && Array.isArray(after)) compareLists(before, after, path, into);
  else if (isObject(before) && isObject(after)) compareObjects(before, after, path, into);
  else into.push({ path, before, after });
}

function compareObjects(before: JsonObject, after: JsonObject, path: string, into: Difference[]): void {
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    compare(before[key], after[key], at(path, key), into);
  }
}

function compareLists(before: Json[], after: Json[], path: string, into: Difference[]): void {
  const old = byName(before);
  const young = byName(after);
  if (old !== undefined && young !== undefined) {
    for (const name of new Set([...old.keys(), ...young.keys()])) {
      compare(old.get(name), young.get(name), `${path}[${name}]`, into);
    }
    return;
  }
  for (let i = 0; i < Math.max(before.length, after.length); i++) {
    compare(before[i], after[i], at(path, i), into);
  }
}

/** The elements by their names, or undefined when some have none or two have the same. */
function byName(list: Json[]): Map<string, Json> | undefined {
  const named = new Map<string, Json>();
  for (const element of list) {
    if (!isObject(element) || typeof element['name'] !== 'string' || named.has(element['name'])) {
      return undefined;
    }
    named.set(element['name'], element);
  }
  return named;
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
