// Trace contexts in headers. https://www.w3.org/TR/trace-context/; Envoy:
// source/extensions/tracers/opentelemetry/span_context_extractor.cc.

import type { RequestHeaderMap } from '../../../api/http/header_map.ts';

export interface SpanContext {
  /** 32 and 16 hexadecimal digits. */
  readonly traceId: string;
  readonly spanId: string;
  readonly sampled: boolean;
  readonly traceState: string;
}

const TRACE_PARENT = /^[\da-f]{2}-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-([\da-f]{2})$/i;

/** Undefined without one; `invalid` where it cannot be read. */
export function extractContext(headers: RequestHeaderMap): SpanContext | 'invalid' | undefined {
  const parent = headers.get('traceparent');
  if (parent === undefined) return undefined;
  const match = TRACE_PARENT.exec(parent);
  if (match === null) return 'invalid';
  const [, traceId = '', spanId = '', flags = ''] = match;
  return {
    traceId: traceId.toLowerCase(),
    spanId: spanId.toLowerCase(),
    sampled: (Number.parseInt(flags, 16) & 1) === 1,
    traceState: headers.get('tracestate') ?? '',
  };
}

/** Tells the next hop. What the client said of the trace's state goes on, or goes. */
export function injectContext(headers: RequestHeaderMap, context: SpanContext): void {
  const { traceId, spanId, sampled, traceState } = context;
  headers.set('traceparent', `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`);
  headers.set('tracestate', traceState);
}
