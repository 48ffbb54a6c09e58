// `--mode validate` beside a real Envoy for what an HTTP listener is made of: the same verdict, about the same thing.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ConfigError } from '../../server/api/config_error.ts';
import { setLogLevel } from '../../server/common/log.ts';
import { ThreadStatStore } from '../../server/common/stats/store.ts';
import { loadBootstrap } from '../../server/main/bootstrap/bootstrap.ts';
import { parseCommandLine } from '../../server/main/bootstrap/command_line.ts';
import { buildControl } from '../../server/main/control.ts';
import { ENVOY_BIN, validate } from './envoy_process.ts';
import { accessLog, resourcesOf, type Scenario, TYPE } from './proxy_scenario.ts';
import { ROUTE_VALIDATE_CASES } from './proxy_validate_route_cases.ts';

setLogLevel(undefined, 'off');

type Part = Omit<Scenario, 'name' | 'connections'>;
const OK = undefined;

const filter = (name: string, config: object): Readonly<Record<string, unknown>> => ({
  name,
  typed_config: { '@type': TYPE + name, ...config },
});
const manager = (more: object): Part => ({ manager: more as Scenario['manager'] });
const action = (more: object): Part => ({ action: more as Scenario['action'] });
const route = (more: object): Part => ({ route: more as Scenario['route'] });
const host = (more: object): Part => ({ virtualHost: more as Scenario['virtualHost'] });
const cluster = (more: object): Part => ({ cluster: more as Scenario['cluster'] });
const hosts = (...domains: string[][]): Part =>
  manager({ route_config: { virtual_hosts: domains.map((list, i) => ({ name: `v${i}`, domains: list })) } });
const header = (key: string, value: string, more: object = {}): object => ({
  header: { key, value },
  ...more,
});
const protocol = (more: object): Part =>
  cluster({
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': `${TYPE}upstreams.http.v3.HttpProtocolOptions`,
        ...more,
      },
    },
  });

const policy = (type: string, more: object = {}): { load_balancing_policy: object } => ({
  load_balancing_policy: {
    policies: [
      {
        typed_extension_config: {
          name: type,
          typed_config: { '@type': `${TYPE}load_balancing_policies.${type}`, ...more },
        },
      },
    ],
  },
});
const probe = (more: object): object => ({
  timeout: '1s',
  interval: '1s',
  unhealthy_threshold: 1,
  healthy_threshold: 1,
  ...more,
});

const tunnel = (tunneling_config: object): Part => ({
  networkFilters: [
    filter('filters.network.tcp_proxy.v3.TcpProxy', { stat_prefix: 't', cluster: '$C', tunneling_config }),
  ],
});

