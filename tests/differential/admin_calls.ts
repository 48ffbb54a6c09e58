// Calls of the admin port that Envoy and Pilotfish must answer alike: the status, the content type and the body. In this
// order, because some change what others see.

/**
 * What is compared besides the status: the `body`, its `lines` in whatever order (Envoy's comes from hash tables), the `shape`
 * of JSON (its fields), the first `line`, or only the content `type`.
 */
export type Compared = 'body' | 'lines' | 'type' | 'shape' | 'line';

export interface AdminCall {
  readonly method: string;
  readonly target: string;
  readonly form?: string;
  readonly compared: Compared;
}

function calls(method: string, compared: Compared, ...targets: readonly string[]): AdminCall[] {
  return targets.map((target) => ({ method, target, compared }));
}

const HISTOGRAM_MODES = [
  'none',
  'cumulative',
  'disjoint',
  'detailed',
  'summary',
  'prometheusnative',
  'foo',
  '',
];

export const READS: readonly AdminCall[] = [
  ...calls('GET', 'type', '/', '/server_info', '/memory/tcmalloc'),
  ...calls('GET', 'body', '/help', '/nope', '/stats/', '/STATS', '/tap', '/hystrix_event_stream', '/ready', '/contention'),
  ...calls('GET', 'body', '/hot_restart_version', '/certs', '/init_dump', '/init_dump?mask=listener', '/init_dump?mask=foo'),
  ...calls('GET', 'shape', '/memory', '/server_info'),
  ...calls('GET', 'body', '/listeners', '/listeners?format=json', '/listeners?format=xml', '/listeners?format=JSON'),
  ...calls('GET', 'lines', '/clusters', '/clusters?format=json', '/clusters?format=xml', '/clusters?filter='),
  ...calls('GET', 'body', '/clusters?filter=h2', '/clusters?filter=%5B', '/clusters?filter=zzz', '/clusters?filter=zzz&format=json'),
  ...calls('GET', 'lines', '/runtime', '/runtime?format=xml'),
  ...calls('GET', 'body', '/stats/recentlookups/clear', '/stats/recentlookups/enable', '/stats/recentlookups/nope'),
  ...calls('OPTIONS', 'body', '/ready'), ...calls('DELETE', 'body', '/ready'), ...calls('POST', 'body', '/ready'),
  // ---- statistics
  ...calls('GET', 'body', '/stats?format=foo', '/stats?hidden=foo', '/stats?hidden=only', '/stats?type=foo', '/stats?filter=%5B'),
  ...calls('GET', 'body', '/stats?filter=a%28', '/stats?filter=%2A', '/stats?filter=a**', '/stats?filter=%5Cz&type=foo', '/stats?filter=zzz'),
  ...calls('GET', 'body', '/stats?filter=zzz&format=json', '/stats?filter=zzz&format=prometheus', '/stats?&&=x&filter=zzz'),
  ...calls('GET', 'body', '/stats?filter=ingress_http.downstream_rq_[0-9]xx', '/stats?type=TextReadouts', '/stats?type=TextReadouts&format=json'),
  ...calls('GET', 'body', '/stats?format=&filter=ingress_http.downstream_rq_[0-9]xx', '/stats?type=&filter=zzz', '/stats?type=counters'),
  ...calls('GET', 'body', '/stats?filter=ingress_http.downstream_rq_[0-9]xx&format=json', '/stats?filter=^cluster.h2_cluster.m&type=Gauges'),
  ...calls('GET', 'body', '/stats?filter=ingress_http.downstream_rq_[0-9]xx&format=prometheus', '/stats?filter=h1_cluster.external.upstream_rq_(\\d|completed)&format=prometheus'),
  ...calls('GET', 'body', '/stats?filter=ingress_https.downstream_rq_&usedonly&type=Counters', '/stats?filter=[^5]$|^[^h]&invert_filter&type=Counters'),
  ...calls('GET', 'body', '/stats?type=Counters&type=Gauges&filter=concurrency', '/stats?filter=a%20b', '/stats?filter=concurrency&filter=zzz'),
  ...calls('GET', 'type', '/stats?format=html', '/stats?format=active-html', '/stats?format=prometheus&text_readouts'),
  ...HISTOGRAM_MODES.flatMap((mode) => [
    ...calls('GET', 'body', `/stats?filter=rq_time&histogram_buckets=${mode}&usedonly&type=Counters`),
    ...calls('GET', 'body', `/stats?filter=h2_cluster.upstream_cx_length&histogram_buckets=${mode}`),
    ...calls('GET', 'body', `/stats?filter=h2_cluster.upstream_cx_length&histogram_buckets=${mode}&format=json`),
    ...calls('GET', 'body', `/stats/prometheus?filter=h2_cluster.upstream_cx_length&histogram_buckets=${mode}`),
  ]),
  ...calls('GET', 'shape', '/stats?filter=h1_cluster.upstream_cx_length&format=json', '/stats?filter=h1_cluster.upstream_cx_length&format=json&histogram_buckets=cumulative'),
  // ---- configuration
  ...calls('GET', 'body', '/config_dump?resource=foo', '/config_dump?resource=bootstrap', '/config_dump?mask=foo', '/config_dump?name_regex=%5B'),
  ...calls('GET', 'body', '/config_dump?resource=static_clusters&mask=foo', '/config_dump?resource=static_clusters&mask=cluster.name', '/config_dump?mask=bootstrap.node.id'),
  ...calls('GET', 'body', '/config_dump?resource=dynamic_active_clusters', '/config_dump?resource=dynamic_listeners', '/config_dump?resource=static_secrets'),
  ...calls('GET', 'body', '/config_dump?resource=static_listeners', '/config_dump?resource=static_clusters'),
  ...calls('GET', 'lines', '/config_dump?resource=static_route_configs'),
  ...calls('GET', 'body', '/config_dump?resource=static_clusters&name_regex=.*h2.*', '/config_dump?name_regex=zzz&resource=static_listeners', '/config_dump?resource=last_updated'),
  ...calls('GET', 'body', '/config_dump?resource=static_endpoint_configs', '/config_dump?include_eds&resource=static_endpoint_configs', '/config_dump?mask=static_clusters'),
  ...calls('GET', 'body', '/config_dump?mask=version_info', '/config_dump?resource=static_clusters&mask=cluster.name,last_updated'),
  ...calls('GET', 'shape', '/config_dump', '/config_dump?include_eds', '/config_dump?mask=&name_regex=', '/config_dump?resource='),
  ...calls('GET', 'shape', '/config_dump?name_regex=.*h2.*'), ...calls('GET', 'body', '/stats?hidden=include&filter=zzz', '/stats?hidden=exclude&filter=zzz'),
  ...calls('HEAD', 'body', '/stats?filter=zzz'),
  ...calls('POST', 'type', '/config_dump', '/stats'), ...calls('DELETE', 'type', '/stats'),
]; // biome-ignore format: a list

