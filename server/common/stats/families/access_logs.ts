// Stats of access loggers that send their lines away, as Envoy 1.40 lists them.

import { statSchema } from '../schema.ts';

/** Below `access_logs.grpc_access_log.`. */
export const GRPC_ACCESS_LOG_STATS = statSchema('grpc_access_log', {
  grpc_entries_flush_failed: 'counter',
  grpc_entries_flushed: 'counter',
  logs_dropped: 'counter',
  logs_written: 'counter',
});

/** Below `access_logs.open_telemetry_access_log.`. */
export const OPENTELEMETRY_ACCESS_LOG_STATS = statSchema('open_telemetry_access_log', {
  grpc_entries_flush_failed: 'counter',
  grpc_entries_flushed: 'counter',
  logs_dropped: 'counter',
  logs_written: 'counter',
});
