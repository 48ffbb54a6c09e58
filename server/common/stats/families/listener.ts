// Stats of listeners, as Envoy 1.40 lists them.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/listeners/stats

import { statSchema } from '../schema.ts';

const CONNECTION_STATS = {
  connections_accepted_per_socket_event: 'histogram:none',
  downstream_cx_active: 'gauge',
  downstream_cx_destroy: 'counter',
  downstream_cx_length_ms: 'histogram:ms',
  downstream_cx_overflow: 'counter',
  downstream_cx_overload_reject: 'counter',
  downstream_cx_total: 'counter',
  downstream_cx_transport_socket_connect_timeout: 'counter',
  downstream_global_cx_overflow: 'counter',
  downstream_listener_filter_error: 'counter',
  downstream_listener_filter_remote_close: 'counter',
  downstream_pre_cx_active: 'gauge',
  downstream_pre_cx_timeout: 'counter',
  no_filter_chain_match: 'counter',
} as const;

/** Below `listener.<address or stat_prefix>.`. */
export const LISTENER_STATS = statSchema('listener', {
  ...CONNECTION_STATS,
  extension_config_missing: 'counter',
  network_extension_config_missing: 'counter',
});

/** Below `listener.admin.`, which has no extensions. */
export const ADMIN_LISTENER_STATS = statSchema('admin_listener', CONNECTION_STATS);

/** Below `listener.<address>.worker_<n>.`. */
export const PER_HANDLER_LISTENER_STATS = statSchema('per_handler_listener', {
  downstream_cx_active: 'gauge',
  downstream_cx_total: 'counter',
});
