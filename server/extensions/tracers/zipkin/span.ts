// One Zipkin span: what is written into it while the request lives, and its JSON of Zipkin's API v2.
// Facts: Envoy's source/extensions/tracers/zipkin/zipkin_core_types.cc and span_buffer.cc; https://zipkin.io/zipkin-api.

import type { RequestHeaderMap } from '../../../api/http/header_map.ts';
import type { Span } from '../../../api/tracing.ts';
import { injectContext } from './span_context.ts';
import type { ZipkinTracer } from './tracer.ts';

export type SpanKind = 'CLIENT' | 'SERVER';

interface Annotation {
  /** Microseconds since the epoch. */
  readonly timestamp: number;
  readonly value: string;
}

/** Names of the annotation at a span's end. Source: https://zipkin.io/pages/instrumenting.html, core data structures. */
const END = { CLIENT: 'cr', SERVER: 'ss' } as const;

export class ZipkinSpan implements Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string;
  sampled: boolean;
  private readonly tracer: ZipkinTracer;
  private readonly kind: SpanKind;
  /** Wall-clock ms of a moment, and `performance.now()` of the same one. */
  private readonly epoch: number;
  private readonly epochMonotonic: number;
  /** `performance.now()` ms. */
  private readonly startTime: number;
  private readonly annotations: Annotation[] = [];
  private readonly tags = new Map<string, string>();
  private name: string;

  constructor(
    tracer: ZipkinTracer,
    name: string,
    kind: SpanKind,
    ids: { readonly traceId: string; readonly spanId: string; readonly parentId: string },
    sampled: boolean,
    times: { readonly epoch: number; readonly epochMonotonic: number; readonly startTime: number },
  ) {
    this.tracer = tracer;
    this.name = name;
    this.kind = kind;
    this.traceId = ids.traceId;
    this.spanId = ids.spanId;
    this.parentId = ids.parentId;
    this.sampled = sampled;
    this.epoch = times.epoch;
    this.epochMonotonic = times.epochMonotonic;
    this.startTime = times.startTime;
  }

  setOperation(name: string): void {
    this.name = name;
  }

  setSampled(sampled: boolean): void {
    this.sampled = sampled;
  }

  setTag(name: string, value: string): void {
    if (this.sampled && value !== '') this.tags.set(name, value);
  }

  log(at: number, event: string): void {
    if (this.sampled) this.annotations.push({ timestamp: this.timestamp(at), value: event });
  }

  injectContext(headers: RequestHeaderMap): void {
    injectContext(headers, this.traceId, this.spanId, this.parentId, this.sampled);
  }

  spawnChild(name: string, startTime: number): Span {
    const { epoch, epochMonotonic } = this;
    return this.tracer.childSpan(this, name, { epoch, epochMonotonic, startTime });
  }

  finish(): void {
    if (!this.sampled) return;
    // Exact, not as of the current event: a request that is answered at once takes time too.
    const now = performance.now();
    this.log(now, END[this.kind]);
    this.tracer.report(this.toJson(now));
  }

  /** Microseconds since the epoch. */
  private timestamp(at: number): number {
    return Math.round((this.epoch + (at - this.epochMonotonic)) * 1000);
  }

  private toJson(now: number): string {
    const { tracer, kind, parentId } = this;
    return JSON.stringify({
      traceId: this.traceId,
      id: this.spanId,
      parentId: parentId === '' ? undefined : parentId,
      kind,
      name: this.name === '' ? undefined : unicode(this.name),
      timestamp: this.timestamp(this.startTime),
      duration: Math.max(0, Math.round((now - this.startTime) * 1000)),
      shared: kind === 'SERVER' && tracer.sharedSpanContext ? true : undefined,
      localEndpoint: tracer.localEndpoint,
      annotations: this.annotations,
      tags: Object.fromEntries([...this.tags].map(([name, value]) => [name, unicode(value)])),
    });
  }
}

/** Values come as bytes, a character each; JSON is UTF-8. */
function unicode(text: string): string {
  return /^[\x00-\x7f]*$/.test(text) ? text : Buffer.from(text, 'latin1').toString('utf8');
}
