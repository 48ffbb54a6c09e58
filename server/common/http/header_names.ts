// Interned header names. A proxy sees the same few hundred names for ever: finding them by hash in one table spares an
// allocation and a lower-casing per header, makes later comparisons of names pointer comparisons, and says at once what
// a codec must know of a name.

import { nameBit } from './header_map.ts';

/** What a codec treats specially. */
export const KIND_REGULAR = 0;
export const KIND_HOST = 1;
export const KIND_CONTENT_LENGTH = 2;
export const KIND_TRANSFER_ENCODING = 3;
// The rest is special on HTTP/2 only.
/** Belongs to an HTTP/1 connection and must not be in an HTTP/2 message. */
export const KIND_CONNECTION_SPECIFIC = 4;
export const KIND_TE = 5;
export const KIND_COOKIE = 6;

export interface HeaderName {
  /** Lower-case. */
  readonly name: string;
  readonly hash: number;
  /** `nameBit(name)` */
  readonly bit: number;
  readonly kind: number;
  readonly hasUnderscore: boolean;
  /** The name's characters: comparing bytes with bytes is cheaper than with a string. */
  readonly characters: Uint8Array;
}

/**
 * Of every byte: its lower-case if it may stand in a header name (RFC 9110 token, which is what Envoy allows), else 0.
 */
export const TOKEN = tokenTable();

function tokenTable(): Uint8Array {
  const table = new Uint8Array(256);
  for (const character of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz") {
    table[character.charCodeAt(0)] = character.charCodeAt(0);
  }
  for (let c = 65; c <= 90; c++) table[c] = c + 32;
  return table;
}

/** Adds a (lower-case) byte to a name's hash. Scanners compute it along the way, starting from 0. */
export function addToHash(hash: number, lower: number): number {
  return (Math.imul(hash, 31) + lower) | 0;
}

const SLOTS = 1024;
/** Longer names are not kept, so that peers cannot make the table big. */
const MAX_INTERNED_LENGTH = 48;
const slots: (HeaderName | undefined)[] = new Array(SLOTS).fill(undefined);

/** The name at `bytes[start, end)`, whose characters are all TOKENs and whose hash is known. */
export function internHeaderName(bytes: Uint8Array, start: number, end: number, hash: number): HeaderName {
  const slot = (hash ^ (hash >>> 12)) & (SLOTS - 1);
  const known = slots[slot];
  if (known !== undefined && known.hash === hash && isName(known.characters, bytes, start, end)) return known;
  let name = '';
  for (let i = start; i < end; i++) name += String.fromCharCode(TOKEN[bytes[i]]);
  const header = headerName(name, hash);
  if (known === undefined && name.length <= MAX_INTERNED_LENGTH) slots[slot] = header;
  return header;
}

/** Names with equal hashes exist, and peers could make them: only the characters decide. */
function isName(characters: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  const length = characters.length;
  if (end - start !== length) return false;
  for (let i = 0; i < length; i++) {
    if (characters[i] !== TOKEN[bytes[start + i]]) return false;
  }
  return true;
}

/** The name that `text` (lower-case token characters) is. */
export function headerNameOf(text: string): HeaderName {
  let hash = 0;
  for (let i = 0; i < text.length; i++) hash = addToHash(hash, text.charCodeAt(i));
  return internHeaderName(Buffer.from(text, 'latin1'), 0, text.length, hash);
}

function headerName(name: string, hash: number): HeaderName {
  return Object.freeze({
    name,
    hash,
    bit: nameBit(name),
    kind: kindOf(name),
    hasUnderscore: name.includes('_'),
    characters: Buffer.from(name, 'latin1'),
  });
}

function kindOf(name: string): number {
  switch (name) {
    case 'host':
      return KIND_HOST;
    case 'content-length':
      return KIND_CONTENT_LENGTH;
    case 'transfer-encoding':
      return KIND_TRANSFER_ENCODING;
    case 'connection':
    case 'keep-alive':
    case 'proxy-connection':
    case 'upgrade':
      return KIND_CONNECTION_SPECIFIC;
    case 'te':
      return KIND_TE;
    case 'cookie':
      return KIND_COOKIE;
    default:
      return KIND_REGULAR;
  }
}

/** Names that most messages carry come first, so that peers cannot take their slots. */
const WELL_KNOWN_NAMES = `
  host content-length transfer-encoding connection upgrade content-type accept accept-encoding
  accept-language user-agent cookie set-cookie authorization date server cache-control etag last-modified
  expires vary location origin referer if-none-match if-modified-since range content-encoding
  content-range accept-ranges age keep-alive te trailer expect pragma via x-request-id x-forwarded-for
  x-forwarded-proto x-forwarded-host x-forwarded-client-cert x-envoy-upstream-service-time
  x-envoy-expected-rq-timeout-ms x-envoy-attempt-count x-envoy-decorator-operation x-envoy-peer-metadata
  x-envoy-peer-metadata-id x-envoy-external-address x-envoy-internal traceparent tracestate baggage
  x-b3-traceid x-b3-spanid x-b3-parentspanid x-b3-sampled b3 grpc-timeout grpc-status grpc-message
  grpc-encoding grpc-accept-encoding x-real-ip x-powered-by forwarded sec-websocket-key
  sec-websocket-version sec-websocket-protocol sec-websocket-extensions sec-websocket-accept
  sec-fetch-site sec-fetch-mode sec-fetch-dest sec-fetch-user sec-ch-ua sec-ch-ua-mobile
  sec-ch-ua-platform upgrade-insecure-requests dnt priority proxy-connection http2-settings
  strict-transport-security access-control-allow-origin access-control-request-method
  access-control-request-headers alt-svc
`;

for (const name of WELL_KNOWN_NAMES.trim().split(/\s+/)) {
  let hash = 0;
  for (let i = 0; i < name.length; i++) hash = addToHash(hash, name.charCodeAt(i));
  const slot = (hash ^ (hash >>> 12)) & (SLOTS - 1);
  if (slots[slot] === undefined) slots[slot] = headerName(name, hash);
}
