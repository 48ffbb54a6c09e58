// Facts about well-known headers and statuses.
// Envoy: source/common/http/codes.cc, header_utility.cc, common/common/utility.cc (token lists).

import { STATUS_CODES } from 'node:http';
import type { HeaderMap } from '../../api/http/header_map.ts';

/** Statuses that Node knows and Envoy does not. All others are worded alike (asked of Envoy 1.40). */
const REASON_PHRASES: Readonly<Record<number, string>> = {
  418: 'Unknown',
  451: 'Unknown',
  509: 'Unknown',
};

/** The reason phrase of a response. */
export function reasonPhrase(status: number): string {
  return REASON_PHRASES[status] ?? STATUS_CODES[status] ?? 'Unknown';
}

/** Whether a comma-separated value (without spaces around it) has the token (lower-case), whatever its case. */
export function hasToken(value: string, token: string): boolean {
  if (value.length <= token.length) return value === token || value.toLowerCase() === token;
  if (!value.includes(',')) return false;
  return value.split(',').some((part) => part.trim().toLowerCase() === token);
}

/** The value without the token (lower-case). `''` when nothing remains. */
export function removeToken(value: string, token: string): string {
  return value
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '' && part.toLowerCase() !== token)
    .join(',');
}

/** Whether a message says that its connection ends with it: HTTP/1.0 unless kept alive, HTTP/1.1 when asked to close. */
export function shouldCloseConnection(http10: boolean, headers: HeaderMap): boolean {
  const connection = headers.getAll('connection');
  if (http10) {
    if (connection === undefined || !hasToken(connection, 'keep-alive')) return true;
  } else if (connection !== undefined && hasToken(connection, 'close')) {
    return true;
  }
  const proxyConnection = headers.getAll('proxy-connection');
  return proxyConnection !== undefined && hasToken(proxyConnection, 'close');
}

/** Whether a request or response asks for (or agrees to) an upgrade. Envoy: Utility::isUpgrade. */
export function isUpgrade(headers: HeaderMap): boolean {
  if (!headers.has('upgrade')) return false;
  const connection = headers.getAll('connection');
  return connection !== undefined && hasToken(connection, 'upgrade');
}
