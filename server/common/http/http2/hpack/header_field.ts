// One header field as HPACK tables hold it: besides name and value, what the codec must know of it. That is found out once,
// when the field is made; a field that comes as an index costs no look at its characters.
// What is valid: RFC 9113 8.2 and 8.3, as far as Envoy holds peers to it (source: nghttp2 and oghttp2's header validation).

import { type HeaderName, headerNameOf, TOKEN } from '../../header_names.ts';

// Kinds of pseudo-headers follow those of regular names (header_names.ts).
export const KIND_METHOD = 7;
export const KIND_SCHEME = 8;
export const KIND_AUTHORITY = 9;
export const KIND_PATH = 10;
export const KIND_PROTOCOL = 11;
export const KIND_STATUS = 12;
export const KIND_UNKNOWN_PSEUDO = 13;
/** Kinds from here on are pseudo-headers. */
export const FIRST_PSEUDO_KIND = KIND_METHOD;

/** Bytes that an entry of a table counts besides its name and value. Source: RFC 7541 4.1. */
export const ENTRY_OVERHEAD = 32;

export class HeaderField {
  readonly name: string;
  /** latin1 */
  readonly value: string;
  /** `nameBit(name)` */
  readonly bit: number;
  readonly kind: number;
  readonly hasUnderscore: boolean;
  /** The name is a lower-case token or a known pseudo-header, and the value has no forbidden characters. */
  readonly valid: boolean;
  /** Bytes in a table. */
  readonly size: number;

  constructor(
    name: string,
    value: string,
    bit: number,
    kind: number,
    hasUnderscore: boolean,
    validName: boolean,
  ) {
    this.name = name;
    this.value = value;
    this.bit = bit;
    this.kind = kind;
    this.hasUnderscore = hasUnderscore;
    this.valid = validName && isValidValue(kind, value);
    this.size = name.length + value.length + ENTRY_OVERHEAD;
  }

  /** A field with the same name. */
  withValue(value: string): HeaderField {
    return new HeaderField(this.name, value, this.bit, this.kind, this.hasUnderscore, this.validName);
  }

  private get validName(): boolean {
    return this.kind !== KIND_UNKNOWN_PSEUDO;
  }
}

const PSEUDO_KINDS: ReadonlyMap<string, number> = new Map([
  [':method', KIND_METHOD],
  [':scheme', KIND_SCHEME],
  [':authority', KIND_AUTHORITY],
  [':path', KIND_PATH],
  [':protocol', KIND_PROTOCOL],
  [':status', KIND_STATUS],
]);

/** A field whose name is text. Names that are no lower-case tokens become unknown pseudo-headers, which nobody accepts. */
export function namedField(name: string, value: string): HeaderField {
  const pseudo = PSEUDO_KINDS.get(name);
  if (pseudo !== undefined) return new HeaderField(name, value, 0, pseudo, false, true);
  if (!isLowerCaseToken(name)) return new HeaderField(name, value, 0, KIND_UNKNOWN_PSEUDO, false, false);
  return fieldOf(headerNameOf(name), value);
}

export function fieldOf(name: HeaderName, value: string): HeaderField {
  return new HeaderField(name.name, value, name.bit, name.kind, name.hasUnderscore, true);
}

function isLowerCaseToken(name: string): boolean {
  for (let i = 0; i < name.length; i++) {
    const c = name.charCodeAt(i);
    if (c > 255 || TOKEN[c] !== c || c === 0) return false;
  }
  return name !== '';
}

/** 1: any value. 2: besides, a path. 4: an authority. 8: a scheme. 16: a method. */
const CHARACTERS = characterTable();

function characterTable(): Uint8Array {
  const table = new Uint8Array(256);
  for (let c = 0; c < 256; c++) {
    if (c === 9 || (c >= 32 && c !== 127)) table[c] |= 1;
    // RFC 3986 has fewer; Envoy lets pass what is visible, and bytes above ASCII.
    if (c > 32 && c !== 127) table[c] |= 2;
    if (TOKEN[c] !== 0) table[c] |= 16;
  }
  const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';
  // No userinfo: it has no place in a request (RFC 9113 8.3.1).
  for (const c of `${letters}!$%&'()*+,-.:;=[]_~`) table[c.charCodeAt(0)] |= 4;
  for (const c of `${letters}+-.`) table[c.charCodeAt(0)] |= 8;
  return table;
}

function isValidValue(kind: number, value: string): boolean {
  switch (kind) {
    case KIND_METHOD:
      return value !== '' && consistsOf(value, 16);
    case KIND_SCHEME:
      return value !== '' && consistsOf(value, 8);
    case KIND_AUTHORITY:
      return value !== '' && consistsOf(value, 4);
    case KIND_PATH:
      return value !== '' && consistsOf(value, 2);
    case KIND_STATUS:
      return isStatus(value);
    default:
      return consistsOf(value, 1);
  }
}

function consistsOf(value: string, characters: number): boolean {
  for (let i = 0; i < value.length; i++) {
    if ((CHARACTERS[value.charCodeAt(i)] & characters) === 0) return false;
  }
  return true;
}

function isStatus(value: string): boolean {
  if (value.length !== 3) return false;
  for (let i = 0; i < 3; i++) {
    const c = value.charCodeAt(i);
    if (c < 48 || c > 57) return false;
  }
  return value >= '100';
}
