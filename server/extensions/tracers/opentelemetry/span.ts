// One span of OpenTelemetry: what is written into it while the request lives, and its message.
// Envoy: source/extensions/tracers/opentelemetry/tracer.cc (Span).

import type { RequestHeaderMap } from '../../../api/http/header_map.ts';
import type { Span } from '../../../api/tracing.ts';
import { isAscii } from '../../../common/matcher/latin1.ts';
import { injectContext, type SpanContext } from './span_context.ts';
import type { OpenTelemetryTracer } from './tracer.ts';

export type SpanKind = 'SPAN_KIND_SERVER' | 'SPAN_KIND_CLIENT';

/** Bits of Span.flags beside the sampled one: it is known whether the parent is of another process, and it is. */
const HAS_IS_REMOTE = 0x100;
const IS_REMOTE = 0x200;

export interface SpanTimes {
  /** Wall-clock ms of a moment, and `performance.now()` of the same one. */
  readonly epoch: number;
  readonly epochMonotonic: number;
  /** `performance.now()` ms. */
  readonly startTime: number;
}

export interface SpanIds extends SpanContext {
  readonly parentId: string;
  readonly isParentRemote: boolean;
}

export class OpenTelemetrySpan implements Span, SpanContext {
  readonly traceId: string;
  readonly spanId: string;
  readonly traceState: string;
  readonly times: SpanTimes;
  sampled: boolean;
  private readonly tracer: OpenTelemetryTracer;
  private readonly ids: SpanIds;
  private readonly kind: SpanKind;
  private readonly attributes = new Map<string, string>();
  private readonly events: { readonly time_unix_nano: bigint; readonly name: string }[] = [];
  private name: string;
  private failed = false;

  constructor(tracer: OpenTelemetryTracer, name: string, kind: SpanKind, ids: SpanIds, times: SpanTimes) {
    this.tracer = tracer;
    this.name = name;
    this.kind = kind;
    this.ids = ids;
    this.traceId = ids.traceId;
    this.spanId = ids.spanId;
    this.traceState = ids.traceState;
    this.sampled = ids.sampled;
    this.times = times;
  }

  setOperation(name: string): void {
    this.name = name;
  }

  setSampled(sampled: boolean): void {
    this.sampled = sampled;
  }

  setTag(name: string, value: string): void {
    // A proxy without a zone says so.
    if (!this.sampled || (value === '' && name !== 'zone')) return;
    this.attributes.set(name, value);
    // https://opentelemetry.io/docs/specs/semconv/http/http-spans/#status
    if (name === 'http.status_code')
      this.failed = Number(value) >= (this.kind === 'SPAN_KIND_CLIENT' ? 400 : 500);
  }

  log(at: number, event: string): void {
    if (this.sampled) this.events.push({ time_unix_nano: this.nanos(at), name: event });
  }

  injectContext(headers: RequestHeaderMap): void {
    injectContext(headers, this);
  }

  spawnChild(name: string, startTime: number): Span {
    return this.tracer.childSpan(this, name, startTime);
  }

  finish(): void {
    // Exact, not as of the current event: a request that is answered at once takes time too.
    if (this.sampled) this.tracer.report(this.toMessage(performance.now()));
  }

  /** Since the epoch. */
  private nanos(at: number): bigint {
    const { epoch, epochMonotonic } = this.times;
    return BigInt(Math.round((epoch + (at - epochMonotonic)) * 1000)) * 1000n;
  }

  private toMessage(now: number): object {
    const { ids } = this;
    const remote = ids.isParentRemote ? IS_REMOTE : 0;
    return {
      trace_id: Buffer.from(this.traceId, 'hex'),
      span_id: Buffer.from(this.spanId, 'hex'),
      trace_state: this.traceState,
      parent_span_id: Buffer.from(ids.parentId, 'hex'),
      name: unicode(this.name),
      kind: this.kind,
      start_time_unix_nano: this.nanos(this.times.startTime),
      end_time_unix_nano: this.nanos(now),
      attributes: [...this.attributes].map(([key, value]) => stringAttribute(key, unicode(value))),
      events: this.events,
      status: this.failed ? { code: 'STATUS_CODE_ERROR' } : undefined,
      flags: HAS_IS_REMOTE | remote | 1,
    };
  }
}

export function stringAttribute(key: string, value: string): object {
  return { key, value: { string_value: value } };
}

/** Values come as bytes, a character each; the message is UTF-8. */
function unicode(text: string): string {
  return isAscii(text) ? text : Buffer.from(text, 'latin1').toString('utf8');
}
