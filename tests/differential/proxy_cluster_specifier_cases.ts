// Cluster specifier plugins (the matcher), early_data_policy, trace sampling without request ids, x-envoy-upstream-alt-stat-name.

import { type Scenario, TYPE } from './proxy_scenario.ts';
import { answer, get } from './raw_requests.ts';
import { OK } from './scripted_upstream.ts';

type Json = Readonly<Record<string, unknown>>;

const MATCHER = `${TYPE}router.cluster_specifiers.matcher.v3.`;
const toCluster = (cluster: string): Json => ({
  action: { name: 'cluster', typed_config: { '@type': `${MATCHER}ClusterAction`, cluster } },
});
const header = (header_name: string): Json => ({
  name: 'header',
  typed_config: {
    '@type': 'type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput',
    header_name,
  },
});
const plugin = (cluster_matcher: Json, more: Json = {}): Json => ({
  extension: {
    name: 'plugin',
    typed_config: { '@type': `${MATCHER}MatcherClusterSpecifier`, cluster_matcher },
  },
  ...more,
});
const BY_MAP: Json = {
  matcher_tree: {
    input: header('x-to'),
    exact_match_map: { map: { one: toCluster('$C-one'), two: toCluster('$C-two'), gone: toCluster('none') } },
  },
};
const BY_LIST: Json = {
  matcher_list: {
    matchers: [
      {
        predicate: { single_predicate: { input: header('x-to'), value_match: { prefix: 'o' } } },
        on_match: toCluster('$C-one'),
      },
    ],
  },
  on_no_match: toCluster('$C-two'),
};
const clusters: Scenario['clusters'] = {
  one: { upstream: { answers: [answer(200, [], 'one')] } },
  two: { upstream: { answers: [answer(200, [], 'two')] } },
};
const asked = [
  ['one', 'two', 'gone', 'other', 'o', ''].map((to) => get('/', `x-to: ${to}`)).concat(get('/')),
];
const action = (more: Json): Json => ({ cluster: undefined, ...more });
const alt = 'x-envoy-upstream-alt-stat-name: alt';

export const CLUSTER_SPECIFIER_CASES: readonly Scenario[] = [
  {
    name: 'inline_cluster_specifier_plugin with a map',
    action: action({ inline_cluster_specifier_plugin: plugin(BY_MAP) }),
    clusters,
    connections: asked,
  },
  {
    name: 'inline_cluster_specifier_plugin with a list',
    action: action({ inline_cluster_specifier_plugin: plugin(BY_LIST) }),
    clusters,
    connections: asked,
  },
  {
    name: 'inline_cluster_specifier_plugin and the rest of the action',
    action: action({
      inline_cluster_specifier_plugin: plugin(BY_MAP),
      prefix_rewrite: '/rewritten',
      host_rewrite_literal: 'rewritten',
      cluster_not_found_response_code: 'NOT_FOUND',
      timeout: '3s',
    }),
    route: { request_headers_to_add: [{ header: { key: 'x-added', value: '%REQ(x-to)%' } }] },
    clusters,
    connections: asked,
  },
  {
    name: 'an optional cluster specifier plugin that nobody knows',
    action: action({
      inline_cluster_specifier_plugin: {
        extension: { name: 'p', typed_config: { '@type': `${TYPE}filters.http.router.v3.Router` } },
        is_optional: true,
      },
    }),
    clusters,
    connections: asked,
  },
  {
    name: 'cluster_specifier_plugin by its name',
    manager: {
      route_config: {
        name: 'r',
        cluster_specifier_plugins: [plugin(BY_LIST)],
        virtual_hosts: [
          {
            name: 'v',
            domains: ['*'],
            routes: [{ match: { prefix: '/' }, route: { cluster_specifier_plugin: 'plugin' } }],
          },
        ],
      },
    },
    clusters,
    connections: asked,
  },
  {
    name: 'early_data_policy',
    action: {
      early_data_policy: {
        name: 'default',
        typed_config: { '@type': `${TYPE}early_data.v3.DefaultEarlyDataPolicy` },
      },
    },
    connections: [[get('/'), get('/', 'early-data: 1')]],
  },
  ...[true, false].map(
    (use_request_id_for_trace_sampling): Scenario => ({
      name: `use_request_id_for_trace_sampling ${use_request_id_for_trace_sampling}`,
      manager: {
        tracing: { random_sampling: { value: 0 } },
        request_id_extension: {
          typed_config: {
            '@type': `${TYPE}request_id.uuid.v3.UuidRequestIdConfig`,
            use_request_id_for_trace_sampling,
          },
        },
      },
      connections: [
        [
          get('/'),
          get('/', 'x-request-id: 12345678-1234-9234-8234-123456789012'),
          get('/', 'x-request-id: none'),
          get('/', 'x-envoy-force-trace: 1'),
          get('/', 'x-client-trace-id: 1'),
        ],
      ],
    }),
  ),
  {
    name: 'x-envoy-upstream-alt-stat-name of an internal client',
    upstreams: [{ answers: [OK, answer(503), answer(200, ['x-envoy-upstream-canary: true']), OK] }],
    connections: [
      [
        get('/', alt),
        get('/', alt, 'x-envoy-internal: true'),
        get('/', alt),
        get('/', 'x-envoy-upstream-alt-stat-name: other.name', 'x-envoy-internal: true'),
        get('/'),
        get('/', 'x-envoy-upstream-alt-stat-name:'),
      ],
    ],
  },
  {
    name: 'x-envoy-upstream-alt-stat-name with a use_remote_address',
    manager: { use_remote_address: true },
    connections: [[get('/', alt), get('/', alt, 'x-forwarded-for: 10.0.0.1')]],
  },
  {
    name: 'x-envoy-upstream-alt-stat-name without an upstream',
    upstreams: ['127.0.0.1:1'],
    connections: [[get('/', alt)]],
  },
  {
    name: 'x-envoy-upstream-alt-stat-name without hosts',
    upstreams: [],
    connections: [[get('/', alt)]],
  },
  {
    name: 'x-envoy-upstream-alt-stat-name without dynamic stats',
    router: { dynamic_stats: false },
    connections: [[get('/', alt)]],
  },
  {
    name: 'x-envoy-upstream-alt-stat-name and a timeout',
    action: { timeout: '0.1s' },
    upstreams: [{ answers: [[300, OK]] }],
    connections: [[get('/', alt)]],
  },
];
