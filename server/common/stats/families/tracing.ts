// Stats of tracers, as Envoy 1.40 lists them. https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/statistics

import { statSchema } from '../schema.ts';

/** Below `tracing.opentelemetry.`. */
export const OPENTELEMETRY_STATS = statSchema('opentelemetry', {
  spans_dropped: 'counter',
  spans_sent: 'counter',
  timer_flushed: 'counter',
});

/** Below `tracing.zipkin.`. */
export const ZIPKIN_STATS = statSchema('zipkin', {
  reports_dropped: 'counter',
  reports_failed: 'counter',
  reports_sent: 'counter',
  reports_skipped_no_cluster: 'counter',
  spans_sent: 'counter',
  timer_flushed: 'counter',
});
