// What the proxy does to the headers of requests and responses.

import type { Scenario } from './proxy_scenario.ts';
import { answer, chunkedAnswer, chunkedPost, get, post, request } from './raw_requests.ts';

const FORWARDED = ['X-Forwarded-For: 1.2.3.4, 5.6.7.8', 'X-Forwarded-Proto: https'];
const INTERNAL = {
  internal_address_config: {
    cidr_ranges: [
      { address_prefix: '127.0.0.0', prefix_len: 8 },
      { address_prefix: '10.0.0.0', prefix_len: 8 },
    ],
  },
};
const ENVOY_HEADERS = [
  'x-envoy-internal: true',
  'x-envoy-force-trace: 1',
  'x-envoy-max-retries: 2',
  'x-envoy-retry-on: 5xx',
  'x-envoy-upstream-alt-stat-name: a',
  'x-envoy-upstream-rq-timeout-ms: 4000',
  'x-envoy-upstream-rq-per-try-timeout-ms: 3000',
  'x-envoy-decorator-operation: d',
  'x-envoy-downstream-service-cluster: c',
  'x-envoy-downstream-service-node: n',
  'x-envoy-original-path: /o',
  'x-envoy-original-host: h',
  'x-envoy-ip-tags: t',
  'x-envoy-external-address: 9.9.9.9',
  'x-envoy-expected-rq-timeout-ms: 77',
  'x-envoy-attempt-count: 5',
  'x-envoy-is-timeout-retry: true',
  'x-envoy-upstream-stream-duration-ms: 10000',
  'x-envoy-original-url: /u',
  'x-envoy-peer-metadata: p',
  'x-client-trace-id: tr',
  'x-forwarded-host: fh',
  'x-forwarded-port: 1',
  'forwarded: for=1',
  'x-request-id: 12345678-1234-4234-8234-123456789012',
];

