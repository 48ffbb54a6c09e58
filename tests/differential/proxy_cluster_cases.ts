// Which cluster and host a request goes to, what gRPC clients are told, and listeners without HTTP.

import { type Scenario, TYPE } from './proxy_scenario.ts';
import type { Step } from './raw_client.ts';
import { answer, get, post, request } from './raw_requests.ts';
import { OK } from './scripted_upstream.ts';

const TRUSTED = {
  use_remote_address: true,
  internal_address_config: { cidr_ranges: [{ address_prefix: '127.0.0.1', prefix_len: 32 }] },
};
const GRPC = ['content-type: application/grpc', 'te: trailers'];
const endpoints = (...localities: object[]): Scenario['cluster'] => ({
  load_assignment: { cluster_name: '$C', endpoints: localities },
});
const locality = (priority: number, ...health_status: string[]): object => ({
  priority,
  lb_endpoints: health_status.map((status) => ({
    health_status: status,
    endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: 1 } } },
  })),
});
const up = { endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: '$U' } } } };
const filter = (name: string, config: object): object => ({
  name,
  typed_config: { '@type': TYPE + name, ...config },
});
const tcp = (...filters: object[]): Pick<Scenario, 'networkFilters'> => ({
  networkFilters: filters as Scenario['networkFilters'],
});
const bytes = (text: string): readonly Step[] => [
  { send: text, await: 'any' },
  { after: 'fin' },
  { await: 'close' },
];

