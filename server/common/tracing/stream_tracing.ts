// The trace of one stream: the decision and the span at its beginning, names that routes and neighbours give the operation,
// and the span's end. Follows Envoy's ActiveStream::traceRequest and encodeHeaders (source/common/http/conn_manager_impl.cc).

import type { LogContext } from '../../api/access_log.ts';
import type { RequestHeaderMap, ResponseHeaderMap } from '../../api/http/header_map.ts';
import type { Route } from '../../api/router.ts';
import type { StatBlock } from '../../api/stats.ts';
import type { StreamInfo } from '../../api/stream_info.ts';
import type {
  OperationName,
  Span,
  SpanSettings,
  StreamTracing,
  Tracer,
  TraceSampling,
} from '../../api/tracing.ts';
import { sampleAll, sampleTrace } from '../http/request_id.ts';
import { mergeCustomTags } from './custom_tag.ts';
import { finalizeDownstreamSpan } from './http_tracer.ts';

const DECORATOR = 'x-envoy-decorator-operation';

/** HttpConnectionManager.tracing, compiled. */
export interface TracingConfig extends SpanSettings {
  readonly sampling: TraceSampling;
  /** use_request_id_for_trace_sampling: without it every request is traced, unless the tracer decides otherwise. */
  readonly samplingByRequestId: boolean;
  /** Of HTTP_TRACING_STATS. */
  readonly stats: StatBlock;
  readonly operation: OperationName;
  readonly spawnUpstreamSpan: boolean;
  /** Undefined: ids of requests are marked, and no more. */
  readonly tracer: Tracer | undefined;
  readonly nodeId: string;
  readonly zone: string;
}

/** Begins to trace a request whose route is known. `packReason`: the id of the request says why it is traced. */
export function traceRequest(
  config: TracingConfig,
  headers: RequestHeaderMap,
  info: StreamInfo,
  route: Route | undefined,
  packReason: boolean,
): ActiveStreamTracing {
  const { samplingByRequestId, sampling, stats } = config;
  const traced = samplingByRequestId
    ? sampleTrace(headers, route?.tracing?.sampling ?? sampling, stats, packReason)
    : sampleAll(stats);
  info.requestId = headers.get('x-request-id') ?? '';
  const { operation, spawnUpstreamSpan } = config;
  const span = config.tracer?.startSpan(headers, info, operation, spawnUpstreamSpan, traced);
  if (span !== undefined) {
    info.traceId = span.traceId;
    span.setTag('node_id', config.nodeId);
    span.setTag('zone', config.zone);
  }
  const tracing = new ActiveStreamTracing(config, span, headers, route);
  info.tracing = tracing;
  return tracing;
}

export class ActiveStreamTracing implements StreamTracing {
  readonly span: Span | undefined;
  readonly spawnUpstreamSpan: boolean;
  readonly settings: SpanSettings;
  private readonly operation: OperationName;
  /** What the client is to be told, or ''. */
  private decorated: string;

  constructor(
    config: TracingConfig,
    span: Span | undefined,
    headers: RequestHeaderMap,
    route: Route | undefined,
  ) {
    const tags = route?.tracing?.customTags;
    this.span = span;
    this.spawnUpstreamSpan = config.spawnUpstreamSpan;
    this.settings =
      tags === undefined ? config : { ...config, customTags: mergeCustomTags(tags, config.customTags) };
    this.operation = config.operation;
    this.decorated = this.decorate(headers, route);
  }

  private decorate(headers: RequestHeaderMap, route: Route | undefined): string {
    const own = route?.decoratorOperation ?? '';
    const propagated = route?.decoratorPropagate === true ? own : '';
    if (own !== '') this.span?.setOperation(own);
    if (this.operation === 'egress') {
      if (propagated !== '') headers.set(DECORATOR, propagated);
      return '';
    }
    const told = headers.get(DECORATOR);
    if (told === undefined) return propagated;
    headers.remove(DECORATOR);
    if (told === '') return propagated;
    this.span?.setOperation(told);
    return '';
  }

  /** A service may name the operation for its client's span; the proxies tell each other in a header. */
  onResponseHeaders(headers: ResponseHeaderMap): void {
    if (this.operation === 'ingress') {
      if (this.decorated !== '') headers.set(DECORATOR, this.decorated);
      return;
    }
    const told = headers.get(DECORATOR);
    if (told === undefined) return;
    if (told !== '') this.span?.setOperation(told);
    headers.remove(DECORATOR);
  }

  finish({ requestHeaders, responseHeaders, responseTrailers, streamInfo }: LogContext): void {
    if (this.span === undefined) return;
    finalizeDownstreamSpan(
      this.span,
      requestHeaders,
      responseHeaders,
      responseTrailers,
      streamInfo,
      this.settings,
    );
  }
}
