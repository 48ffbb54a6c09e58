// Headers that a request's Connection header names belong to this hop and go no further. Naming those by which proxies
// tell one another about the client is an attempt to hide them, and refused.
// Envoy: Utility::sanitizeConnectionHeader in source/common/http/utility.cc.

import type { CodecError } from '../../../api/http/codec.ts';
import type { RequestHeaders } from '../header_map.ts';
import { CONNECTION_HEADER_REJECTED } from './errors.ts';

/** Envoy's MAX_ALLOWED_NOMINATED_HEADERS: from here on the request is refused. */
const TOO_MANY_TOKENS = 10;
/** Envoy's MAX_ALLOWED_TE_VALUE_SIZE, in bytes. */
const MAX_TE_BYTES = 256;

/** Removes the named headers from a request that is no upgrade. TE itself stays: the connection manager reduces it. */
export function sanitizeConnectionHeader(headers: RequestHeaders): CodecError | undefined {
  const connection = headers.getAll('connection');
  if (connection === undefined || connection === 'keep-alive' || connection === 'close') return undefined;
  const tokens = connection
    .split(',')
    .map((token) => token.trim().toLowerCase())
    .filter((token) => token !== '');
  if (tokens.length >= TOO_MANY_TOKENS) return CONNECTION_HEADER_REJECTED;
  if (tokens.some(mayNotBeNamed)) return CONNECTION_HEADER_REJECTED;
  for (const token of tokens) {
    if (token === 'te') {
      if ((headers.getAll('te')?.length ?? 0) > MAX_TE_BYTES) return CONNECTION_HEADER_REJECTED;
    } else if (token !== 'connection') {
      headers.remove(token);
    }
  }
  return undefined;
}

function mayNotBeNamed(token: string): boolean {
  switch (token) {
    case 'x-forwarded-for':
    case 'x-forwarded-host':
    case 'x-forwarded-proto':
      return true;
    default:
      return token.startsWith(':');
  }
}
