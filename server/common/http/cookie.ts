// Cookies of a request, and those that the proxy sets. Envoy: Utility::parseCookieValue and makeSetCookieValue in
// source/common/http/utility.cc.

import type { RequestHeaderMap } from '../../api/http/header_map.ts';
import { latin1Of } from '../matcher/latin1.ts';

/** A cookie to be set, as several messages describe it. */
export interface CookieAttributes {
  readonly path: string;
  readonly attributes: readonly { readonly name: string; readonly value: string }[];
}

/** The first cookie of this name without quotes around its value, undefined when there is none. */
export function cookieValue(headers: RequestHeaderMap, name: string): string | undefined {
  if (!headers.has('cookie')) return undefined;
  const list = headers.list;
  for (let i = 0; i < list.length; i += 2) {
    if (list[i] !== 'cookie') continue;
    for (const part of list[i + 1].split(';')) {
      const cookie = part.replace(/^ +/, '');
      if (!cookie.startsWith(name) || cookie[name.length] !== '=') continue;
      const value = cookie.slice(name.length + 1);
      return value.length >= 2 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
    }
  }
  return undefined;
}

/** What follows the value in set-cookie. `maxAge`: seconds; 0n = as long as the browser's session. */
export function cookieSuffix({ path, attributes }: CookieAttributes, maxAge: bigint): string {
  let suffix = maxAge === 0n ? '' : `; Max-Age=${maxAge}`;
  if (path !== '') suffix += `; Path=${path}`;
  for (const { name, value } of attributes) suffix += value === '' ? `; ${name}` : `; ${name}=${value}`;
  return latin1Of(`${suffix}; HttpOnly`);
}
