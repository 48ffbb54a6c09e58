// Requests that ask for another protocol on their connection.
// Envoy: onHeadersCompleteBase in source/common/http/http1/codec_impl.cc, Http1ProtocolOptions.ignore_http_11_upgrade.

import type { RequestHeaders } from '../header_map.ts';
import { isUpgrade, removeToken } from '../headers.ts';
import type { Http1Settings } from './settings.ts';

/**
 * Whether all that follows the request's head is the new protocol's. Upgrades that are to be ignored (h2c always) are taken
 * out of the headers, and the request is one like any other.
 */
export function isTunnelUpgrade(headers: RequestHeaders, settings: Http1Settings): boolean {
  if (!isUpgrade(headers)) return false;
  const upgrade = headers.get('upgrade') ?? '';
  const isH2c = upgrade.toLowerCase() === 'h2c';
  if (!isH2c && !settings.ignoreUpgrade.some((matcher) => matcher.match(upgrade))) return true;
  headers.remove('upgrade');
  removeFromConnection(headers, 'upgrade');
  if (isH2c) {
    removeFromConnection(headers, 'http2-settings');
    headers.remove('http2-settings');
  }
  return false;
}

function removeFromConnection(headers: RequestHeaders, token: string): void {
  const rest = removeToken(headers.getAll('connection') ?? '', token);
  if (rest === '') headers.remove('connection');
  else headers.set('connection', rest);
}
