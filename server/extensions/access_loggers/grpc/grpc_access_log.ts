// Entries for an access log service: of requests, and of connections that carry no HTTP.
// Envoy: source/extensions/access_loggers/grpc/http_grpc_access_log_impl.cc, tcp_grpc_access_log_impl.cc.

import type { AccessLog, AccessLogFilter, LogContext } from '../../../api/access_log.ts';
import type { HeaderMap } from '../../../api/http/header_map.ts';
import type { FactoryContext } from '../../../api/registry.ts';
import {
  type GrpcAccessLogger,
  type GrpcAccessLoggerSettings,
  grpcAccessLogger,
} from './grpc_access_logger.ts';
import { type CommonSettings, commonProperties, unicode } from './log_entry.ts';

/** Names, lower-case, of what is logged besides. */
export interface LoggedHeaders {
  readonly request: readonly string[];
  readonly response: readonly string[];
  readonly trailers: readonly string[];
}

const VERSIONS: Readonly<Record<string, string>> = {
  'HTTP/1.0': 'HTTP10',
  'HTTP/1.1': 'HTTP11',
  'HTTP/2': 'HTTP2',
};
/** Of config.core.v3.RequestMethod. */
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH']);

export class HttpGrpcAccessLog implements AccessLog {
  private readonly logger: GrpcAccessLogger;
  private readonly common: CommonSettings;
  private readonly headers: LoggedHeaders;
  private readonly filter: AccessLogFilter | undefined;

  constructor(
    settings: GrpcAccessLoggerSettings,
    common: CommonSettings,
    headers: LoggedHeaders,
    filter: AccessLogFilter | undefined,
    context: FactoryContext,
  ) {
    this.logger = grpcAccessLogger('http_logs', settings, context);
    this.common = common;
    this.headers = headers;
    this.filter = filter;
  }

  log(context: LogContext): void {
    if (this.filter !== undefined && !this.filter.evaluate(context)) return;
    const { protocol } = context.streamInfo;
    this.logger.log({
      common_properties: commonProperties(context, this.common),
      protocol_version: VERSIONS[protocol] ?? 'PROTOCOL_UNSPECIFIED',
      request: this.requestProperties(context),
      response: this.responseProperties(context),
    });
  }

  private requestProperties({ requestHeaders: headers, streamInfo }: LogContext): object {
    const bytes = { request_body_bytes: BigInt(streamInfo.bytesReceived) };
    if (headers === undefined) return bytes;
    const value = (name: string): string => unicode(headers.get(name) ?? '');
    return {
      request_method: METHODS.has(headers.method) ? headers.method : 'METHOD_UNSPECIFIED',
      scheme: value(':scheme'),
      authority: value(':authority'),
      path: value(':path'),
      user_agent: value('user-agent'),
      referer: value('referer'),
      forwarded_for: value('x-forwarded-for'),
      request_id: value('x-request-id'),
      original_path: value('x-envoy-original-path'),
      request_headers_bytes: BigInt(headers.byteSize()),
      ...bytes,
      request_headers: valuesOf(headers, this.headers.request),
    };
  }

  private responseProperties({ responseHeaders, responseTrailers, streamInfo }: LogContext): object {
    const { responseCode, responseCodeDetails, bytesSent } = streamInfo;
    return {
      ...(responseCode > 0 && { response_code: { value: responseCode } }),
      response_headers_bytes: BigInt(responseHeaders?.byteSize() ?? 0),
      response_body_bytes: BigInt(bytesSent),
      response_headers: valuesOf(responseHeaders, this.headers.response),
      response_trailers: valuesOf(responseTrailers, this.headers.trailers),
      response_code_details: responseCodeDetails,
    };
  }
}

export class TcpGrpcAccessLog implements AccessLog {
  private readonly logger: GrpcAccessLogger;
  private readonly common: CommonSettings;
  private readonly filter: AccessLogFilter | undefined;

  constructor(
    settings: GrpcAccessLoggerSettings,
    common: CommonSettings,
    filter: AccessLogFilter | undefined,
    context: FactoryContext,
  ) {
    this.logger = grpcAccessLogger('tcp_logs', settings, context);
    this.common = common;
    this.filter = filter;
  }

  log(context: LogContext): void {
    if (this.filter !== undefined && !this.filter.evaluate(context)) return;
    const { bytesReceived, bytesSent } = context.streamInfo;
    this.logger.log({
      common_properties: commonProperties(context, this.common),
      connection_properties: { received_bytes: BigInt(bytesReceived), sent_bytes: BigInt(bytesSent) },
    });
  }
}

function valuesOf(headers: HeaderMap | undefined, names: readonly string[]): Record<string, string> {
  const values: Record<string, string> = {};
  for (const name of names) {
    const value = headers?.getAll(name);
    if (value !== undefined) values[name] = unicode(value);
  }
  return values;
}
