// Facts of a request for unit tests of formatters, access logs and filters.

import type { LogContext } from '../../server/api/access_log.ts';
import type { Address } from '../../server/api/stream_info.ts';
import { RequestHeaders, ResponseHeaders, Trailers } from '../../server/common/http/header_map.ts';
import { ConnectionInfoRecord, StreamInfoRecord } from '../../server/common/stream_info/stream_info.ts';

export function ipAddress(ip: string, port: number): Address {
  return { ip, port, text: ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}` };
}

/** A stream of connection 7 from 10.0.0.1:1234 to 10.0.0.2:80, begun at 2026-11-21T08:19:17.203Z. */
export function fakeStreamInfo(): StreamInfoRecord {
  const connection = new ConnectionInfoRecord(
    7,
    ipAddress('10.0.0.1', 1234),
    ipAddress('10.0.0.2', 80),
    'listener',
  );
  return new StreamInfoRecord(connection, 1_795_249_157_203, 1000);
}

/** Request headers from a plain object; pseudo-headers by their names. */
export function requestHeaders(fields: Readonly<Record<string, string>>): RequestHeaders {
  const headers = new RequestHeaders(
    fields[':method'] ?? 'GET',
    fields[':path'] ?? '/',
    fields[':authority'],
    'http',
  );
  for (const [name, value] of Object.entries(fields)) if (!name.startsWith(':')) headers.append(name, value);
  return headers;
}

export function responseHeaders(
  status: number,
  fields: Readonly<Record<string, string>> = {},
): ResponseHeaders {
  return new ResponseHeaders(status, Object.entries(fields).flat());
}

export function trailers(fields: Readonly<Record<string, string>>): Trailers {
  return new Trailers(Object.entries(fields).flat());
}

/** A log context with `overrides`: a GET without a response otherwise. */
export function fakeLogContext(overrides: Partial<LogContext> = {}): LogContext {
  return {
    requestHeaders: requestHeaders({ ':authority': 'example.com' }),
    responseHeaders: undefined,
    responseTrailers: undefined,
    streamInfo: fakeStreamInfo(),
    localReplyBody: '',
    accessLogType: 'DownstreamEnd',
    ...overrides,
  };
}
