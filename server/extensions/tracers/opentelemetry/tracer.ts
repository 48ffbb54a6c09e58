// Starts spans: new traces, and spans that go on with the trace a request belongs to; gathers those that are finished.
// Envoy: source/extensions/tracers/opentelemetry/tracer.cc, opentelemetry_tracer_impl.cc.

import { create, encode } from '../../../../xds-protos/load.ts';
import type { RequestHeaderMap } from '../../../api/http/header_map.ts';
import type { Runtime } from '../../../api/runtime.ts';
import type { StatBlock } from '../../../api/stats.ts';
import type { StreamInfo } from '../../../api/stream_info.ts';
import type { OperationName, Span, Tracer } from '../../../api/tracing.ts';
import { monotonicNow } from '../../../common/event/dispatcher.ts';
import { Timer, type TimerOwner } from '../../../common/event/timer.ts';
import { randomUuid } from '../../../common/http/random_uuid.ts';
import type { Exporter } from '../../../common/opentelemetry/exporter.ts';
import { OPENTELEMETRY_STATS } from '../../../common/stats/families/tracing.ts';
import { VERSION } from '../../../common/version.ts';
import type { ResourceAttributes } from './resource.ts';
import type { Sampler } from './sampler.ts';
import { OpenTelemetrySpan, type SpanIds, stringAttribute } from './span.ts';
import { extractContext } from './span_context.ts';

const STAT = OPENTELEMETRY_STATS.offset;
const REQUEST = 'opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest';
/** Source of these: Envoy's documentation of the runtime keys `tracing.opentelemetry.*`. */
const MIN_FLUSH_SPANS = 5;
const FLUSH_INTERVAL_MS = 5000;

export interface TracerSettings {
  readonly sampler: Sampler;
  readonly resource: ResourceAttributes;
  /** Spans that wait at most; more are dropped. */
  readonly maxCacheSize: number;
}

export class OpenTelemetryTracer implements Tracer, TimerOwner {
  private readonly settings: TracerSettings;
  private readonly exporter: Exporter;
  private readonly runtime: Runtime;
  private readonly stats: StatBlock;
  private readonly timer = new Timer(this);
  private pending: object[] = [];

  constructor(settings: TracerSettings, exporter: Exporter, runtime: Runtime, stats: StatBlock) {
    this.settings = settings;
    this.exporter = exporter;
    this.runtime = runtime;
    this.stats = stats;
  }

  startSpan(
    headers: RequestHeaderMap,
    info: StreamInfo,
    operation: OperationName,
    spawnUpstreamSpan: boolean,
    traced: boolean,
  ): Span | undefined {
    const parent = extractContext(headers);
    if (parent === 'invalid') return undefined;
    // What was decided here against it holds, whatever the client and the sampler say.
    const traceId = parent?.traceId ?? randomId() + randomId();
    const sampled = traced && this.settings.sampler(parent, traceId);
    const ids: SpanIds = {
      traceId,
      spanId: randomId(),
      parentId: parent?.spanId ?? '',
      isParentRemote: parent !== undefined,
      sampled,
      traceState: parent?.traceState ?? '',
    };
    const name = operation === 'egress' ? `egress ${headers.host ?? ''}` : 'ingress';
    const kind = spawnUpstreamSpan || operation === 'ingress' ? 'SPAN_KIND_SERVER' : 'SPAN_KIND_CLIENT';
    const { startTime: epoch, startTimeMonotonic } = info;
    const times = { epoch, epochMonotonic: startTimeMonotonic, startTime: startTimeMonotonic };
    return new OpenTelemetrySpan(this, name, kind, ids, times);
  }

  /** The span of an attempt. */
  childSpan(parent: OpenTelemetrySpan, name: string, startTime: number): Span {
    const { traceId, traceState, sampled, times } = parent;
    const ids = {
      traceId,
      spanId: randomId(),
      parentId: parent.spanId,
      isParentRemote: false,
      sampled,
      traceState,
    };
    return new OpenTelemetrySpan(this, name, 'SPAN_KIND_CLIENT', ids, { ...times, startTime });
  }

  /** `span` is a message. */
  report(span: object): void {
    if (this.pending.length >= this.settings.maxCacheSize) {
      this.count(STAT.spans_dropped, 1);
      return;
    }
    this.pending.push(span);
    const enough = this.runtime.getInteger('tracing.opentelemetry.min_flush_spans', MIN_FLUSH_SPANS);
    if (this.pending.length >= enough) this.flush();
    else if (!this.timer.enabled) {
      const interval = this.runtime.getInteger('tracing.opentelemetry.flush_interval_ms', FLUSH_INTERVAL_MS);
      this.timer.enable(Math.max(interval, 1), monotonicNow());
    }
  }

  onTimeout(): void {
    this.count(STAT.timer_flushed, 1);
    this.flush();
  }

  private flush(): void {
    this.timer.disable();
    const spans = this.pending;
    this.pending = [];
    const attributes = [...this.settings.resource].map(([key, value]) => stringAttribute(key, value));
    const scope = { name: 'pilotfish', version: VERSION };
    const message = { resource_spans: [{ resource: { attributes }, scope_spans: [{ scope, spans }] }] };
    // Where there is no cluster to send them to, they are lost.
    const sent = this.exporter.send(encode(REQUEST, create(REQUEST, message as never)));
    this.count(sent ? STAT.spans_sent : STAT.spans_dropped, spans.length);
  }

  private count(stat: number, n: number): void {
    const { values, base } = this.stats;
    values[base + stat] += n;
  }
}

/** 64 random bits as 16 digits: of a UUID those around its two fixed ones. */
function randomId(): string {
  const uuid = randomUuid();
  return uuid.slice(0, 8) + uuid.slice(28);
}
