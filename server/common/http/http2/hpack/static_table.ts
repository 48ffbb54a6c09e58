// The static table of HPACK. Source: RFC 7541 appendix A.

import { type HeaderField, namedField } from './header_field.ts';

const ENTRIES = `
:authority
:method GET
:method POST
:path /
:path /index.html
:scheme http
:scheme https
:status 200
:status 204
:status 206
:status 304
:status 400
:status 404
:status 500
accept-charset
accept-encoding gzip, deflate
accept-language
accept-ranges
accept
access-control-allow-origin
age
allow
authorization
cache-control
content-disposition
content-encoding
content-language
content-length
content-location
content-range
content-type
cookie
date
etag
expect
expires
from
host
if-match
if-modified-since
if-none-match
if-range
if-unmodified-since
last-modified
link
location
max-forwards
proxy-authenticate
proxy-authorization
range
referer
refresh
retry-after
server
set-cookie
strict-transport-security
transfer-encoding
user-agent
vary
via
www-authenticate
`;

/** By index, 1 to 61; index 0 is none. */
export const STATIC_TABLE: readonly HeaderField[] = Object.freeze([
  namedField('unused', ''),
  ...ENTRIES.trim()
    .split('\n')
    .map((entry) => {
      const space = entry.indexOf(' ');
      return space < 0 ? namedField(entry, '') : namedField(entry.slice(0, space), entry.slice(space + 1));
    }),
]);

/** The first index of the dynamic table. */
export const FIRST_DYNAMIC_INDEX = STATIC_TABLE.length;

/** What the static table has of one name. */
export interface StaticName {
  /** The first entry with this name. */
  readonly index: number;
  /** Values other than `''` and their indices. */
  readonly values: readonly string[];
  readonly indices: readonly number[];
}

export const STATIC_NAMES: ReadonlyMap<string, StaticName> = staticNames();

function staticNames(): Map<string, StaticName> {
  const names = new Map<string, { index: number; values: string[]; indices: number[] }>();
  for (let index = 1; index < STATIC_TABLE.length; index++) {
    const { name, value } = STATIC_TABLE[index];
    let known = names.get(name);
    if (known === undefined) names.set(name, (known = { index, values: [], indices: [] }));
    if (value === '') continue;
    known.values.push(value);
    known.indices.push(index);
  }
  return names;
}
