// Stats of the TCP proxy, as Envoy 1.40 lists them.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/listeners/network_filters/tcp_proxy_filter

import { statSchema } from '../schema.ts';

/** Below `tcp.<stat_prefix>.`. */
export const TCP_PROXY_STATS = statSchema('tcp_proxy', {
  downstream_cx_drain_close: 'counter',
  downstream_cx_no_route: 'counter',
  downstream_cx_overload_close: 'counter',
  downstream_cx_rx_bytes_buffered: 'gauge',
  downstream_cx_rx_bytes_total: 'counter',
  downstream_cx_total: 'counter',
  downstream_cx_tx_bytes_buffered: 'gauge',
  downstream_cx_tx_bytes_total: 'counter',
  downstream_flow_control_paused_reading_total: 'counter',
  downstream_flow_control_resumed_reading_total: 'counter',
  early_data_received_count_total: 'counter',
  idle_timeout: 'counter',
  max_downstream_connection_duration: 'counter',
  route_delayed_total: 'counter',
  upstream_flush_active: 'gauge',
  upstream_flush_total: 'counter',
});
