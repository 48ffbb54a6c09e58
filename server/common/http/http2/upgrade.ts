// Inside the proxy an upgrade looks as on HTTP/1 whatever brought it: GET with `connection: upgrade` and `upgrade`, answered
// with 101. On HTTP/2 it is an extended CONNECT, answered with 200 (RFC 8441).
// Envoy: transformUpgrade... in source/common/http/utility.cc.

import type { RequestHeaders, ResponseHeaders } from '../header_map.ts';

/** A CONNECT of this protocol stays one: its bytes are not of an upgrade (RFC 9297). */
const BYTESTREAM = 'bytestream';

/** Makes an upgrade request of an extended CONNECT that was received. True if it was one. */
export function toUpgradeRequest(headers: RequestHeaders): boolean {
  const { protocol } = headers;
  if (headers.method !== 'CONNECT' || protocol === undefined || protocol === BYTESTREAM) return false;
  headers.method = 'GET';
  headers.protocol = undefined;
  headers.set('upgrade', protocol);
  headers.set('connection', 'upgrade');
  return true;
}

/** Makes the 101 that a client of HTTP/1 expects of the answer to an extended CONNECT. */
export function toUpgradeResponse(headers: ResponseHeaders, protocol: string): void {
  if (headers.status !== 200) return;
  headers.status = 101;
  headers.set('upgrade', protocol);
  headers.set('connection', 'upgrade');
}
