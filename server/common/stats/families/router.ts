// Stats of the router filter and virtual clusters, as Envoy 1.40 lists them.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/router_filter

import { statSchema } from '../schema.ts';

/** Below `http.<stat_prefix>.`: the router filter. */
export const ROUTER_STATS = statSchema('router', {
  no_cluster: 'counter',
  no_route: 'counter',
  passthrough_internal_redirect_bad_location: 'counter',
  passthrough_internal_redirect_no_route: 'counter',
  passthrough_internal_redirect_predicate: 'counter',
  passthrough_internal_redirect_too_many_redirects: 'counter',
  passthrough_internal_redirect_unsafe_scheme: 'counter',
  rq_direct_response: 'counter',
  rq_overload_local_reply: 'counter',
  rq_redirect: 'counter',
  rq_reset_after_downstream_response_started: 'counter',
  rq_total: 'counter',
});

/** Below `vhost.<virtual host>.vcluster.<virtual cluster>.` and `vhost.<virtual host>.route.<stat_prefix>.`. */
export const VIRTUAL_CLUSTER_STATS = statSchema('virtual_cluster', {
  upstream_rq_retry: 'counter',
  upstream_rq_retry_limit_exceeded: 'counter',
  upstream_rq_retry_overflow: 'counter',
  upstream_rq_retry_success: 'counter',
  upstream_rq_timeout: 'counter',
  upstream_rq_total: 'counter',
});
