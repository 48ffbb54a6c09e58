// Stats of a cluster, as Envoy 1.40 lists them.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/cluster_manager/cluster_stats

import { statSchema } from '../schema.ts';

/** Below `cluster.<name>.`: how the cluster got its configuration and endpoints. Kept by the main thread. */
export const CLUSTER_CONFIG_UPDATE_STATS = statSchema('cluster_config_update', {
  assignment_stale: 'counter',
  assignment_timeout_received: 'counter',
  assignment_use_cached: 'counter',
  update_empty: 'counter',
  update_no_rebuild: 'counter',
  warming_state: 'gauge',
});

/** Below `cluster.<name>.` where it is not EDS; there the subscription has stats of these names. */
export const CLUSTER_UPDATE_STATS = statSchema('cluster_update', {
  update_attempt: 'counter',
  update_failure: 'counter',
  update_success: 'counter',
  version: 'gauge',
});

/** Below `cluster.<name>.`: its hosts. Kept by the main thread. */
export const CLUSTER_ENDPOINT_STATS = statSchema('cluster_endpoint', {
  // A family of its own would cost ten thousand clusters ten thousand blocks.
  'default.total_match_count': 'counter',
  max_host_weight: 'gauge',
  membership_change: 'counter',
  membership_degraded: 'gauge',
  membership_excluded: 'gauge',
  membership_healthy: 'gauge',
  membership_total: 'gauge',
  // Of RESPONSE_CODE_STATS the one that is there before the first response.
  upstream_rq_completed: 'counter',
});

/** Below `cluster.<name>.`: load balancing decisions. */
export const CLUSTER_LB_STATS = statSchema('cluster_lb', {
  lb_healthy_panic: 'counter',
  lb_local_cluster_not_ok: 'counter',
  lb_recalculate_zone_structures: 'counter',
  lb_subsets_active: 'gauge',
  lb_subsets_created: 'counter',
  lb_subsets_fallback: 'counter',
  lb_subsets_fallback_panic: 'counter',
  lb_subsets_removed: 'counter',
  lb_subsets_selected: 'counter',
  lb_zone_cluster_too_small: 'counter',
  lb_zone_no_capacity_left: 'counter',
  lb_zone_routing_all_directly: 'counter',
  lb_zone_routing_cross_zone: 'counter',
  lb_zone_routing_sampled: 'counter',
});

/** Below `cluster.<name>.`, of those that balance by subset. */
export const CLUSTER_SUBSET_STATS = statSchema('cluster_subset', {
  lb_subsets_single_host_per_subset_duplicate: 'gauge',
});

/** Below `cluster.<name>.ring_hash_lb.`. Kept by the main thread. */
export const RING_HASH_STATS = statSchema('ring_hash_lb', {
  max_hashes_per_host: 'gauge',
  min_hashes_per_host: 'gauge',
  size: 'gauge',
});

/** Below `cluster.<name>.maglev_lb.`. Kept by the main thread. */
export const MAGLEV_STATS = statSchema('maglev_lb', {
  max_entries_per_host: 'gauge',
  min_entries_per_host: 'gauge',
});

/** Below `cluster.<name>.`: connections and requests. */
export const CLUSTER_TRAFFIC_STATS = statSchema('cluster_traffic', {
  bind_errors: 'counter',
  original_dst_host_invalid: 'counter',
  retry_or_shadow_abandoned: 'counter',
  upstream_cx_active: 'gauge',
  upstream_cx_close_notify: 'counter',
  upstream_cx_connect_attempts_exceeded: 'counter',
  upstream_cx_connect_fail: 'counter',
  upstream_cx_connect_ms: 'histogram:ms',
  upstream_cx_connect_timeout: 'counter',
  upstream_cx_connect_with_0_rtt: 'counter',
  upstream_cx_destroy: 'counter',
  upstream_cx_destroy_local: 'counter',
  upstream_cx_destroy_local_with_active_rq: 'counter',
  upstream_cx_destroy_remote: 'counter',
  upstream_cx_destroy_remote_with_active_rq: 'counter',
  upstream_cx_destroy_with_active_rq: 'counter',
  upstream_cx_http1_total: 'counter',
  upstream_cx_http2_total: 'counter',
  upstream_cx_http3_total: 'counter',
  upstream_cx_idle_timeout: 'counter',
  upstream_cx_length_ms: 'histogram:ms',
  upstream_cx_max_duration_reached: 'counter',
  upstream_cx_max_requests: 'counter',
  upstream_cx_none_healthy: 'counter',
  upstream_cx_overflow: 'counter',
  upstream_cx_pool_overflow: 'counter',
  upstream_cx_preconnect_skipped: 'counter',
  upstream_cx_protocol_error: 'counter',
  upstream_cx_rx_bytes_buffered: 'gauge',
  upstream_cx_rx_bytes_total: 'counter',
  upstream_cx_total: 'counter',
  upstream_cx_tx_bytes_buffered: 'gauge',
  upstream_cx_tx_bytes_total: 'counter',
  upstream_flow_control_backed_up_total: 'counter',
  upstream_flow_control_drained_total: 'counter',
  upstream_flow_control_paused_reading_total: 'counter',
  upstream_flow_control_resumed_reading_total: 'counter',
  upstream_http3_broken: 'counter',
  upstream_internal_redirect_failed_total: 'counter',
  upstream_internal_redirect_succeeded_total: 'counter',
  upstream_queue_overloaded: 'gauge',
  upstream_rq_0rtt: 'counter',
  upstream_rq_active: 'gauge',
  upstream_rq_active_overflow: 'counter',
  upstream_rq_cancelled: 'counter',
  upstream_rq_maintenance_mode: 'counter',
  upstream_rq_max_duration_reached: 'counter',
  upstream_rq_pending_active: 'gauge',
  upstream_rq_pending_failure_eject: 'counter',
  upstream_rq_pending_overflow: 'counter',
  upstream_rq_pending_total: 'counter',
  upstream_rq_per_cx: 'histogram:none',
  upstream_rq_per_try_idle_timeout: 'counter',
  upstream_rq_per_try_timeout: 'counter',
  upstream_rq_retry: 'counter',
  upstream_rq_retry_backoff_exponential: 'counter',
  upstream_rq_retry_backoff_ratelimited: 'counter',
  upstream_rq_retry_limit_exceeded: 'counter',
  upstream_rq_retry_overflow: 'counter',
  upstream_rq_retry_success: 'counter',
  upstream_rq_rx_reset: 'counter',
  upstream_rq_rx_reset_no_error: 'counter',
  upstream_rq_timeout: 'counter',
  upstream_rq_total: 'counter',
  upstream_rq_tx_reset: 'counter',
});