export const HEADER_CASES: readonly Scenario[] = [
  {
    name: 'plain requests on one connection',
    connections: [
      [
        get('/'),
        get('/a?b=c'),
        post('/p', 'body'),
        request('HEAD', '/h'),
        request('DELETE', '/'),
        request('OPTIONS', '*'),
        request('PUT', '/'),
      ],
    ],
  },
  {
    name: 'a client that asks to close',
    connections: [
      [get('/', 'Connection: close')],
      [get('/', 'Connection: Keep-Alive'), get('/2', 'Proxy-Connection: close')],
    ],
  },
  {
    name: 'forwarded headers of a client behind us',
    connections: [
      [
        get('/', ...FORWARDED),
        get('/', 'X-Forwarded-For: nonsense'),
        get('/', 'X-Forwarded-For: 10.0.0.1'),
        get('/', 'X-Forwarded-For: ::1'),
        get('/', 'X-Forwarded-For: 1.2.3.4:80'),
        get('/', 'X-Forwarded-For: 300.1.1.1'),
        get('/', 'X-Forwarded-For: 1.1.1.1', 'X-Forwarded-For: 2.2.2.2'),
        get('/', 'X-Forwarded-For:'),
        get('/', 'X-Forwarded-Proto: ftp'),
      ],
    ],
  },
  { name: 'headers of Envoy from behind us', connections: [[get('/', ...ENVOY_HEADERS)]] },
  {
    name: 'headers of Envoy from an internal peer',
    manager: { ...INTERNAL },
    connections: [
      [
        get('/', ...ENVOY_HEADERS),
        get('/', 'x-forwarded-for: 10.1.1.1', ...ENVOY_HEADERS),
        get('/', 'x-forwarded-for: 11.1.1.1', ...ENVOY_HEADERS),
      ],
    ],
  },
  {
    name: 'headers of Envoy at the edge',
    manager: { use_remote_address: true },
    connections: [[get('/', ...ENVOY_HEADERS), get('/', ...FORWARDED)]],
  },
  {
    name: 'headers of Envoy at the edge from an internal peer',
    manager: { use_remote_address: true, ...INTERNAL },
    connections: [[get('/', ...ENVOY_HEADERS), get('/', ...FORWARDED, ...ENVOY_HEADERS)]],
  },
  {
    name: 'use_remote_address with trusted hops',
    manager: { use_remote_address: true, xff_num_trusted_hops: 1 },
    connections: [
      [
        get('/', ...FORWARDED),
        get('/'),
        get('/', 'X-Forwarded-For: 1.1.1.1'),
        get('/', 'X-Forwarded-For: 1.1.1.1', 'x-forwarded-proto: bogus'),
      ],
    ],
  },
  {
    name: 'trusted hops without use_remote_address',
    manager: { xff_num_trusted_hops: 1 },
    connections: [[get('/', ...FORWARDED), get('/'), get('/', 'X-Forwarded-For: 1.1.1.1')]],
  },
  {
    name: 'skip_xff_append',
    manager: { use_remote_address: true, skip_xff_append: true },
    connections: [[get('/', ...FORWARDED), get('/')]],
  },
  {
    name: 'skip_xff_append without use_remote_address',
    manager: { skip_xff_append: true, via: 'v' },
    connections: [[get('/', ...FORWARDED), get('/')]],
  },
  {
    name: 'append_x_forwarded_port',
    manager: { use_remote_address: true, append_x_forwarded_port: true },
    connections: [[get('/'), get('/', 'x-forwarded-port: 1')]],
  },
  {
    name: 'append_x_forwarded_port without use_remote_address',
    manager: { append_x_forwarded_port: true },
    connections: [[get('/'), get('/', 'x-forwarded-port: 1')]],
  },
  {
    name: 'append_x_forwarded_port with trusted hops',
    manager: { use_remote_address: true, xff_num_trusted_hops: 1, append_x_forwarded_port: true },
    connections: [[get('/'), get('/', 'x-forwarded-port: 1')]],
  },
  {
    name: 'represent_ipv4_remote_address_as_ipv4_mapped_ipv6',
    manager: { use_remote_address: true, represent_ipv4_remote_address_as_ipv4_mapped_ipv6: true },
    connections: [[get('/')]],
  },
  {
    name: 'via',
    manager: { via: 'pilot' },
    upstreams: [{ answers: [answer(200), answer(200, ['via: 1.1 x'])] }],
    connections: [[get('/', 'via: a', 'via: b'), get('/')]],
  },
  {
    name: 'server: OVERWRITE with a name',
    manager: { server_name: 'me' },
    upstreams: [{ answers: [answer(200, ['server: up']), answer(200)] }],
    connections: [[get('/'), get('/')]],
  },
  {
    name: 'server: APPEND_IF_ABSENT',
    manager: { server_header_transformation: 'APPEND_IF_ABSENT' },
    upstreams: [{ answers: [answer(200, ['server: up']), answer(200)] }],
    connections: [[get('/'), get('/')]],
  },
  {
    name: 'server: PASS_THROUGH',
    manager: { server_header_transformation: 'PASS_THROUGH' },
    upstreams: [{ answers: [answer(200, ['server: up']), answer(200)] }],
    connections: [[get('/'), get('/')]],
  },
  {
    name: 'server: PASS_THROUGH for an answer of our own',
    manager: { server_header_transformation: 'PASS_THROUGH' },
    upstreams: [],
    connections: [[get('/')]],
  },
  {
    name: 'request ids',
    connections: [
      [
        get('/', 'x-request-id: abc'),
        get('/', 'x-request-id: 12345678-1234-4234-8234-123456789012'),
        get('/', 'x-request-id:'),
        get('/'),
      ],
    ],
  },
  {
    name: 'request ids at the edge',
    manager: { use_remote_address: true },
    connections: [[get('/', 'x-request-id: abc'), get('/')]],
  },
  {
    name: 'preserve_external_request_id',
    manager: { use_remote_address: true, preserve_external_request_id: true },
    connections: [
      [get('/', 'x-request-id: abc'), get('/', 'x-request-id: 12345678-1234-a234-8234-123456789012')],
    ],
  },
  {
    name: 'generate_request_id off',
    manager: { generate_request_id: false },
    connections: [[get('/'), get('/', 'x-request-id: abc')]],
  },
  {
    name: 'always_set_request_id_in_response',
    manager: { always_set_request_id_in_response: true },
    upstreams: [{ answers: [answer(200), answer(200, ['x-request-id: mine'])] }],
    connections: [[get('/', 'x-request-id: abc'), get('/', 'x-request-id: abc')]],
  },
  {
    name: 'pack_trace_reason off',
    manager: {
      request_id_extension: {
        typed_config: {
          '@type': 'type.googleapis.com/envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig',
          pack_trace_reason: false,
        },
      },
    },
    connections: [[get('/'), get('/', 'x-request-id: 12345678-1234-a234-8234-123456789012')]],
  },
  {
    name: 'tracing that samples',
    manager: { tracing: {} },
    connections: [[get('/'), get('/', 'x-client-trace-id: a'), get('/', 'x-envoy-force-trace: 1')]],
  },
  {
    name: 'tracing that samples, at the edge',
    manager: { tracing: { client_sampling: { value: 0 } }, use_remote_address: true },
    connections: [[get('/'), get('/', 'x-client-trace-id: a'), get('/', 'x-envoy-force-trace: 1')]],
  },
  {
    name: 'tracing, and ids that do not tell',
    manager: {
      tracing: {},
      request_id_extension: {
        typed_config: {
          '@type': 'type.googleapis.com/envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig',
          pack_trace_reason: false,
        },
      },
    },
    connections: [[get('/'), get('/', 'x-client-trace-id: a'), get('/', 'x-request-id: mine')]],
  },
  {
    name: 'tracing without ids',
    manager: { tracing: {}, generate_request_id: false },
    connections: [
      [
        get('/'),
        get('/', 'x-request-id: zzzzzzzz-1234-a234-8234-123456789012'),
        get('/', 'x-client-trace-id: a'),
      ],
      [get('/', 'x-request-id: 12345678-1234-a234-8234-123456789012')],
    ],
  },
  {
    name: 'tracing of none, whatever asks for it',
    manager: { tracing: { overall_sampling: { value: 0 } } },
    connections: [[get('/'), get('/', 'x-client-trace-id: a')]],
  },
  {
    name: 'tracing that does not sample',
    manager: { tracing: { random_sampling: { value: 0 } } },
    connections: [[get('/'), get('/', 'x-client-trace-id: a')]],
  },
  {
    name: 'add_user_agent',
    manager: { add_user_agent: true },
    connections: [[get('/'), get('/', 'User-Agent: mine')]],
  },
  {
    name: 'hop-by-hop headers of requests',
    connections: [
      [
        get('/', 'Connection: x-a, X-B', 'x-a: 1', 'X-B: 2', 'x-c: 3'),
        get('/', 'Keep-Alive: 5', 'Proxy-Connection: keep-alive'),
        get('/', 'TE: trailers'),
        get('/', 'TE: gzip, trailers;q=0.5'),
        get('/', 'TE: gzip'),
        get('/', 'Connection: te', 'TE: trailers'),
        get('/', 'Upgrade: foo'),
        get('/', 'Trailer: x'),
        get('/', 'Expect: 200-ok'),
      ],
    ],
  },
  {
    name: 'Connection names what it must not',
    connections: [
      [get('/', 'Connection: x-forwarded-for')],
      [get('/', 'Connection: :path')],
      [get('/', `Connection: ${'a,'.repeat(12)}`)],
      [get('/', 'Connection: cookie', 'cookie: a')],
    ],
  },
  {
    name: 'hop-by-hop headers of responses',
    upstreams: [
      {
        answers: [
          answer(200, ['Connection: x-a', 'x-a: 1']),
          answer(200, ['Keep-Alive: timeout=5', 'proxy-connection: keep-alive']),
          answer(200, ['Upgrade: foo', 'x-Mixed-Case: 1']),
          answer(200, ['date: Mon, 01 Jan 2024 00:00:00 GMT', 'server: up']),
          answer(200, ['set-cookie: a', 'set-cookie: b', 'x-envoy-upstream-service-time: 99']),
          answer(200, [
            'x-envoy-internal: true',
            'x-request-id: 1',
            'te: x',
            'trailer: y',
            'x-envoy-overloaded: true',
            'x-envoy-decorator-operation: op',
          ]),
          chunkedAnswer(['hello', 'world'], 'x-a: 1'),
          answer(200, ['Connection: close']),
        ],
      },
    ],
    connections: [
      [get('/1'), get('/2'), get('/3'), get('/4'), get('/5'), get('/6'), get('/7'), get('/8'), get('/9')],
    ],
  },
  {
    name: 'request headers to add, with actions',
    virtualHost: {
      request_headers_to_add: [
        { header: { key: 'x-append', value: 'v' } },
        { header: { key: 'x-absent', value: 'v' }, append_action: 'ADD_IF_ABSENT' },
        { header: { key: 'x-over', value: 'v' }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' },
        { header: { key: 'x-over-only', value: 'v' }, append_action: 'OVERWRITE_IF_EXISTS' },
        { header: { key: 'x-empty', value: '%REQ(x-none)%' } },
        { header: { key: 'x-kept', value: '%REQ(x-none)%' }, keep_empty_value: true },
        {
          header: {
            key: 'x-many',
            value:
              '%PROTOCOL% %REQ(:METHOD)% %REQ(:PATH)% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %UPSTREAM_CLUSTER% %ROUTE_NAME% 100%%',
          },
        },
        { header: { key: 'x-host', value: '%UPSTREAM_HOST%' } },
        { header: { key: 'x-start', value: '%START_TIME(%Y)%' }, append_action: 'ADD_IF_ABSENT' },
      ],
      request_headers_to_remove: ['x-gone', 'user-agent'],
      response_headers_to_add: [
        { header: { key: 'x-code', value: '%RESPONSE_CODE%' } },
        { header: { key: 'x-up', value: '%UPSTREAM_HOST% %UPSTREAM_CLUSTER%' } },
        { header: { key: 'x-req', value: '%REQ(x-over)%' } },
        { header: { key: 'x-flags', value: '%RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%' } },
        { header: { key: 'server', value: 'route' }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' },
      ],
      response_headers_to_remove: ['x-secret'],
    },
    upstreams: [{ answers: [answer(200, ['x-secret: 1', 'x-code: 9'])] }],
    connections: [
      [
        get('/'),
        get('/p', 'x-append: a', 'x-absent: a', 'x-over: a', 'x-over-only: a', 'x-gone: 1', 'user-agent: u'),
      ],
    ],
  },
  {
    name: 'headers of an answer of our own',
    virtualHost: {
      response_headers_to_add: [
        { header: { key: 'x-code', value: '%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%' } },
      ],
    },
    upstreams: [],
    connections: [
      [
        get('/'),
        request('HEAD', '/'),
        get('/', 'content-type: application/grpc'),
        get('/', 'accept: application/json'),
      ],
    ],
  },
  {
    name: 'suppress_envoy_headers',
    router: { suppress_envoy_headers: true },
    connections: [[get('/', ...ENVOY_HEADERS)]],
  },
  {
    name: 'x-envoy-original-path and a rewrite',
    action: { prefix_rewrite: '/new/' },
    connections: [[get('/a?b'), get('/', 'x-envoy-original-path: /x')]],
  },
  {
    name: 'a host rewrite',
    action: { host_rewrite_literal: 'other.host', append_x_forwarded_host: true },
    connections: [[get('/a'), get('/', 'x-forwarded-host: prev')]],
  },
  {
    name: 'an automatic host rewrite',
    action: { auto_host_rewrite: true, append_x_forwarded_host: true },
    cluster: {
      type: 'STRICT_DNS',
      load_assignment: {
        cluster_name: '$C',
        endpoints: [
          {
            lb_endpoints: [
              {
                endpoint: {
                  hostname: 'named.host',
                  address: { socket_address: { address: '127.0.0.1', port_value: 1 } },
                },
              },
            ],
          },
        ],
      },
    },
    connections: [[get('/a')]],
  },
  {
    name: 'proper case',
    manager: { http_protocol_options: { header_key_format: { proper_case_words: {} } } },
    connections: [[get('/', 'x-a-B: 1', 'foo-1a: x')]],
  },
  {
    name: 'preserved case',
    manager: {
      http_protocol_options: {
        header_key_format: {
          stateful_formatter: {
            name: 'p',
            typed_config: {
              '@type':
                'type.googleapis.com/envoy.extensions.http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig',
            },
          },
        },
      },
    },
    cluster: {
      typed_extension_protocol_options: {
        'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
          '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
          explicit_http_config: {
            http_protocol_options: {
              header_key_format: {
                stateful_formatter: {
                  name: 'p',
                  typed_config: {
                    '@type':
                      'type.googleapis.com/envoy.extensions.http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig',
                  },
                },
              },
            },
          },
        },
      },
    },
    upstreams: [{ answers: ['HTTP/1.1 200 Fine\r\nContent-Length: 2\r\nX-CaseD: 1\r\n\r\nok'] }],
    connections: [
      [get('/', 'X-MiXed: 1', 'ACCEPT: x'), post('/', 'abc', 'X-A: 1'), chunkedPost('/', ['abc'])],
    ],
  },
  {
    name: 'underscores: rejected',
    manager: { common_http_protocol_options: { headers_with_underscores_action: 'REJECT_REQUEST' } },
    connections: [[get('/', 'a_b: 1')]],
  },
  {
    name: 'underscores: dropped',
    manager: { common_http_protocol_options: { headers_with_underscores_action: 'DROP_HEADER' } },
    connections: [[get('/', 'a_b: 1', 'c-d: 1')]],
  },
  {
    name: 'scheme_to_overwrite',
    manager: { scheme_header_transformation: { scheme_to_overwrite: 'https' } },
    connections: [[get('/')]],
  },
  {
    name: 'the response headers of a mistaken method',
    virtualHost: {
      routes: [
        {
          match: { prefix: '/', headers: [{ name: ':method', string_match: { exact: 'GET' } }] },
          route: { cluster: '$C' },
        },
      ],
    },
    connections: [[get('/'), post('/', 'abc'), get('/')]],
  },
];
