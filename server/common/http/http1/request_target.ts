// The request target: origin form, absolute form, authority form (CONNECT) and `*`.
// Envoy: source/common/http/http1/balsa_parser.cc (what passes), codec_impl.cc handlePath (what it becomes).

import type { CodecError } from '../../../api/http/codec.ts';
import type { RequestHeaders } from '../header_map.ts';
import { INVALID_SCHEME, INVALID_TARGET, INVALID_URL } from './errors.ts';

/** Methods that pass without `allow_custom_methods`: Envoy's list (MSEARCH without its dash included). */
const METHODS: ReadonlyMap<string, string> = new Map(
  (
    'ACL BIND CHECKOUT CONNECT COPY DELETE GET HEAD LINK LOCK MERGE MKACTIVITY MKCALENDAR MKCOL MOVE MSEARCH NOTIFY OPTIONS ' +
    'PATCH POST PROPFIND PROPPATCH PURGE PUT QUERY REBIND REPORT SEARCH SOURCE SUBSCRIBE TRACE UNBIND UNLINK UNLOCK UNSUBSCRIBE'
  )
    .split(' ')
    .map((method) => [method, method]),
);

/** The method as a constant string (cheap to compare ever after), or undefined when Envoy does not know it. */
export function knownMethod(method: string): string | undefined {
  if (method === 'GET') return 'GET';
  return METHODS.get(method);
}

const SLASH = 47;
const STAR = 42;

/** 1 for characters of an authority. `@` and `%` are among them, as in Envoy. */
const AUTHORITY = new Uint8Array(128);
for (const c of "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!$%&'()*+,-.:;=@[]_~") {
  AUTHORITY[c.charCodeAt(0)] = 1;
}

export function isValidAuthority(authority: string): boolean {
  for (let i = 0; i < authority.length; i++) {
    const c = authority.charCodeAt(i);
    if (c > 127 || AUTHORITY[c] === 0) return false;
  }
  return true;
}

/**
 * Writes the target (visible ASCII, not empty) into path, host and scheme. The host of an absolute target replaces the Host
 * header (RFC 9112 3.2.2). Undefined when it is good.
 */
export function applyTarget(
  headers: RequestHeaders,
  target: string,
  allowAbsoluteUrl: boolean,
): CodecError | undefined {
  if (headers.method === 'CONNECT') return applyAuthority(headers, target);
  const first = target.charCodeAt(0);
  if (first === SLASH || (first === STAR && headers.method === 'OPTIONS')) {
    headers.path = target;
    return undefined;
  }
  return applyAbsolute(headers, target, allowAbsoluteUrl);
}

function applyAuthority(headers: RequestHeaders, target: string): CodecError | undefined {
  if (!isValidAuthority(target) || !hasPort(target, true)) return INVALID_URL;
  headers.host = target;
  return undefined;
}

function applyAbsolute(
  headers: RequestHeaders,
  target: string,
  allowAbsoluteUrl: boolean,
): CodecError | undefined {
  if (target.charCodeAt(0) === STAR) return INVALID_URL;
  const schemeEnd = target.indexOf('://');
  if (schemeEnd < 1 || !isScheme(target, schemeEnd)) return INVALID_TARGET;
  let pathStart = schemeEnd + 3;
  while (pathStart < target.length && target[pathStart] !== '/' && target[pathStart] !== '?') pathStart++;
  const authority = target.slice(schemeEnd + 3, pathStart);
  if (!isValidAuthority(authority) || authority.includes('@@')) return INVALID_TARGET;
  if (!allowAbsoluteUrl) {
    headers.path = target;
    return undefined;
  }
  const scheme = target.slice(0, schemeEnd).toLowerCase();
  if (scheme !== 'http' && scheme !== 'https') return INVALID_SCHEME;
  const host = authority.slice(authority.lastIndexOf('@') + 1);
  if (host === '' || !hasPort(host, false)) return INVALID_URL;
  headers.scheme = scheme;
  headers.host = host;
  headers.path = pathStart === target.length ? '/' : target.slice(pathStart);
  return undefined;
}

function isScheme(target: string, end: number): boolean {
  for (let i = 0; i < end; i++) {
    const c = target.charCodeAt(i) | 32;
    const letter = c >= 97 && c <= 122;
    const other = i > 0 && '0123456789+-.'.includes(target[i]);
    if (!letter && !other) return false;
  }
  return true;
}

/** A host, possibly a bracketed IPv6 address, with a port of 0 to 65535 (which may be missing unless `required`). */
function hasPort(authority: string, required: boolean): boolean {
  const colon = authority.lastIndexOf(':');
  const bracket = authority.lastIndexOf(']');
  if (colon < 0 || colon < bracket) return !required;
  if (colon === 0 || (authority[0] !== '[' && authority.indexOf(':') !== colon)) return false;
  const digits = authority.length - colon - 1;
  if (digits < 1 || digits > 5) return false;
  let port = 0;
  for (let i = colon + 1; i < authority.length; i++) {
    const digit = authority.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return false;
    port = port * 10 + digit;
  }
  return port <= 65535;
}
