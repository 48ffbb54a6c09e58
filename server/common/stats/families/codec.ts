// Stats of HTTP codecs, as Envoy 1.40 lists them.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/stats

import { statSchema } from '../schema.ts';

/** Below `http1.` and `cluster.<name>.http1.`; made with the first connection. */
export const HTTP1_CODEC_STATS = statSchema('http1_codec', {
  dropped_headers_with_underscores: 'counter',
  metadata_not_supported_error: 'counter',
  requests_rejected_with_underscores_in_headers: 'counter',
  response_flood: 'counter',
});

/** Below `http2.` and `cluster.<name>.http2.`; made with the first connection. */
export const HTTP2_CODEC_STATS = statSchema('http2_codec', {
  cookie_count: 'histogram:none',
  cookie_size: 'histogram:bytes',
  cookies_total_bytes_too_large: 'counter',
  deferred_stream_close: 'gauge',
  dropped_headers_with_underscores: 'counter',
  goaway_sent: 'counter',
  header_count: 'histogram:none',
  header_list_size: 'histogram:bytes',
  header_list_size_too_large: 'counter',
  header_overflow: 'counter',
  headers_cb_no_stream: 'counter',
  inbound_empty_frames_flood: 'counter',
  inbound_priority_frames_flood: 'counter',
  inbound_window_update_frames_flood: 'counter',
  keepalive_timeout: 'counter',
  metadata_empty_frames: 'counter',
  nghttp2_downstream_connections: 'counter',
  nghttp2_upstream_connections: 'counter',
  oghttp2_downstream_connections: 'counter',
  oghttp2_upstream_connections: 'counter',
  outbound_control_flood: 'counter',
  outbound_control_frames_active: 'gauge',
  outbound_flood: 'counter',
  outbound_frames_active: 'gauge',
  pending_send_bytes: 'gauge',
  requests_rejected_with_underscores_in_headers: 'counter',
  rx_messaging_error: 'counter',
  rx_reset: 'counter',
  stream_refused_errors: 'counter',
  streams_active: 'gauge',
  trailers: 'counter',
  tx_flush_timeout: 'counter',
  tx_reset: 'counter',
});