/** What both must say of the part, or OK. */
const CASES: readonly [name: string, part: Part, reason: RegExp | undefined][] = [
  ['nothing unusual', {}, OK],
  ['no stat_prefix', manager({ stat_prefix: '' }), /StatPrefix: value length must be at least 1/],
  ['no routes at all', manager({ route_config: undefined }), /RouteSpecifier|route_specifier/],
  ['no HTTP filters', manager({ http_filters: [] }), OK],
  ['a chain that does not end', { manager: { http_filters: [filter('filters.http.cors.v3.Cors', {})] } }, /non-terminal filter named filters.http.cors/],
  ['a router in the middle', { filters: [filter('filters.http.router.v3.Router', {})] }, /terminal filter named filters.http.router.*must be the last/],
  ['an unknown HTTP filter', { filters: [{ name: 'nope', typed_config: { '@type': 'type.googleapis.com/google.protobuf.Empty' } }] }, /Didn't find a registered implementation for 'nope'/],
  ['an unknown HTTP filter that is optional', { filters: [{ name: 'nope', is_optional: true, typed_config: { '@type': 'type.googleapis.com/google.protobuf.Empty' } }] }, OK],
  ['an unknown field', manager({ nope: 1 }), /no\s+such\s+field:\s+'nope'/],
  ['too large request headers', manager({ max_request_headers_kb: 100_000 }), /MaxRequestHeadersKb/],
  ['an upgrade twice', manager({ upgrade_configs: [{ upgrade_type: 'websocket' }, { upgrade_type: 'WebSocket' }] }), /multiple upgrade configs with the same name/],
  ['two ways to strip ports', manager({ strip_any_host_port: true, strip_matching_host_port: true }), /strip_matching_host_port.*strip_any_host_port|strip_any_host_port.*strip_matching_host_port/],
  ['an unknown server header transformation', manager({ server_header_transformation: 99 }), /ServerHeaderTransformation|server_header_transformation/],
  ['a scheme of its own', manager({ scheme_header_transformation: { scheme_to_overwrite: 'ftp' } }), /SchemeToOverwrite/],
  ['a local reply without a filter', manager({ local_reply_config: { mappers: [{ status_code: 500 }] } }), /Filter: value is required/],
  ['a local reply with a strange status', manager({ local_reply_config: { mappers: [{ filter: { not_health_check_filter: {} }, status_code: 700 }] } }), /StatusCode/],
  ['a log format that is broken', manager({ access_log: [accessLog('%REQ(%')] }), /Incorrect configuration|format|Invalid/i],
  ['a log operator that is unknown', manager({ access_log: [accessLog('%NOPE%')] }), /Not supported field in StreamInfo: NOPE/],
  ['an unknown access logger', manager({ access_log: [{ name: 'nope', typed_config: { '@type': 'type.googleapis.com/google.protobuf.Empty' } }] }), /Didn't find a registered implementation for 'nope'/],
  ['a log filter for an unknown flag', manager({ access_log: [accessLog('x', { response_flag_filter: { flags: ['NOPE'] } })] }), /Flags/],
  ['a name for an internal address range', manager({ internal_address_config: { cidr_ranges: [{ address_prefix: 'nope', prefix_len: 8 }] } }), /nope/],
  ['a provider of traces that is unknown', manager({ tracing: { provider: { name: 'nope', typed_config: { '@type': 'type.googleapis.com/google.protobuf.Empty' } } } }), /Didn't find a registered implementation for 'nope'/],
  ['an unknown original IP detection', manager({ original_ip_detection_extensions: [{ name: 'nope', typed_config: { '@type': 'type.googleapis.com/google.protobuf.Empty' } }] }), /nope|original_ip_detection_extensions/],
  ['a strange stream idle timeout', manager({ stream_idle_timeout: '-1s' }), /stream_idle_timeout|negative|Invalid duration/i],

  ['a domain twice', hosts(['a'], ['a']), /Only unique values for domains are permitted. Duplicate entry of domain a/i],
  ['a catch-all twice', hosts(['*'], ['*']), /Only a single wildcard domain is permitted/],
  ['a wildcard in the middle', hosts(['a*b']), OK],
  ['no domains', hosts([]), /Domains: value must contain at least 1 item/],
  ['an empty domain', hosts(['']), OK],
  ['a virtual host without a name', host({ name: '' }), /Name: value length must be at least 1/],
  ['a route without a match', route({ match: undefined }), /Match: value is required/],
  ['a route without a path', route({ match: {} }), /PathSpecifier|path_specifier/],
  ['a route without an action', { virtualHost: { routes: [{ match: { prefix: '/' } }] } }, /Action|action/],
  ['a route without a cluster', action({ cluster: undefined }), /ClusterSpecifier|cluster_specifier/],
  ['a bad regular expression', route({ match: { safe_regex: { regex: '(' } } }), /missing (?:closing )?\)/],
  ['a lookahead', route({ match: { safe_regex: { regex: '(?=a)' } } }), /invalid perl operator|\(\?=/],
  ['a separated prefix with a slash at its end', route({ match: { path_separated_prefix: '/a/' } }), /PathSeparatedPrefix/],
  ['two rewrites of the path', action({ prefix_rewrite: '/a', regex_rewrite: { pattern: { regex: 'a' }, substitution: 'b' } }), /Specify only one of prefix_rewrite, regex_rewrite/],
  ['weights of 0', action({ cluster: undefined, weighted_clusters: { clusters: [{ name: '$C', weight: 0 }] } }), /Sum of weights.*greater than 0/i],
  ['no weighted clusters', action({ cluster: undefined, weighted_clusters: { clusters: [] } }), /Clusters: value must contain at least 1 item/],
  ['an unknown retry condition', action({ retry_policy: { retry_on: 'nope' } }), OK],
  ['an unknown retry predicate', action({ retry_policy: { retry_host_predicate: [{ name: 'nope', typed_config: { '@type': 'type.googleapis.com/google.protobuf.Empty' } }] } }), /Didn't find a registered implementation for 'nope'/],
  ['a back-off that shrinks', action({ retry_policy: { retry_back_off: { base_interval: '2s', max_interval: '1s' } } }), /retry_policy.max_interval must greater than or equal to the base_interval/],
  ['a mirror without a cluster', action({ request_mirror_policies: [{}] }), /cluster/],
  ['a strange direct response', { virtualHost: { routes: [{ match: { prefix: '/' }, direct_response: { status: 99 } }] } }, /Status: value must be inside range/],
  ['a direct response that is too long', { virtualHost: { routes: [{ match: { prefix: '/' }, direct_response: { status: 200, body: { inline_string: 'x'.repeat(5000) } } }] } }, /response body size is 5000 bytes; maximum is 4096/],
  ['a header that may not be set', host({ request_headers_to_add: [header(':path', '/')] }), /:-prefixed or host headers may not be modified/],
  ['a header that may not be removed', host({ request_headers_to_remove: [':path'] }), /:-prefixed or host headers may not be removed/],
  ['a header without a name', host({ request_headers_to_add: [header('', 'v')] }), /Key: value length must be at least 1/],
  ['a header value that is no value', host({ request_headers_to_add: [header('a', 'a\nb')] }), /Value/],
  ['a header with an unknown operator', host({ request_headers_to_add: [header('a', '%NOPE%')] }), /NOPE/],
  ['two ways to append', host({ request_headers_to_add: [header('a', 'b', { append: true, append_action: 'ADD_IF_ABSENT' })] }), /append and append_action/],
  ['a virtual cluster without headers', host({ virtual_clusters: [{ name: 'a' }] }), /virtual clusters must define 'headers'|Headers/],
  ['a configuration for a filter that is not there', host({ typed_per_filter_config: { nope: { '@type': `${TYPE}filters.http.cors.v3.CorsPolicy` } } }), OK],
  ['a configuration of an unknown type', host({ typed_per_filter_config: { nope: { '@type': 'type.googleapis.com/google.protobuf.Empty' } } }), /nope/],
  ['a cluster that is not there', { manager: { route_config: { virtual_hosts: [{ name: 'v', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'unheard-of' } }] }] } } }, /unknown cluster 'unheard-of'/],
  ['a timeout below 0', action({ timeout: '-1s' }), /timeout|duration/i],
  ['an upgrade twice on a route', action({ upgrade_configs: [{ upgrade_type: 'a' }, { upgrade_type: 'a' }] }), /Duplicate upgrade a/],

  ['a connect timeout of 0', cluster({ connect_timeout: '0s' }), /ConnectTimeout: value must be greater than 0s/],
  ['a circuit breaker', cluster({ circuit_breakers: { thresholds: [{ max_retries: 1 }] } }), OK],
  ['a panic threshold above 100', cluster({ common_lb_config: { healthy_panic_threshold: { value: 101 } } }), /HealthyPanicThreshold|Value: value must be inside range/],
  ['a locality weight', cluster({ load_assignment: { cluster_name: '$C', endpoints: [{ priority: 1 }] } }), OK],
  ['priorities above 128', cluster({ load_assignment: { cluster_name: '$C', endpoints: [{ priority: 129 }] } }), /Priority/],
  ['no upstream protocol', protocol({}), /UpstreamProtocolOptions|upstream_protocol_options/],
  ['HTTP/1.1 options', protocol({ explicit_http_config: { http_protocol_options: {} } }), OK],
  ['HTTP/2 options', protocol({ explicit_http_config: { http2_protocol_options: { allow_connect: true } } }), OK],
  ['auto_config without TLS', protocol({ auto_config: {} }), /ALPN configured for cluster s which has a non-ALPN transport socket/],
  ['the protocol of the client', protocol({ use_downstream_protocol_config: {} }), OK],
  ['the protocol of the client, as it was said before', cluster({ protocol_selection: 'USE_DOWNSTREAM_PROTOCOL', http2_protocol_options: {} }), OK],
  ['a stream window that is too small', protocol({ explicit_http_config: { http2_protocol_options: { initial_stream_window_size: 1 } } }), /InitialStreamWindowSize/],
  ['no concurrent streams', manager({ http2_protocol_options: { max_concurrent_streams: 0 } }), /MaxConcurrentStreams/],
  ['a connection window that is too large', manager({ http2_protocol_options: { initial_connection_window_size: 2_147_483_648 } }), /InitialConnectionWindowSize/],
  ['a keepalive that does not wait', manager({ http2_protocol_options: { connection_keepalive: { interval: '1s', timeout: '0s' } } }), /Timeout/],
  ['server push', manager({ http2_protocol_options: { custom_settings_parameters: [{ identifier: 2, value: 1 }] } }), /server push is not supported/],
  ['connections kept ready', cluster({ preconnect_policy: { per_upstream_preconnect_ratio: 1.5 } }), OK],
  ['too many connections kept ready', cluster({ preconnect_policy: { per_upstream_preconnect_ratio: 4 } }), /PerUpstreamPreconnectRatio/],
  ['CONNECT that ends here', action({ upgrade_configs: [{ upgrade_type: 'CONNECT', connect_config: { allow_post: true } }] }), OK],
  ['a websocket that ends here', action({ upgrade_configs: [{ upgrade_type: 'websocket', connect_config: {} }] }), /Non-CONNECT upgrade type websocket has ConnectConfig/],
  ['a tunnel', tunnel({ hostname: 'h:1', use_post: true, post_path: '/p' }), OK],
  ['a tunnel without a name', tunnel({ hostname: '' }), /Hostname: value length must be at least 1/],
  ['a path for CONNECT', tunnel({ hostname: 'h:1', post_path: '/p' }), /Can't set a post path when POST method isn't used/],
  ['a fault without a percentage', { filters: [filter('filters.http.fault.v3.HTTPFault', { abort: { http_status: 400 } })] }, OK],
  ['a fault with a strange status', { filters: [filter('filters.http.fault.v3.HTTPFault', { abort: { http_status: 99 } })] }, /HttpStatus: value must be inside range/],
  ['a router with an unknown field', { router: { nope: 1 } }, /no\s+such\s+field:\s+'nope'/],
  ['a ring that is larger than it may be', cluster({ lb_policy: 'RING_HASH', ring_hash_lb_config: { minimum_ring_size: 100, maximum_ring_size: 10 } }), /minimum_ring_size \(100\) > maximum_ring_size \(10\)/],
  ['a ring without end', cluster({ lb_policy: 'RING_HASH', ring_hash_lb_config: { minimum_ring_size: 8388609 } }), /MinimumRingSize/],
  ['a ring of another policy', cluster({ ring_hash_lb_config: {} }), OK],
  ['a Maglev table of a size that is no prime', cluster({ lb_policy: 'MAGLEV', maglev_lb_config: { table_size: 65536 } }), /must be prime number/],
  ['hashing by names that hosts do not have', cluster({ lb_policy: 'MAGLEV', common_lb_config: { consistent_hashing_lb_config: { use_hostname_for_hashing: true } } }), /Cannot use hostname for consistent hashing loadbalancing for cluster of type: 'envoy.cluster.static'/],
  ['a policy and localities beside it', cluster({ ...policy('round_robin.v3.RoundRobin'), common_lb_config: { locality_weighted_lb_config: {} } }), /cannot be combined with partial fields/],
  ['a policy and subsets beside it', cluster({ ...policy('random.v3.Random'), lb_subset_config: { subset_selectors: [{ keys: ['a'] }] } }), /cannot be combined with lb_subset_config/],
  ['a policy that the cluster should provide', cluster(policy('cluster_provided.v3.ClusterProvided')), /cluster provided LB specified but cluster '\S+' did not provide one/],
  ['a policy that Envoy does not have', cluster(policy('pick_first.v3.PickFirst')), /pick_first/],
  ['subsets without a policy in them', cluster(policy('subset.v3.Subset', { subset_selectors: [{ keys: ['a'] }] })), /SubsetLbPolicy|subset lb/],
  ['subsets within subsets', cluster(policy('subset.v3.Subset', { subset_lb_policy: policy('subset.v3.Subset', { subset_lb_policy: policy('random.v3.Random').load_balancing_policy }).load_balancing_policy })), OK],
  ['fallback keys that are all keys', cluster({ lb_subset_config: { subset_selectors: [{ keys: ['a'], fallback_policy: 'KEYS_SUBSET', fallback_keys_subset: ['a'] }] } }), /cannot be equal to keys/],
  ['a slow start of no time', cluster({ round_robin_lb_config: { slow_start_config: { slow_start_window: '0s' } } }), OK],
  ['an ejection that ends before it can', cluster({ outlier_detection: { base_ejection_time: '40s', max_ejection_time: '30s' } }), /max_ejection_time cannot be smaller than base_ejection_time/],
  ['an interval of no time', cluster({ outlier_detection: { interval: '0s' } }), /Interval: value must be greater than 0s/],
  ['two health checks', cluster({ health_checks: [probe({ tcp_health_check: {} }), probe({ tcp_health_check: {} })] }), /multiple health checks/],
  ['a health check of nothing', cluster({ health_checks: [probe({})] }), /health_checker|HealthChecker/],
  ['a gRPC health check over HTTP/1', cluster({ health_checks: [probe({ grpc_health_check: {} })] }), /must support HTTP\/2 for gRPC healthchecking/],
  ['a body of a GET', cluster({ health_checks: [probe({ http_health_check: { path: '/', send: { text: '00' } } })] }), /cannot specify a request payload with method 'GET'/],
  ['statuses the wrong way round', cluster({ health_checks: [probe({ http_health_check: { path: '/', expected_statuses: [{ start: 300, end: 200 }] } })] }), /expecting start < end, but found start=300 and end=200/],
  ['statuses beyond HTTP', cluster({ health_checks: [probe({ http_health_check: { path: '/', retriable_statuses: [{ start: 500, end: 601 }] } })] }), /expecting end <= 600, but found end=601/],
]; // biome-ignore format: a table

function bootstrapOf(part: Part): object {
  const place = { id: 's', port: 0, hosts: ['127.0.0.1:1'], moreHosts: new Map(), logFile: '/dev/null' };
  const { listener, clusters } = resourcesOf({ name: '', connections: [], ...part }, place);
  return { static_resources: { listeners: [listener], clusters } };
}

/** The reason, or undefined. */
function ours(bootstrap: object): string | undefined {
  const commandLine = parseCommandLine(['--mode', 'validate', '--config-yaml', JSON.stringify(bootstrap)]);
  assert.ok(commandLine.type === 'run');
  const output = {
    publish: () => undefined,
    onPiece: () => undefined,
    runtime: () => undefined,
    settled: () => Promise.resolve(),
  };
  try {
    const { bootstrap: loaded } = loadBootstrap(commandLine.options);
    buildControl(loaded, commandLine.options, '0', new ThreadStatStore(() => undefined), output).close();
    return undefined;
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
}

describe('--mode validate of HTTP listeners', () => {
  for (const [name, part, reason] of [...CASES, ...ROUTE_VALIDATE_CASES]) {
    test(name, () => {
      const bootstrap = bootstrapOf(part);
      check(ours(bootstrap), reason);
      if (ENVOY_BIN !== undefined) check(validate(bootstrap), reason);
    });
  }
  test('compared with Envoy', { skip: ENVOY_BIN === undefined && 'no envoy: set ENVOY_BIN' }, () => {});
});

function check(answer: string | undefined, reason: RegExp | undefined): void {
  if (reason === undefined) assert.equal(answer, undefined);
  else assert.match(answer ?? 'OK', reason);
}
