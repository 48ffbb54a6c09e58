// A request as a line for the shell: the same to the same listener, as far as what was kept of it tells.

import type { CapturedRequest } from '../../common/capture/captured_request.ts';

/** Set by a proxy, a connection or curl itself. */
const LEFT_OUT =
  /^(?:x-envoy-|x-forwarded-|x-request-id$|x-b3-|traceparent$|tracestate$|content-length$|transfer-encoding$|connection$|host$|te$|user-agent$)/;

/** '' for a connection. */
export function curlLine(request: CapturedRequest): string {
  const { method, authority, path, local, tls, protocol, request_headers } = request;
  if (protocol === 'TCP') return '';
  const parts = ['curl', '-v'];
  if (method !== 'GET') parts.push('-X', quoted(method));
  if (protocol === 'HTTP/2') parts.push(tls === '' ? '--http2-prior-knowledge' : '--http2');
  if (local.includes(':')) parts.push('--connect-to', quoted(`::${local}`));
  else if (local !== '') parts.push('--unix-socket', quoted(local));
  for (const { name, value } of request_headers) {
    if (!LEFT_OUT.test(name)) parts.push('-H', quoted(`${name}: ${value}`));
  }
  parts.push(quoted(`${tls === '' ? 'http' : 'https'}://${authority}${path}`));
  return parts.join(' ');
}

function quoted(text: string): string {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
