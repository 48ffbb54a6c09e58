// Starts spans: new traces, and spans that go on with the trace a request belongs to. Whether a span shares the id of the
// hop before depends on who reports which half. Facts: Envoy's source/extensions/tracers/zipkin/tracer.cc.

import type { RequestHeaderMap } from '../../../api/http/header_map.ts';
import type { ServerInfo } from '../../../api/registry.ts';
import type { StreamInfo } from '../../../api/stream_info.ts';
import type { OperationName, Span, Tracer } from '../../../api/tracing.ts';
import { randomUuid } from '../../../common/http/random_uuid.ts';
import type { ZipkinReporter } from './reporter.ts';
import { type SpanKind, ZipkinSpan } from './span.ts';
import { extractContext, extractSampled, type SpanContext } from './span_context.ts';

export interface ZipkinSettings {
  readonly traceId128Bit: boolean;
  readonly sharedSpanContext: boolean;
  readonly splitSpansForRequest: boolean;
}

interface Times {
  readonly epoch: number;
  readonly epochMonotonic: number;
  readonly startTime: number;
}

export class ZipkinTracer implements Tracer {
  readonly sharedSpanContext: boolean;
  /** As it is printed. */
  readonly localEndpoint: object;
  private readonly settings: ZipkinSettings;
  private readonly reporter: ZipkinReporter;

  constructor(settings: ZipkinSettings, server: ServerInfo, reporter: ZipkinReporter) {
    this.settings = settings;
    this.sharedSpanContext = settings.sharedSpanContext;
    this.reporter = reporter;
    const { localIp, nodeCluster } = server;
    this.localEndpoint = Object.freeze({
      serviceName: nodeCluster === '' ? undefined : nodeCluster,
      [localIp.includes(':') ? 'ipv6' : 'ipv4']: localIp,
      port: 0,
    });
  }

  startSpan(
    headers: RequestHeaderMap,
    info: StreamInfo,
    operation: OperationName,
    spawnUpstreamSpan: boolean,
    traced: boolean,
  ): Span | undefined {
    const context = extractContext(headers);
    if (context === 'invalid') return undefined;
    const sampled = extractSampled(headers) ?? traced;
    const { traceId128Bit, splitSpansForRequest } = this.settings;
    const serves = splitSpansForRequest || spawnUpstreamSpan || operation === 'ingress';
    const kind = serves ? 'SERVER' : 'CLIENT';
    const times = {
      epoch: info.startTime,
      epochMonotonic: info.startTimeMonotonic,
      startTime: info.startTimeMonotonic,
    };
    const name = headers.host ?? '';
    if (context !== undefined) return this.nextSpan(context, name, kind, sampled, times);
    const spanId = randomId();
    const traceId = traceId128Bit ? randomId() + spanId : spanId;
    return new ZipkinSpan(this, name, kind, { traceId, spanId, parentId: '' }, sampled, times);
  }

  /** The span of an attempt. */
  childSpan(parent: ZipkinSpan, name: string, times: Times): Span {
    return this.nextSpan(parent, name, 'CLIENT', parent.sampled, times);
  }

  private nextSpan(
    context: SpanContext,
    name: string,
    kind: SpanKind,
    sampled: boolean,
    times: Times,
  ): ZipkinSpan {
    const { traceId, spanId, parentId } = context;
    const ids =
      kind === 'SERVER' && this.sharedSpanContext
        ? { traceId, spanId, parentId }
        : { traceId, spanId: randomId(), parentId: spanId };
    return new ZipkinSpan(this, name, kind, ids, sampled, times);
  }

  report(json: string): void {
    this.reporter.report(json);
  }
}

/** 64 random bits as 16 digits: of a UUID those around its two fixed ones. */
function randomId(): string {
  const uuid = randomUuid();
  return uuid.slice(0, 8) + uuid.slice(28);
}
