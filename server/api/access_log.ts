// Access logging: an instance per configured access_log entry, called when a stream ends (and at the moments it asks for).
// Envoy: envoy/access_log/access_log.h.

import type { RequestHeaderMap, ResponseHeaderMap, TrailerMap } from './http/header_map.ts';
import type { StreamInfo } from './stream_info.ts';

/** Envoy's AccessLogType by name (data/accesslog/v3). */
export type AccessLogType =
  | 'NotSet'
  | 'TcpConnectionStart'
  | 'TcpUpstreamConnected'
  | 'TcpPeriodic'
  | 'TcpConnectionEnd'
  | 'DownstreamStart'
  | 'DownstreamPeriodic'
  | 'DownstreamEnd'
  | 'DownstreamTunnelSuccessfullyEstablished'
  | 'UpstreamPoolReady'
  | 'UpstreamPeriodic'
  | 'UpstreamEnd';

/** What formatters and log filters look at. One object per stream, reused. */
export interface LogContext {
  readonly requestHeaders: RequestHeaderMap | undefined;
  readonly responseHeaders: ResponseHeaderMap | undefined;
  readonly responseTrailers: TrailerMap | undefined;
  readonly streamInfo: StreamInfo;
  readonly localReplyBody: string;
  readonly accessLogType: AccessLogType;
}

export interface AccessLogFilter {
  evaluate(context: LogContext): boolean;
}

export interface AccessLog {
  log(context: LogContext): void;
}

/** A compiled format string or JSON format. */
export interface Formatter {
  format(context: LogContext): string;
}
