// JSON as Envoy's access logs print it, in byte text: strings escaped as they are, values with sorted keys.
// Envoy: source/common/json/json_sanitizer.cc, json_streamer.h.

import { isUtf8 } from 'node:buffer';
import { latin1Of } from '../matcher/latin1.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SHORT_ESCAPES = new Map([
  [0x08, '\\b'],
  [0x09, '\\t'],
  [0x0a, '\\n'],
  [0x0c, '\\f'],
  [0x0d, '\\r'],
  [QUOTE, '\\"'],
  [BACKSLASH, '\\\\'],
]);

/** Byte text as a JSON string. Text that is not UTF-8 is printed with `\u00xx` for each byte that is not plain ASCII. */
export function jsonString(text: string): string {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x20 || code > 0x7e || code === QUOTE || code === BACKSLASH) return escapedString(text);
  }
  return `"${text}"`;
}

function escapedString(text: string): string {
  const valid = isUtf8(Buffer.from(text, 'latin1'));
  let json = '"';
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const plain = code >= 0x20 && code < 0x7f && code !== QUOTE && code !== BACKSLASH;
    if (plain || (valid && code >= 0x7f)) json += text[i];
    else json += (valid && SHORT_ESCAPES.get(code)) || `\\u${code.toString(16).padStart(4, '0')}`;
  }
  return `${json}"`;
}

/** A plain JSON value (strings as JavaScript text) as byte text with the keys of objects sorted. */
export function jsonValue(value: unknown): string {
  if (typeof value === 'string') return jsonString(latin1Of(value));
  if (Array.isArray(value)) return `[${value.map(jsonValue).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const fields = Object.entries(value).sort(([a], [b]) => compareBytes(a, b));
  return `{${fields.map(([key, field]) => `${jsonString(latin1Of(key))}:${jsonValue(field)}`).join(',')}}`;
}

/** As %METADATA(...)% prints a value in a text format: strings bare. */
export function plainValue(value: unknown): string {
  return typeof value === 'string' ? latin1Of(value) : jsonValue(value);
}

/** Order of UTF-8 bytes, which is how a C++ map sorts its keys. */
export function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
