// Cookies of a request. Envoy: Utility::parseCookieValue in source/common/http/utility.cc.

import type { RequestHeaderMap } from '../../api/http/header_map.ts';

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