const CHANGING = ['/allocprofiler', '/cpuprofiler', '/drain_listeners', '/healthcheck/fail', '/healthcheck/ok', '/heapprofiler', '/logging', '/quitquitquit', '/reopen_logs', '/reset_counters', '/runtime_modify?a=b', '/stats/recentlookups/clear', '/stats/recentlookups/disable', '/stats/recentlookups/enable']; // biome-ignore format: a list

export const CHANGES: readonly AdminCall[] = [
  ...calls('GET', 'body', ...CHANGING), ...calls('PUT', 'body', ...CHANGING),
  ...calls('POST', 'body', '/cpuprofiler', '/cpuprofiler?enable=z', '/cpuprofiler?enable=n', '/cpuprofiler?enable=y&x=y', '/allocprofiler', '/allocprofiler?enable=z'),
  ...calls('POST', 'body', '/runtime_modify', '/runtime_modify?key1=value1&key2=7'), ...calls('GET', 'lines', '/runtime'),
  { method: 'POST', target: '/runtime_modify', form: 'key3=a%20b&health_check.min_interval=9', compared: 'body' },
  ...calls('GET', 'lines', '/runtime'), ...calls('POST', 'body', '/runtime_modify?key1=&health_check.min_interval='), ...calls('GET', 'lines', '/runtime'),
  ...calls('POST', 'line', '/logging?level=foo', '/logging?foo=debug', '/logging?http=foo', '/logging?paths=http:foo', '/logging?paths=foo:debug', '/logging?http=debug&router=debug'),
  ...calls('POST', 'line', '/logging?paths=', '/logging?paths=http', '/logging?group=http:debug', '/logging?level=', '/logging', '/logging?admin=error'),
  ...calls('POST', 'line', '/logging?paths=router:debug,http:info', '/logging?level=error', '/logging?level=warn'),
  ...calls('POST', 'body', '/stats/recentlookups/enable', '/stats/recentlookups/clear', '/stats/recentlookups/disable', '/reopen_logs', '/reset_counters'),
  ...calls('GET', 'body', '/stats?usedonly&filter=ingress_http.downstream_rq_[0-9]xx', '/stats/recentlookups'),
  ...calls('POST', 'body', '/healthcheck/fail'), ...calls('GET', 'body', '/ready'), ...calls('POST', 'body', '/healthcheck/ok'), ...calls('GET', 'body', '/ready'),
  ...calls('POST', 'body', '/drain_listeners?graceful&skip_exit', '/drain_listeners?inboundonly'), ...calls('GET', 'body', '/listeners'),
  ...calls('POST', 'body', '/drain_listeners'), ...calls('GET', 'body', '/listeners', '/ready'),
  ...calls('POST', 'body', '/quitquitquit'),
]; // biome-ignore format: a list
