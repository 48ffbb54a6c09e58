// Stats of the server itself, as Envoy 1.40 lists them.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/statistics

import { statSchema } from '../schema.ts';

/** Below `server.`. */
export const SERVER_STATS = statSchema('server', {
  concurrency: 'gauge',
  days_until_first_cert_expiring: 'gauge',
  debug_assertion_failures: 'counter',
  dropped_stat_flushes: 'counter',
  dynamic_unknown_fields: 'counter',
  envoy_bug_failures: 'counter',
  envoy_notifications: 'counter',
  hot_restart_epoch: 'gauge',
  initialization_time_ms: 'histogram:ms',
  live: 'gauge',
  memory_allocated: 'gauge',
  memory_heap_size: 'gauge',
  memory_physical_size: 'gauge',
  parent_connections: 'gauge',
  seconds_until_first_ocsp_response_expiring: 'gauge',
  state: 'gauge',
  static_unknown_fields: 'counter',
  stats_recent_lookups: 'gauge',
  total_connections: 'gauge',
  uptime: 'gauge',
  version: 'gauge',
  wip_protos: 'counter',
});

/** Below `server.compilation_settings.`. */
export const COMPILATION_SETTINGS_STATS = statSchema('server_compilation_settings', {
  fips_mode: 'gauge',
});

/** Below `main_thread.`, `workers.`, `server.main_thread.` and `server.worker_<n>.`. */
export const WATCHDOG_STATS = statSchema('watchdog', {
  watchdog_mega_miss: 'counter',
  watchdog_miss: 'counter',
});

/** Below `filesystem.`. */
export const FILESYSTEM_STATS = statSchema('filesystem', {
  flushed_by_timer: 'counter',
  reopen_failed: 'counter',
  write_buffered: 'counter',
  write_completed: 'counter',
  write_dropped: 'counter:unlisted',
  write_failed: 'counter',
  write_total_buffered: 'gauge',
});

/** Below `overload.`. */
export const OVERLOAD_MANAGER_STATS = statSchema('overload', {
  refresh_interval_delay: 'histogram:ms',
});

/** Below `envoy.overload_actions.reset_high_memory_stream.`. */
export const OVERLOAD_ACTION_STATS = statSchema('overload_action', {
  count: 'counter',
});

/** Below `dns.cares.`. */
export const DNS_CARES_STATS = statSchema('dns_cares', {
  get_addr_failure: 'counter',
  not_found: 'counter',
  pending_resolutions: 'gauge',
  reinits: 'counter',
  resolve_total: 'counter',
  timeouts: 'counter',
});
