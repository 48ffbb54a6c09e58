// The span of one attempt at an upstream, where attempts have spans of their own; else the attempt tells of the stream's.
// Follows Envoy's source/common/router/upstream_request.cc.

import type { RequestHeaderMap, ResponseHeaderMap, TrailerMap } from '../../api/http/header_map.ts';
import type { StreamInfo } from '../../api/stream_info.ts';
import type { Span, SpanSettings } from '../../api/tracing.ts';
import { monotonicNow } from '../event/dispatcher.ts';
import type { Host } from '../upstream/host.ts';
import { finalizeUpstreamSpan, setGrpcResponseTags } from './http_tracer.ts';

export class UpstreamTracing {
  private readonly span: Span;
  private readonly settings: SpanSettings;
  private readonly host: Host;
  private readonly headers: RequestHeaderMap;
  private readonly info: StreamInfo;
  private responseCode = 0;
  private responseFlags = 0;
  private protocol = '';
  private readyAt = 0;
  private headersAt = 0;
  private complete = true;

  private constructor(
    span: Span,
    settings: SpanSettings,
    host: Host,
    headers: RequestHeaderMap,
    info: StreamInfo,
  ) {
    this.span = span;
    this.settings = settings;
    this.host = host;
    this.headers = headers;
    this.info = info;
  }

  /** Undefined where the stream is not traced, or its attempts are not. */
  static begin(host: Host, headers: RequestHeaderMap, info: StreamInfo): UpstreamTracing | undefined {
    const { tracing } = info;
    if (tracing?.span === undefined || !tracing.spawnUpstreamSpan) return undefined;
    const name = `router ${info.upstreamCluster?.statName ?? ''} egress`;
    const span = tracing.span.spawnChild(name, performance.now());
    if (info.upstreamRequestAttemptCount > 1)
      span.setTag('retry.count', String(info.upstreamRequestAttemptCount - 1));
    return new UpstreamTracing(span, tracing.settings, host, headers, info);
  }

  /** There is a connection: its peer is told of the span. */
  onReady(protocol: string): void {
    this.protocol = protocol;
    this.readyAt = monotonicNow();
    this.span.injectContext(this.headers);
  }

  onResponseHeaders(headers: ResponseHeaderMap): void {
    this.responseCode = headers.status;
    this.headersAt = monotonicNow();
    setGrpcResponseTags(this.span, headers);
  }

  onResponseTrailers(trailers: TrailerMap): void {
    setGrpcResponseTags(this.span, trailers);
  }

  /** `flag` is the response flag, `reason` Envoy's words for it; `host` is undefined where none was asked. */
  onReset(flag: number, reason: string, host: Host | undefined): void {
    if (host !== undefined) this.info.upstreamHost = host;
    this.complete = false;
    this.responseFlags = flag;
    this.span.setTag('error', 'true');
    this.span.setTag('error.reason', reason);
  }

  /** The router gave the attempt up. */
  onCancel(): void {
    this.complete = false;
    this.span.setTag('canceled', 'true');
  }

  finish(): void {
    const { readyAt, headersAt } = this;
    const outcome = {
      upstreamAddress: this.host.address.text,
      protocol: this.protocol,
      responseCode: this.responseCode,
      responseFlags: this.responseFlags,
      firstUpstreamTxByte: readyAt,
      lastUpstreamTxByte: readyAt,
      firstUpstreamRxByte: headersAt,
      lastUpstreamRxByte: this.complete ? monotonicNow() : 0,
    };
    finalizeUpstreamSpan(this.span, this.headers, this.info, outcome, this.settings);
  }
}
