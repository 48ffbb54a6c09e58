// What the spans of HTTP requests say: the tags of the client's request and of each attempt at an upstream.
// Follows Envoy's source/common/tracing/http_tracer_impl.cc (HttpTracerUtility).

import type {
  HeaderMap,
  RequestHeaderMap,
  ResponseHeaderMap,
  TrailerMap,
} from '../../api/http/header_map.ts';
import type { StreamInfo } from '../../api/stream_info.ts';
import type { Span, SpanSettings } from '../../api/tracing.ts';
import { isGrpc } from '../http/local_reply.ts';
import { responseFlagsToShortString } from '../stream_info/response_flags.ts';

/** gRPC statuses that are the server's fault. Source: addGrpcResponseTags; codes of google.rpc.Code. */
const GRPC_ERRORS: ReadonlySet<string> = new Set(['2', '4', '8', '12', '13', '14', '15']);

/** Fills and ends the span of the client's request. */
export function finalizeDownstreamSpan(
  span: Span,
  headers: RequestHeaderMap | undefined,
  response: ResponseHeaderMap | undefined,
  trailers: TrailerMap | undefined,
  info: StreamInfo,
  settings: SpanSettings,
): void {
  if (headers !== undefined) {
    span.setTag('guid:x-request-id', headers.get('x-request-id') ?? '');
    span.setTag('http.url', urlOf(headers, settings.maxPathTagLength));
    span.setTag('http.method', headers.method);
    span.setTag('downstream_cluster', headers.get('x-envoy-downstream-service-cluster') ?? '-');
    span.setTag('user_agent', headers.get('user-agent') ?? '-');
    span.setTag('http.protocol', info.protocol === '' ? '-' : info.protocol);
    const { ip, text } = info.connection.directRemoteAddress;
    span.setTag('peer.address', ip === '' ? text : ip);
    span.setTag('guid:x-client-trace-id', headers.get('x-client-trace-id') ?? '');
    if (isGrpc(headers)) setGrpcRequestTags(span, headers);
  }
  span.setTag('request_size', String(info.bytesReceived));
  span.setTag('response_size', String(info.bytesSent));
  setCommonTags(span, headers, info, info.responseCode, info.responseFlags, settings);
  if (settings.verbose) {
    logTime(span, info.downstreamRxComplete, 'last_downstream_rx_byte_received');
    logUpstreamTimes(span, info);
    logTime(span, info.downstreamTxFirstByte, 'first_downstream_tx_byte_sent');
    logTime(span, info.downstreamTxLastByte, 'last_downstream_tx_byte_sent');
  }
  if (response !== undefined) setGrpcResponseTags(span, response);
  if (trailers !== undefined) setGrpcResponseTags(span, trailers);
  span.finish();
}

/** `performance.now()` ms; 0 = never. */
export interface UpstreamTimes {
  readonly firstUpstreamTxByte: number;
  readonly lastUpstreamTxByte: number;
  readonly firstUpstreamRxByte: number;
  readonly lastUpstreamRxByte: number;
}

/** What an attempt at an upstream came to. */
export interface AttemptOutcome extends UpstreamTimes {
  readonly upstreamAddress: string;
  /** 'HTTP/1.1', 'HTTP/2', or '' where no connection was had. */
  readonly protocol: string;
  /** 0: there was no answer. */
  readonly responseCode: number;
  readonly responseFlags: number;
}

/** Fills and ends the span of an attempt. */
export function finalizeUpstreamSpan(
  span: Span,
  headers: RequestHeaderMap,
  info: StreamInfo,
  outcome: AttemptOutcome,
  settings: SpanSettings,
): void {
  span.setTag('http.protocol', outcome.protocol === '' ? '-' : outcome.protocol);
  span.setTag('upstream_address', outcome.upstreamAddress);
  span.setTag('peer.address', outcome.upstreamAddress);
  setCommonTags(span, headers, info, outcome.responseCode, outcome.responseFlags, settings);
  if (settings.verbose) logUpstreamTimes(span, outcome);
  span.finish();
}

function setCommonTags(
  span: Span,
  headers: RequestHeaderMap | undefined,
  info: StreamInfo,
  responseCode: number,
  responseFlags: number,
  { customTags }: SpanSettings,
): void {
  span.setTag('component', 'proxy');
  const cluster = info.upstreamCluster;
  if (cluster !== undefined) {
    span.setTag('upstream_cluster', cluster.name);
    span.setTag('upstream_cluster.name', cluster.statName);
  }
  span.setTag('http.status_code', String(responseCode));
  span.setTag('response_flags', responseFlagsToShortString(responseFlags));
  if (headers !== undefined) for (const tag of customTags) span.setTag(tag.name, tag.value(headers, info));
  if (responseCode === 0 || responseCode >= 500) span.setTag('error', 'true');
}

function setGrpcRequestTags(span: Span, headers: RequestHeaderMap): void {
  span.setTag('grpc.path', headers.path);
  span.setTag('grpc.authority', headers.host ?? '');
  span.setTag('grpc.content_type', headers.get('content-type') ?? '');
  span.setTag('grpc.timeout', headers.get('grpc-timeout') ?? '');
}

/** Of the answer's headers, and of its trailers. */
export function setGrpcResponseTags(span: Span, headers: HeaderMap): void {
  const status = headers.get('grpc-status');
  if (status === undefined) return;
  span.setTag('grpc.status_code', status);
  span.setTag('grpc.message', headers.get('grpc-message') ?? '');
  if (GRPC_ERRORS.has(status)) span.setTag('error', 'true');
}

function logUpstreamTimes(span: Span, times: UpstreamTimes): void {
  logTime(span, times.firstUpstreamTxByte, 'first_upstream_tx_byte_sent');
  logTime(span, times.lastUpstreamTxByte, 'last_upstream_tx_byte_sent');
  logTime(span, times.firstUpstreamRxByte, 'first_upstream_rx_byte_received');
  logTime(span, times.lastUpstreamRxByte, 'last_upstream_rx_byte_received');
}

function logTime(span: Span, at: number, event: string): void {
  if (at !== 0) span.log(at, event);
}

function urlOf(headers: RequestHeaderMap, maxPathLength: number): string {
  const path = headers.get('x-envoy-original-path') ?? headers.path;
  if (path === '') return '';
  return `${headers.scheme}://${headers.host ?? ''}${path.slice(0, maxPathLength)}`;
}
