// Distributed tracing: a tracer starts a span for a request, the connection manager and the router fill it, and the tracer
// reports it. Envoy: envoy/tracing/tracer.h, trace_driver.h.

import type { RequestHeaderMap } from './http/header_map.ts';
import type { StreamInfo } from './stream_info.ts';

/** Where spans go by default: a registered tracer and its configuration, as in the bootstrap's tracing.http. */
export interface TracingProvider {
  readonly name: string;
  readonly typed_config?: { type_url: string; value: Uint8Array } | undefined;
}

/** Requests of users come in (`ingress`), or go out from here (`egress`: listeners whose traffic_direction is OUTBOUND). */
export type OperationName = 'ingress' | 'egress';

/** One span. Values of tags are latin1 text (a character is a byte), as headers are. */
export interface Span {
  /** '' where a span is only passed on. */
  readonly traceId: string;
  /** '' where it has none of its own. */
  readonly spanId: string;
  setOperation(name: string): void;
  /** Is it to be reported? Those that it spawns follow it. */
  setSampled(sampled: boolean): void;
  /** An empty value sets nothing. */
  setTag(name: string, value: string): void;
  /** `at`: `performance.now()` ms. */
  log(at: number, event: string): void;
  /** Tells the next hop of this span. */
  injectContext(headers: RequestHeaderMap): void;
  /** `startTime`: `performance.now()` ms. */
  spawnChild(name: string, startTime: number): Span;
  /** Ends it and hands it to the tracer. */
  finish(): void;
}

export interface Tracer {
  /**
   * A span for a request, as its headers and `traced` (what was decided here) say. `spawnUpstreamSpan`: attempts get spans of
   * their own. Undefined where the headers of the trace cannot be read: then nothing is reported or passed on.
   */
  startSpan(
    headers: RequestHeaderMap,
    info: StreamInfo,
    operation: OperationName,
    spawnUpstreamSpan: boolean,
    traced: boolean,
  ): Span | undefined;
}

/** A share of all requests; `random` is the request's own number. */
interface Fraction {
  enabled(random: number): boolean;
}

/** Who is traced. */
export interface TraceSampling {
  readonly client: Fraction;
  readonly random: Fraction;
  readonly overall: Fraction;
}

/** A tag that the configuration adds to spans. */
export interface CustomTag {
  readonly name: string;
  /** '' where there is nothing to tell. */
  value(headers: RequestHeaderMap, info: StreamInfo): string;
}

/** What a route says of tracing, in place of its connection manager. */
export interface RouteTracing {
  readonly sampling: TraceSampling;
  readonly customTags: readonly CustomTag[];
}

/** What the spans of a stream are finished with. */
export interface SpanSettings {
  readonly verbose: boolean;
  /** Bytes of the path in `http.url`. */
  readonly maxPathTagLength: number;
  readonly customTags: readonly CustomTag[];
}

/** The trace of a stream. */
export interface StreamTracing {
  /** Undefined where there is no tracer, or the trace's headers could not be read. */
  readonly span: Span | undefined;
  /** Attempts have spans of their own. */
  readonly spawnUpstreamSpan: boolean;
  readonly settings: SpanSettings;
}