/** Below `cluster.<name>.circuit_breakers.<priority>.`: 1 while a limit is reached. */
export const CLUSTER_CIRCUIT_BREAKER_STATS = statSchema('cluster_circuit_breakers', {
  cx_open: 'gauge',
  cx_pool_open: 'gauge',
  rq_open: 'gauge',
  rq_pending_open: 'gauge',
  rq_retry_open: 'gauge',
});

/** Below `cluster.<name>.circuit_breakers.<priority>.`, with `track_remaining`. */
export const CLUSTER_CIRCUIT_BREAKER_REMAINING_STATS = statSchema('cluster_circuit_breakers_remaining', {
  remaining_cx: 'gauge',
  remaining_cx_pools: 'gauge',
  remaining_pending: 'gauge',
  remaining_retries: 'gauge',
  remaining_rq: 'gauge',
});

/** Below `cluster.<name>.outlier_detection.`. */
export const CLUSTER_OUTLIER_DETECTION_STATS = statSchema('cluster_outlier_detection', {
  ejections_active: 'gauge',
  ejections_consecutive_5xx: 'counter',
  ejections_detected_consecutive_5xx: 'counter',
  ejections_detected_consecutive_gateway_failure: 'counter',
  ejections_detected_consecutive_local_origin_failure: 'counter',
  ejections_detected_degradation: 'counter',
  ejections_detected_failure_percentage: 'counter',
  ejections_detected_local_origin_failure_percentage: 'counter',
  ejections_detected_local_origin_success_rate: 'counter',
  ejections_detected_success_rate: 'counter',
  ejections_enforced_consecutive_5xx: 'counter',
  ejections_enforced_consecutive_gateway_failure: 'counter',
  ejections_enforced_consecutive_local_origin_failure: 'counter',
  ejections_enforced_failure_percentage: 'counter',
  ejections_enforced_local_origin_failure_percentage: 'counter',
  ejections_enforced_local_origin_success_rate: 'counter',
  ejections_enforced_success_rate: 'counter',
  ejections_enforced_total: 'counter',
  ejections_overflow: 'counter',
  ejections_success_rate: 'counter',
  ejections_total: 'counter',
});

/** Below `cluster.<name>.health_check.`. */
export const CLUSTER_HEALTH_CHECK_STATS = statSchema('cluster_health_check', {
  attempt: 'counter',
  degraded: 'gauge',
  failure: 'counter',
  healthy: 'gauge',
  network_failure: 'counter',
  passive_failure: 'counter',
  success: 'counter',
  verify_cluster: 'counter',
});

/** Below `cluster.<name>.lb_orca_oob.`. */
export const CLUSTER_ORCA_OOB_STATS = statSchema('cluster_orca_oob', {
  active_sessions: 'gauge',
  report_errors: 'counter',
  reports_received: 'counter',
  stream_failures: 'counter',
  stream_terminated: 'counter',
});

/** Below `cluster.<name>.`, with `track_cluster_stats.timeout_budgets`. */
export const CLUSTER_TIMEOUT_BUDGET_STATS = statSchema('cluster_timeout_budgets', {
  upstream_rq_timeout_budget_per_try_percent_used: 'histogram:percent',
  upstream_rq_timeout_budget_percent_used: 'histogram:percent',
});

/** Below `cluster.<name>.`, with `track_cluster_stats.request_response_sizes`. */
export const CLUSTER_REQUEST_RESPONSE_SIZE_STATS = statSchema('cluster_request_response_sizes', {
  upstream_rq_body_size: 'histogram:bytes',
  upstream_rq_headers_count: 'histogram:none',
  upstream_rq_headers_size: 'histogram:bytes',
  upstream_rs_body_size: 'histogram:bytes',
  upstream_rs_headers_count: 'histogram:none',
  upstream_rs_headers_size: 'histogram:bytes',
});

/**
 * Below `cluster.<name>.` and its parts `canary.`, `external.`, `internal.`, `zone.<from>.<to>.`, and below virtual clusters:
 * Envoy makes each with the first response of its kind. Written through ResponseCodeStats.
 */
export const RESPONSE_CODE_STATS = statSchema('response_code', {
  upstream_rq_completed: 'counter:unlisted',
  upstream_rq_1xx: 'counter:unlisted',
  upstream_rq_2xx: 'counter:unlisted',
  upstream_rq_3xx: 'counter:unlisted',
  upstream_rq_4xx: 'counter:unlisted',
  upstream_rq_5xx: 'counter:unlisted',
  upstream_rq_time: 'histogram:ms:unlisted',
});