export const CLUSTER_CASES: readonly Scenario[] = [
  {
    name: 'too many connections to one host',
    cluster: {
      circuit_breakers: {
        thresholds: [{ max_pending_requests: 1 }],
        per_host_thresholds: [{ max_connections: 1 }],
      },
    },
    upstreams: [{ answers: [[300, OK]] }],
    staggerMs: 80,
    connections: [[get('/1')], [get('/2')], [get('/3')]],
  },
  {
    name: 'all hosts are unhealthy: panic',
    cluster: endpoints({ lb_endpoints: [{ ...up, health_status: 'UNHEALTHY' }] }),
    connections: [[get('/')]],
  },
  {
    name: 'all hosts are unhealthy, and panic is off',
    cluster: {
      ...endpoints({ lb_endpoints: [{ ...up, health_status: 'UNHEALTHY' }] }),
      common_lb_config: { healthy_panic_threshold: { value: 0 } },
    },
    connections: [[get('/')]],
  },
  {
    name: 'the healthy host of two',
    cluster: {
      ...endpoints({
        lb_endpoints: [
          up,
          {
            health_status: 'DRAINING',
            endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: 1 } } },
          },
        ],
      }),
    },
    connections: [[get('/1'), get('/2')]],
  },
  {
    name: 'the second priority',
    statExceptions: { membership_change: 'Envoy counts once per priority' },
    cluster: endpoints(locality(0, 'UNHEALTHY'), { priority: 1, lb_endpoints: [up] }),
    connections: [[get('/1'), get('/2')]],
  },
  {
    name: 'a degraded host',
    cluster: endpoints({ lb_endpoints: [{ ...up, health_status: 'DEGRADED' }] }),
    connections: [[get('/')]],
  },
  { name: 'least request', cluster: { lb_policy: 'LEAST_REQUEST' }, connections: [[get('/'), get('/')]] },
  { name: 'random', cluster: { lb_policy: 'RANDOM' }, connections: [[get('/')]] },
  { name: 'a name for the statistics', cluster: { alt_stat_name: 'other_name' }, connections: [[get('/')]] },
  {
    name: 'connect timeout',
    cluster: { connect_timeout: '0.1s' },
    upstreams: ['192.0.2.1:9'],
    connections: [[get('/')]],
  },
  {
    name: 'a cluster header',
    action: { cluster: undefined, cluster_header: 'x-c' },
    clusters: { b: { upstream: {} } },
    connections: [[get('/', 'x-c: $C'), get('/', 'x-c: $C-b'), get('/')]],
  },
  {
    name: 'rewrites by regular expression',
    action: {
      regex_rewrite: { pattern: { regex: '^/a/([^/]+)' }, substitution: '/\\1/b' },
      host_rewrite_path_regex: { pattern: { regex: '^/a/([^/]+).*' }, substitution: '\\1.host' },
    },
    connections: [[get('/a/x/y?q=1'), get('/other')]],
  },
  {
    name: 'a host from a header',
    action: { host_rewrite_header: 'x-host' },
    connections: [[get('/', 'x-host: h2'), get('/')]],
  },
  {
    name: 'virtual clusters',
    virtualHost: {
      virtual_clusters: [{ name: 'posts', headers: [{ name: ':method', string_match: { exact: 'POST' } }] }],
    },
    connections: [[get('/'), post('/', 'a')]],
  },
  {
    name: 'headers at all levels',
    manager: undefined,
    virtualHost: {
      request_headers_to_add: [{ header: { key: 'x-l', value: 'host' } }],
      response_headers_to_add: [{ header: { key: 'x-l', value: 'host' } }],
    },
    route: {
      request_headers_to_add: [{ header: { key: 'x-l', value: 'route' } }],
      response_headers_to_add: [{ header: { key: 'x-l', value: 'route' } }],
      response_headers_to_remove: ['x-up'],
    },
    upstreams: [{ answers: [answer(200, ['x-up: 1', 'x-l: up'])] }],
    connections: [[get('/', 'x-l: client')]],
  },
  {
    name: 'runtime fraction 0',
    virtualHost: {
      routes: [
        {
          match: { prefix: '/', runtime_fraction: { default_value: { numerator: 0 } } },
          direct_response: { status: 500 },
        },
        { match: { prefix: '/' }, route: { cluster: '$C' } },
      ],
    },
    connections: [[get('/')]],
  },
  {
    name: 'timeouts and tries that an internal client asks for',
    manager: TRUSTED,
    upstreams: [{ answers: [[400, OK], OK] }],
    connections: [
      [get('/', 'x-envoy-retry-on: gateway-error', 'x-envoy-upstream-rq-per-try-timeout-ms: 120')],
    ],
  },
  {
    name: 'a limit that an internal client sets to the upstream',
    manager: TRUSTED,
    upstreams: [{ answers: [[400, OK], OK] }],
    connections: [
      [
        get('/', 'x-envoy-upstream-stream-duration-ms: 100'),
        get('/', 'x-envoy-upstream-stream-duration-ms: nonsense'),
      ],
    ],
  },
  {
    name: 'status codes that an internal client asks for',
    manager: TRUSTED,
    upstreams: [{ answers: [answer(418), OK] }],
    connections: [
      [get('/', 'x-envoy-retry-on: retriable-status-codes', 'x-envoy-retriable-status-codes: 418,419')],
    ],
  },
  {
    name: 'malformed wishes of an internal client',
    manager: TRUSTED,
    connections: [
      [get('/', 'x-envoy-retry-on: nonsense', 'x-envoy-max-retries: x', 'x-envoy-upstream-rq-timeout-ms: y')],
    ],
  },
  {
    name: 'expected timeout of a client that is believed',
    router: { respect_expected_rq_timeout: true },
    manager: TRUSTED,
    connections: [[get('/', 'x-envoy-expected-rq-timeout-ms: 3000')]],
  },
  {
    name: 'strict checks',
    router: { suppress_envoy_headers: false },
    manager: TRUSTED,
    connections: [[get('/', 'x-envoy-max-retries: -1')]],
  },
  {
    name: 'gRPC timeouts',
    action: { max_stream_duration: { grpc_timeout_header_max: '2s' } },
    connections: [
      [get('/', ...GRPC, 'grpc-timeout: 1S'), get('/', ...GRPC, 'grpc-timeout: 5S'), get('/', ...GRPC)],
    ],
  },
  {
    name: 'gRPC: nothing there',
    upstreams: ['127.0.0.1:1'],
    connections: [[request('POST', '/p.S/M', [...GRPC, 'content-length: 0'])]],
  },
  {
    name: 'gRPC: an HTTP error of the upstream',
    upstreams: [{ answers: [answer(503, [], 'no')] }],
    connections: [[request('POST', '/p.S/M', [...GRPC, 'content-length: 0'])]],
  },
  {
    name: 'gRPC: retry',
    action: { retry_policy: { retry_on: 'unavailable', retry_back_off: { base_interval: '0.001s' } } },
    upstreams: [{ answers: [answer(200, ['grpc-status: 14']), answer(200, ['grpc-status: 0'])] }],
    connections: [[request('POST', '/p.S/M', [...GRPC, 'content-length: 0'])]],
  },
  {
    name: 'gRPC: timeout',
    action: { timeout: '0.1s' },
    upstreams: [{ answers: [[500, OK]] }],
    connections: [[request('POST', '/p.S/M', [...GRPC, 'content-length: 0'])]],
  },
  {
    name: 'a retry after a rate limit',
    action: {
      retry_policy: {
        retry_on: '5xx',
        rate_limited_retry_back_off: {
          reset_headers: [{ name: 'retry-after', format: 'SECONDS' }],
          max_interval: '0.05s',
        },
        retry_back_off: { base_interval: '0.001s' },
      },
    },
    upstreams: [{ answers: [answer(503, ['retry-after: 1']), OK] }],
    connections: [[get('/')]],
  },
  {
    name: 'a retry on another host',
    action: {
      retry_policy: {
        retry_on: '5xx',
        retry_host_predicate: [filter('retry.host.previous_hosts.v3.PreviousHostsPredicate', {})],
        host_selection_retry_max_attempts: 5,
        retry_back_off: { base_interval: '0.001s' },
      },
    },
    upstreams: [{ answers: [answer(500)] }],
    connections: [[get('/')]],
  },
  {
    name: 'a retry on another priority',
    action: {
      retry_policy: {
        retry_on: 'connect-failure',
        retry_priority: filter('retry.priority.previous_priorities.v3.PreviousPrioritiesConfig', {
          update_frequency: 1,
        }),
        retry_back_off: { base_interval: '0.001s' },
      },
    },
    statExceptions: { membership_change: 'Envoy counts once per priority' },
    cluster: endpoints(locality(0, 'HEALTHY'), { priority: 1, lb_endpoints: [up] }),
    connections: [[get('/')]],
  },
  {
    name: 'rewrite and mirror',
    action: { prefix_rewrite: '/new', request_mirror_policies: [{ cluster: '$C-m' }] },
    clusters: { m: { upstream: {} } },
    connections: [[get('/a')]],
  },
  {
    name: 'a mirror and a retry',
    action: {
      request_mirror_policies: [{ cluster: '$C-m' }],
      retry_policy: { retry_on: '5xx', retry_back_off: { base_interval: '0.001s' } },
    },
    clusters: { m: { upstream: {} } },
    upstreams: [{ answers: [answer(500), OK] }],
    connections: [[post('/a', 'body')]],
  },
  { name: 'TCP: echo', ...tcp(filter('filters.network.echo.v3.Echo', {})), connections: [bytes('hello')] },
  {
    name: 'TCP: a direct response',
    ...tcp(filter('filters.network.direct_response.v3.Config', { response: { inline_string: 'go away' } })),
    connections: [bytes('hello')],
  },
  {
    name: 'TCP: proxied',
    ...tcp(filter('filters.network.tcp_proxy.v3.TcpProxy', { stat_prefix: 't', cluster: '$C' })),
    upstreams: [{ greeting: 'welcome' }],
    connections: [bytes('hello')],
  },
  {
    name: 'TCP: nobody there',
    ...tcp(filter('filters.network.tcp_proxy.v3.TcpProxy', { stat_prefix: 't', cluster: '$C' })),
    upstreams: ['127.0.0.1:1'],
    connections: [[{ await: 'close' }]],
  },
  {
    name: 'TCP: refused by RBAC',
    ...tcp(
      filter('filters.network.rbac.v3.RBAC', {
        stat_prefix: 'r',
        rules: {
          action: 'DENY',
          policies: { all: { permissions: [{ any: true }], principals: [{ any: true }] } },
        },
      }),
      filter('filters.network.echo.v3.Echo', {}),
    ),
    connections: [[{ send: 'hello', await: 'close' }]],
  },
  {
    name: 'HTTP behind RBAC of the network',
    ...tcp(),
    connections: [[{ await: 'close' }]],
    listener: {
      filter_chains: [
        {
          filter_chain_match: { destination_port: 1 },
          filters: [filter('filters.network.echo.v3.Echo', {})],
        },
      ],
    },
  },
];
