// What routes can match besides paths and headers, match trees of virtual hosts, and the choice among weighted clusters.

import { type Scenario, TYPE } from './proxy_scenario.ts';
import { get, post } from './raw_requests.ts';
import { OK } from './scripted_upstream.ts';

type Json = Readonly<Record<string, unknown>>;

const status = (status: number, match: Json): Json => ({
  match: { prefix: '/', ...match },
  direct_response: { status },
});
const routes = (...all: Json[]): Scenario['virtualHost'] => ({ routes: all });
const text = (match: Json, more: Json = {}): Json => ({ name: 'a', string_match: match, ...more });
const COOKIES = [
  get('/'),
  get('/', 'cookie: a=1'),
  get('/', 'cookie: a="1"'),
  get('/', 'cookie: b=2; a=1'),
  get('/', 'cookie: a=2; a=1'),
  get('/', 'cookie: a=2', 'cookie: a=1'),
  get('/', 'cookie: A=1'),
  get('/', 'cookie: aa=1;a=1'),
  get('/', 'cookie: a='),
  get('/', 'cookie: a'),
];

const STATE = {
  name: 'set_filter_state',
  typed_config: {
    '@type': `${TYPE}filters.network.set_filter_state.v3.Config`,
    on_new_connection: [
      {
        object_key: 'my.key',
        factory_key: 'envoy.string',
        format_string: { text_format_source: { inline_string: 'value' } },
      },
    ],
  },
};
const manager = (...all: Json[]): Json => managerOf({ routes: all });
const managerOf = (virtualHost: Json): Json => ({
  name: 'manager',
  typed_config: {
    '@type': `${TYPE}filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: '$C',
    route_config: { name: 'r', virtual_hosts: [{ name: 'v', domains: ['*'], ...virtualHost }] },
    http_filters: [{ name: 'router', typed_config: { '@type': `${TYPE}filters.http.router.v3.Router` } }],
  },
});
const state = (key: string, string_match: Json): Json => ({ filter_state: [{ key, string_match }] });

const header = (header_name: string): Json => ({
  name: 'header',
  typed_config: {
    '@type': 'type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput',
    header_name,
  },
});
const stateInput = (key: string): Json => ({
  name: 'state',
  typed_config: { '@type': `${TYPE}matching.common_inputs.network.v3.FilterStateInput`, key },
});
const take = (code: number, match: Json = {}): Json => ({
  action: {
    name: 'route',
    typed_config: { '@type': 'type.googleapis.com/envoy.config.route.v3.Route', ...status(code, match) },
  },
});
const single = (name: string, value_match: Json): Json => ({
  single_predicate: { input: header(name), value_match },
});

const weighted = (more: Json, action: Json = {}): Scenario['action'] => ({
  cluster: undefined,
  weighted_clusters: {
    clusters: [
      { name: '$C', weight: 30, request_headers_to_add: [{ header: { key: 'x-chosen', value: 'first' } }] },
      { name: '$C', weight: 70, request_headers_to_add: [{ header: { key: 'x-chosen', value: 'second' } }] },
    ],
    ...more,
  },
  ...action,
});
/** Puts a text that can be hashed into the filter state `my.key`. */
const hashable = (inline_string: string): Json => ({
  name: 'set_filter_state',
  typed_config: {
    '@type': `${TYPE}filters.network.set_filter_state.v3.Config`,
    on_new_connection: [
      {
        object_key: 'my.key',
        factory_key: 'envoy.hashable_string',
        format_string: { text_format_source: { inline_string } },
      },
    ],
  },
});
const hashedState = (value: string): Scenario => ({
  name: `the hash policy of filter state: ${value}`,
  networkFilters: [
    hashable(value),
    manager({
      match: { prefix: '/' },
      route: weighted({ use_hash_policy: true }, { hash_policy: [{ filter_state: { key: 'my.key' } }] }),
    }),
  ],
  connections: [[get('/'), get('/')]],
});
const NUMBERS = ['0', '29', '30', '99', '100', '129', '130', '18446744073709551615'];
const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'];

export const ROUTE_MATCH_CASES: readonly Scenario[] = [
  {
    name: 'routes by cookie',
    virtualHost: routes(
      status(201, { cookies: [text({ exact: '1' })] }),
      status(202, { cookies: [text({ safe_regex: { regex: '.*' } })] }),
      status(203, {}),
    ),
    connections: [COOKIES],
  },
  {
    name: 'routes by inverted cookie',
    virtualHost: routes(
      status(201, { cookies: [text({ exact: '1' }, { invert_match: true })] }),
      status(203, {}),
    ),
    connections: [COOKIES],
  },
  {
    name: 'routes by two cookies',
    virtualHost: routes(
      status(201, { cookies: [text({ exact: '1' }), { name: 'b', string_match: { exact: '2' } }] }),
      status(203, {}),
    ),
    connections: [COOKIES],
  },
  {
    name: 'routes by filter state',
    networkFilters: [
      STATE,
      manager(
        status(201, {
          path: '/none',
          prefix: undefined,
          ...state('unheard.of', { safe_regex: { regex: '.*' } }),
        }),
        status(202, { path: '/other', prefix: undefined, ...state('my.key', { exact: 'other' }) }),
        status(203, state('my.key', { exact: 'value' })),
      ),
    ],
    connections: [[get('/none'), get('/other'), get('/')]],
  },
  {
    name: 'routes by runtime fraction',
    virtualHost: routes(
      status(201, { runtime_fraction: { default_value: { numerator: 0 }, runtime_key: 'k' } }),
      status(202, { runtime_fraction: { default_value: { numerator: 100 } } }),
    ),
    connections: [[get('/'), get('/')]],
  },
  {
    name: 'routes by dynamic metadata and TLS that are not there',
    virtualHost: routes(
      status(201, {
        dynamic_metadata: [{ filter: 'f', path: [{ key: 'k' }], value: { present_match: true } }],
      }),
      status(202, { tls_context: { presented: true } }),
      status(203, { tls_context: { validated: true } }),
      status(204, { tls_context: { presented: false, validated: false } }),
      status(205, {}),
    ),
    connections: [[get('/')]],
  },
  {
    name: 'a match list of a virtual host',
    virtualHost: {
      routes: undefined,
      matcher: {
        matcher_list: {
          matchers: [
            { predicate: single('x-a', { exact: '1' }), on_match: take(201, { prefix: '/one' }) },
            {
              predicate: {
                and_matcher: {
                  predicate: [
                    single('x-a', { prefix: '1' }),
                    { not_matcher: single('x-b', { exact: 'no' }) },
                  ],
                },
              },
              on_match: take(202),
            },
            {
              predicate: {
                or_matcher: { predicate: [single('x-b', { exact: 'x' }), single('x-c', { exact: 'x' })] },
              },
              on_match: { matcher: { on_no_match: take(203, { path: '/three', prefix: undefined }) } },
            },
          ],
        },
        on_no_match: take(204),
      },
    },
    connections: [
      [
        get('/one', 'x-a: 1'),
        get('/two', 'x-a: 1'),
        get('/two', 'x-a: 12'),
        get('/two', 'x-a: 12', 'x-b: no'),
        get('/three', 'x-c: x'),
        get('/four', 'x-c: x'),
        get('/four', 'x-a: 12', 'x-a: 13'),
        get('/'),
      ],
    ],
  },
  {
    name: 'maps of a virtual host',
    virtualHost: {
      routes: undefined,
      matcher: {
        matcher_tree: {
          input: header(':path'),
          exact_match_map: {
            map: {
              '/a': {
                matcher: {
                  matcher_tree: {
                    input: header('x-a'),
                    prefix_match_map: {
                      map: { a: take(201), ab: take(202), abcd: take(203, { prefix: '/no' }) },
                    },
                  },
                },
              },
              '/b': take(204, { prefix: '/b' }),
            },
          },
        },
      },
    },
    connections: [
      [
        get('/a', 'x-a: a'),
        get('/a', 'x-a: abc'),
        get('/a', 'x-a: abcde'),
        get('/a', 'x-a: b'),
        get('/a'),
        get('/b'),
        get('/b?c'),
        get('/c'),
      ],
    ],
  },
  {
    name: 'a match tree by filter state',
    networkFilters: [
      STATE,
      managerOf({
        matcher: {
          matcher_tree: {
            input: stateInput('my.key'),
            exact_match_map: {
              map: {
                value: {
                  matcher: {
                    matcher_tree: {
                      input: stateInput('unheard.of'),
                      prefix_match_map: { map: { a: take(202) } },
                    },
                    on_no_match: take(201),
                  },
                },
              },
            },
          },
        },
      }),
    ],
    connections: [[get('/')]],
  },
  {
    name: 'a list of routes in a match tree',
    virtualHost: {
      routes: undefined,
      matcher: {
        on_no_match: {
          action: {
            name: 'routes',
            typed_config: {
              '@type': 'type.googleapis.com/envoy.config.route.v3.RouteList',
              routes: [status(201, { prefix: '/a' }), status(202, { prefix: '/b' })],
            },
          },
        },
      },
    },
    connections: [[get('/a'), get('/b'), get('/c')]],
  },
  {
    name: 'weighted clusters by a header',
    action: weighted({ header_name: 'x-value' }),
    connections: [NUMBERS.map((value) => get('/', `x-value: ${value}`))],
  },
  {
    name: 'weighted clusters by the hash policy',
    action: weighted(
      { use_hash_policy: true },
      { hash_policy: [{ header: { header_name: 'x-user' } }, { query_parameter: { name: 'q' } }] },
    ),
    connections: [NAMES.flatMap((value) => [get('/', `x-user: ${value}`), get(`/?q=${value}`)])],
  },
  ...['a', 'b', 'c', 'd', 'e', '', '10.0.0.1', '\u00e9'].map(hashedState),
  {
    name: 'weighted clusters of which one has all weight in the runtime',
    action: {
      cluster: undefined,
      weighted_clusters: {
        runtime_key_prefix: 'unset',
        clusters: [
          { name: 'unheard-of', weight: 0 },
          { name: '$C', weight: 100 },
        ],
      },
    },
    connections: [[get('/'), get('/')]],
  },
  {
    name: 'a cookie that the hash policy makes',
    action: {
      hash_policy: [
        {
          cookie: {
            name: 'session',
            ttl: '60s',
            path: '/p',
            attributes: [{ name: 'SameSite', value: 'Lax' }],
          },
        },
      ],
    },
    cluster: { lb_policy: 'RING_HASH' },
    connections: [[get('/', 'cookie: session=abc'), get('/', 'cookie: other=1; session="quoted"')]],
  },
  {
    name: 'a mirror that nobody listens behind',
    upstreams: [{ answers: [[100, OK]] }],
    action: { request_mirror_policies: [{ cluster: '$C-m' }] },
    clusters: { m: { upstream: '127.0.0.1:1' } },
    connections: [[get('/')]],
  },
  {
    name: 'a mirror that resets',
    upstreams: [{ answers: [[100, OK]] }],
    action: { request_mirror_policies: [{ cluster: '$C-m' }] },
    clusters: { m: { upstream: { answers: [['RST']] } } },
    connections: [[get('/')]],
  },
  {
    name: 'a mirror that is too slow for the route',
    upstreams: [{ answers: [[100, OK]] }],
    action: { timeout: '0.3s', request_mirror_policies: [{ cluster: '$C-m' }] },
    clusters: { m: { upstream: { answers: [[2000, OK]] } } },
    connections: [[{ send: get('/'), await: 1, after: 600 }]],
  },
  {
    name: 'a mirror without hosts',
    upstreams: [{ answers: [[100, OK]] }],
    action: { request_mirror_policies: [{ cluster: '$C-m' }] },
    clusters: { m: {} },
    connections: [[get('/')]],
  },
  {
    name: 'mirrors with headers and a host of their own',
    action: {
      request_mirror_policies: [
        {
          cluster: '$C-mirror',
          host_rewrite_literal: 'mirror.example',
          request_headers_mutations: [
            { remove: 'x-gone' },
            { append: { header: { key: 'x-added', value: '%REQ(x-kept)%' } } },
            {
              append: {
                header: { key: 'x-kept', value: 'new' },
                append_action: 'OVERWRITE_IF_EXISTS_OR_ADD',
              },
            },
            { remove_on_match: { key_matcher: { prefix: 'x-many-' } } },
          ],
        },
      ],
    },
    clusters: { mirror: { upstream: {} } },
    connections: [
      [
        get('/', 'x-gone: 1', 'x-kept: 2', 'x-many-a: 3', 'x-many-b: 4'),
        { after: 150 },
        post('/', 'abc', 'x-kept: 2'),
        { after: 150 },
      ],
    ],
  },
  {
    name: 'mirrors with a fraction',
    action: {
      request_mirror_policies: [
        { cluster: '$C-never', runtime_fraction: { default_value: { numerator: 0 } } },
        { cluster: '$C-always', runtime_fraction: { default_value: { numerator: 100 } } },
        { cluster_header: 'x-mirror', disable_shadow_host_suffix_append: true },
      ],
    },
    clusters: { never: { upstream: {} }, always: { upstream: {} }, named: { upstream: {} } },
    connections: [[get('/'), { after: 150 }, get('/', 'x-mirror: $C-named'), { after: 150 }]],
  },
];
