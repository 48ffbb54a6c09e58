// Which fields of each route message this proxy honours. A field that is set and is not in the table is an error, so nothing
// a user writes is ever ignored in silence. Decoded messages own only the fields that were set, so defaults pass.

import { at, ConfigError } from '../../api/config_error.ts';

const HEADER_MUTATIONS = [
  'request_headers_to_add',
  'request_headers_to_remove',
  'response_headers_to_add',
  'response_headers_to_remove',
];

/** Fields by message name below envoy.config.route.v3. */
const HANDLED: Readonly<Record<string, ReadonlySet<string>>> = {
  RouteConfiguration: new Set([
    'name',
    'virtual_hosts',
    'internal_only_headers',
    ...HEADER_MUTATIONS,
    'most_specific_header_mutations_wins',
    'validate_clusters',
    'max_direct_response_body_size_bytes',
    'request_mirror_policies',
    'ignore_port_in_host_matching',
    'ignore_path_parameters_in_path_matching',
    'typed_per_filter_config',
    'metadata',
  ]),
  VirtualHost: new Set([
    'name',
    'domains',
    'routes',
    'matcher',
    'require_tls',
    'virtual_clusters',
    ...HEADER_MUTATIONS,
    'typed_per_filter_config',
    'include_request_attempt_count',
    'include_attempt_count_in_response',
    'include_is_timeout_retry_header',
    'retry_policy',
    'hedge_policy',
    'per_request_buffer_limit_bytes',
    'request_mirror_policies',
    'metadata',
  ]),
  VirtualCluster: new Set(['name', 'headers']),
  Route: new Set([
    'name',
    'match',
    'route',
    'redirect',
    'direct_response',
    'non_forwarding_action',
    'metadata',
    'decorator',
    'tracing',
    ...HEADER_MUTATIONS,
    'typed_per_filter_config',
    'per_request_buffer_limit_bytes',
    'stat_prefix',
  ]),
  RouteMatch: new Set([
    'prefix',
    'path',
    'safe_regex',
    'connect_matcher',
    'path_separated_prefix',
    'path_match_policy',
    'case_sensitive',
    'runtime_fraction',
    'headers',
    'query_parameters',
    'grpc',
    'tls_context',
    'dynamic_metadata',
    'filter_state',
    'cookies',
  ]),
  RouteAction: new Set([
    'cluster',
    'cluster_header',
    'weighted_clusters',
    'cluster_not_found_response_code',
    'metadata_match',
    'prefix_rewrite',
    'regex_rewrite',
    'path_rewrite_policy',
    'host_rewrite_literal',
    'auto_host_rewrite',
    'host_rewrite_header',
    'host_rewrite_path_regex',
    'append_x_forwarded_host',
    'timeout',
    'idle_timeout',
    'retry_policy',
    'hedge_policy',
    'internal_redirect_policy',
    'internal_redirect_action',
    'max_internal_redirects',
    'request_mirror_policies',
    'priority',
    'hash_policy',
    'max_grpc_timeout',
    'grpc_timeout_offset',
    'max_stream_duration',
    'upgrade_configs',
  ]),
  WeightedCluster: new Set([
    'clusters',
    'total_weight',
    'runtime_key_prefix',
    'header_name',
    'use_hash_policy',
  ]),
  'WeightedCluster.ClusterWeight': new Set([
    'name',
    'cluster_header',
    'weight',
    'metadata_match',
    ...HEADER_MUTATIONS,
    'typed_per_filter_config',
    'host_rewrite_literal',
  ]),
  'RouteAction.UpgradeConfig': new Set(['upgrade_type', 'enabled', 'connect_config']),
  ProxyProtocolConfig: new Set(['version']),
  'RouteAction.RequestMirrorPolicy': new Set([
    'cluster',
    'cluster_header',
    'runtime_fraction',
    'trace_sampled',
    'disable_shadow_host_suffix_append',
    'request_headers_mutations',
    'host_rewrite_literal',
  ]),
  RetryPolicy: new Set([
    'retry_on',
    'num_retries',
    'per_try_timeout',
    'per_try_idle_timeout',
    'retry_priority',
    'retry_host_predicate',
    'host_selection_retry_max_attempts',
    'retriable_status_codes',
    'retry_back_off',
    'rate_limited_retry_back_off',
    'retriable_headers',
    'retriable_request_headers',
  ]),
  // Envoy has not made its initial_requests and additional_request_chance either.
  HedgePolicy: new Set(['hedge_on_per_try_timeout']),
  InternalRedirectPolicy: new Set([
    'max_internal_redirects',
    'redirect_response_codes',
    'predicates',
    'allow_cross_scheme_redirect',
    'response_headers_to_copy',
  ]),
  RedirectAction: new Set([
    'https_redirect',
    'scheme_redirect',
    'host_redirect',
    'port_redirect',
    'path_redirect',
    'prefix_rewrite',
    'regex_rewrite',
    'response_code',
    'strip_query',
  ]),
  DirectResponseAction: new Set(['status', 'body']),
};

/** Fields of a later release: rejected as well, with more to say than that they are unknown. */
const LATER: Readonly<Record<string, string>> = {
  rate_limits: 'rate limit descriptors of routes are not supported',
  include_vh_rate_limits: 'rate limit descriptors of routes are not supported',
  cors: 'use typed_per_filter_config with envoy.extensions.filters.http.cors.v3.CorsPolicy',
  vhds: 'virtual host discovery is not supported',
};

/** Throws ConfigError for the first field of `message` that is set and not honoured. */
export function checkFields(messageName: string, message: object, path: string): void {
  const handled = HANDLED[messageName];
  for (const field of Object.keys(message)) {
    if (!handled.has(field) && (message as Record<string, unknown>)[field] !== undefined) {
      throw new ConfigError(at(path, field), LATER[field] ?? `${field} is not supported`);
    }
  }
}
