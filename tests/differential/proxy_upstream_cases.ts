// Upstreams that fail, are slow or are not there: what clients are told, and what is tried again.

import type { Scenario } from './proxy_scenario.ts';
import { answer, get, post } from './raw_requests.ts';
import { OK } from './scripted_upstream.ts';

const REFUSED = '127.0.0.1:1';
const retry = (retry_on: string, more: object = {}): Scenario['action'] => ({
  retry_policy: {
    retry_on,
    num_retries: 2,
    retry_back_off: { base_interval: '0.001s', max_interval: '0.002s' },
    ...more,
  },
});
const COUNTED = { include_request_attempt_count: true, include_attempt_count_in_response: true };
const slow = (ms: number): Scenario['upstreams'] => [{ answers: [[ms, OK]] }];
const options = (more: object): Scenario['cluster'] => ({
  typed_extension_protocol_options: {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
      explicit_http_config: { http_protocol_options: {} },
      ...more,
    },
  },
});

export const UPSTREAM_CASES: readonly Scenario[] = [
  { name: 'no host', upstreams: [], connections: [[get('/'), post('/', 'abc')]] },
  { name: 'no cluster', action: { cluster: 'unheard-of' }, connections: [[get('/')]] },
  {
    name: 'no cluster, with a status',
    action: { cluster: undefined, cluster_header: 'x-cluster', cluster_not_found_response_code: 'NOT_FOUND' },
    connections: [[get('/'), get('/', 'x-cluster: unheard-of'), get('/', 'x-cluster: $C')]],
  },
  { name: 'connection refused', upstreams: [REFUSED], connections: [[get('/'), post('/', 'abc')]] },
  {
    name: 'closed before a response',
    upstreams: [{ answers: [['FIN']] }],
    connections: [[get('/')], [post('/', 'abc')]],
  },
  { name: 'reset before a response', upstreams: [{ answers: [['RST']] }], connections: [[get('/')]] },
  {
    name: 'closed in the middle of a head',
    upstreams: [{ answers: [['HTTP/1.1 200 O', 20, 'FIN']] }],
    connections: [[get('/')]],
  },
  {
    name: 'closed in the middle of a body',
    upstreams: [{ answers: [['HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc', 20, 'FIN']] }],
    connections: [[{ send: get('/'), await: 'close' }]],
  },
  {
    name: 'closed in the middle of a chunked body',
    upstreams: [
      { answers: [['HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n', 20, 'FIN']] },
    ],
    connections: [[{ send: get('/'), await: 'close' }]],
  },
  {
    name: 'reset in the middle of a body',
    upstreams: [{ answers: [['HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc', 50, 'RST']] }],
    connections: [[{ send: get('/'), await: 'close' }]],
  },
  {
    name: 'no HTTP',
    upstreams: [
      {
        answers: [
          'SSH-2.0\r\n\r\n',
          'HTTP/1.1 abc\r\n\r\n',
          'HTTP/1.1 200 OK\r\nbad header\r\n\r\n',
          'HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n',
          'HTTP/1.1 204 No\r\ncontent-length: 3\r\n\r\nabc',
          'HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
        ],
      },
    ],
    connections: [[get('/1'), get('/2'), get('/3'), get('/4'), get('/5'), get('/6'), get('/7')]],
  },
  {
    name: 'a bad chunk after the head',
    upstreams: [
      { answers: [['HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n', 20, 'zz\r\n']] },
    ],
    connections: [[{ send: get('/'), await: 'close' }]],
  },
  {
    name: 'a response head that is too large',
    upstreams: [
      {
        answers: [
          `HTTP/1.1 200 OK\r\nx: ${'a'.repeat(100_000)}\r\n\r\n`,
          `HTTP/1.1 200 OK\r\n${'a: b\r\n'.repeat(120)}\r\n`,
        ],
      },
    ],
    connections: [[get('/'), get('/')]],
  },
  {
    name: 'more than the response',
    upstreams: [{ answers: [`${OK}more`, OK] }],
    connections: [[get('/'), get('/')]],
  },
  {
    name: 'a response that nobody asked for',
    upstreams: [{ greeting: OK, answers: [OK] }],
    connections: [[{ after: 100 }, get('/')]],
  },
  {
    name: 'the upstream closes its idle connection',
    upstreams: [{ answers: [[OK, 30, 'FIN'], OK] }],
    connections: [[get('/'), { after: 100 }, get('/')]],
  },

  {
    name: 'route timeout',
    action: { timeout: '0.1s' },
    upstreams: slow(1000),
    connections: [[get('/'), post('/', 'abc')]],
  },
  {
    name: 'route timeout in the middle of a body',
    action: { timeout: '0.15s' },
    upstreams: [{ answers: [['HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc', 600, 'defghij']] }],
    connections: [[get('/')]],
  },
  { name: 'timeout 0', action: { timeout: '0s' }, connections: [[get('/')]] },
  {
    name: 'timeouts that the client asks for',
    connections: [[get('/', 'x-envoy-upstream-rq-timeout-ms: 70')]],
    manager: {
      use_remote_address: true,
      internal_address_config: { cidr_ranges: [{ address_prefix: '127.0.0.1', prefix_len: 32 }] },
    },
    upstreams: slow(700),
  },
  {
    name: 'per-try timeout with retries',
    action: { timeout: '3s', ...retry('5xx', { per_try_timeout: '0.1s', num_retries: 1 }), ...{} },
    virtualHost: COUNTED,
    upstreams: [{ answers: [[600, OK], [600, OK], OK] }],
    connections: [[get('/')]],
  },
  {
    name: 'per-try timeout without retries',
    action: { retry_policy: { retry_on: 'connect-failure', per_try_timeout: '0.1s' } },
    upstreams: slow(600),
    connections: [[get('/')]],
  },
  {
    name: 'per-try idle timeout',
    action: { retry_policy: { retry_on: 'connect-failure', per_try_idle_timeout: '0.1s' } },
    upstreams: slow(600),
    connections: [[get('/')]],
  },
  {
    name: 'route idle timeout',
    action: { idle_timeout: '0.1s' },
    upstreams: slow(600),
    connections: [
      [get('/')],
      [{ send: 'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc', await: 1 }],
    ],
  },
  {
    name: 'stream idle timeout',
    manager: { stream_idle_timeout: '0.1s' },
    upstreams: [{ answers: [['HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc', 600, 'defghij']] }],
    connections: [[{ send: get('/'), await: 'close' }]],
  },
  {
    name: 'request timeout',
    manager: { request_timeout: '0.1s' },
    connections: [[{ send: 'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc', await: 1 }]],
  },
  {
    name: 'request timeout in a head',
    manager: { request_timeout: '0.1s' },
    connections: [[{ send: 'POST / HTTP/1.1\r\nHo', await: 'close' }]],
  },
  {
    name: 'request headers timeout',
    manager: { request_headers_timeout: '0.1s' },
    connections: [[{ send: 'POST / HTTP/1.1\r\nHo', await: 'close' }]],
  },
  {
    name: 'max stream duration',
    manager: { common_http_protocol_options: { max_stream_duration: '0.1s' } },
    upstreams: slow(600),
    connections: [[get('/')]],
  },
  {
    name: 'max stream duration of the route',
    action: { max_stream_duration: { max_stream_duration: '0.1s' } },
    upstreams: slow(600),
    connections: [[get('/')]],
  },
  {
    name: 'max stream duration of the cluster',
    cluster: options({ common_http_protocol_options: { max_stream_duration: '0.1s' } }),
    upstreams: [
      {
        answers: [
          [400, OK],
          ['HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc', 400, 'abcdef'],
        ],
      },
    ],
    connections: [
      [get('/')],
      [{ send: get('/'), await: 'close' }],
      [{ send: ['POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\na', 400], await: 1 }],
    ],
  },
  {
    name: 'max stream duration of the cluster, and a retry',
    action: { timeout: '0s', ...retry('reset') },
    cluster: options({ common_http_protocol_options: { max_stream_duration: '0.1s' } }),
    upstreams: [{ answers: [[400, OK], OK] }],
    connections: [[get('/')]],
  },
  {
    name: 'connection idle timeout',
    manager: { common_http_protocol_options: { idle_timeout: '0.1s' } },
    connections: [[get('/'), { await: 'close' }], [{ await: 'close' }]],
  },
  {
    name: 'max connection duration',
    manager: { common_http_protocol_options: { max_connection_duration: '0.1s' }, drain_timeout: '0.1s' },
    connections: [[get('/'), { after: 200 }, { await: 'close' }]],
  },
  {
    name: 'max connection duration with a request under way',
    manager: { common_http_protocol_options: { max_connection_duration: '0.1s' }, drain_timeout: '2s' },
    upstreams: slow(250),
    connections: [[get('/')]],
  },
  {
    name: 'idle timeout of upstream connections',
    cluster: options({ common_http_protocol_options: { idle_timeout: '0.08s' } }),
    connections: [[get('/'), { after: 250 }, get('/')]],
  },

  {
    name: 'retry on 5xx',
    action: retry('5xx'),
    virtualHost: COUNTED,
    upstreams: [{ answers: [answer(500, [], 'no'), answer(503, [], 'no'), OK] }],
    connections: [[get('/')]],
  },
  {
    name: 'retry on 5xx until the limit',
    action: retry('5xx'),
    virtualHost: COUNTED,
    upstreams: [{ answers: [answer(500, [], 'no')] }],
    connections: [[post('/', 'abc')]],
  },
  {
    name: 'no retry on 404',
    action: retry('5xx'),
    upstreams: [{ answers: [answer(404, [], 'no')] }],
    connections: [[get('/')]],
  },
  {
    name: 'retry on gateway-error',
    action: retry('gateway-error'),
    upstreams: [{ answers: [answer(502), answer(500)] }],
    connections: [[get('/')]],
  },
  {
    name: 'retry on retriable-4xx',
    action: retry('retriable-4xx'),
    upstreams: [{ answers: [answer(409), OK] }],
    connections: [[get('/')]],
  },
  {
    name: 'retry on status codes',
    action: retry('retriable-status-codes', { retriable_status_codes: [418] }),
    upstreams: [{ answers: [answer(418), OK] }],
    connections: [[get('/')]],
  },
  {
    name: 'retry on headers',
    action: retry('retriable-headers', { retriable_headers: [{ name: 'x-again', present_match: true }] }),
    upstreams: [{ answers: [answer(200, ['x-again: 1']), OK] }],
    connections: [[get('/')]],
  },
  {
    name: 'retry for some requests',
    action: retry('5xx', { retriable_request_headers: [{ name: 'x-may', present_match: true }] }),
    upstreams: [{ answers: [answer(500), answer(500), OK] }],
    connections: [[get('/'), get('/', 'x-may: 1')]],
  },
  {
    name: 'retry on connect-failure',
    action: retry('connect-failure'),
    virtualHost: COUNTED,
    upstreams: [REFUSED],
    connections: [[get('/')]],
  },
  {
    name: 'retry on reset',
    action: retry('reset'),
    virtualHost: COUNTED,
    upstreams: [{ answers: [['RST'], ['FIN'], OK] }],
    connections: [[post('/', 'abc')]],
  },
  {
    name: 'retry on reset-before-request does not repeat',
    action: retry('reset-before-request'),
    upstreams: [{ answers: [['RST'], OK] }],
    connections: [[get('/')]],
  },
  {
    name: 'no retry on refused-stream',
    action: retry('refused-stream'),
    upstreams: [{ answers: [['RST'], OK] }],
    connections: [[get('/')]],
  },
  {
    name: 'retry on a rate limit',
    action: retry('envoy-ratelimited'),
    upstreams: [{ answers: [answer(429, ['x-envoy-ratelimited: true']), OK] }],
    connections: [[get('/')]],
  },
  {
    name: 'no retry on a rate limit',
    action: retry('5xx'),
    upstreams: [{ answers: [answer(503, ['x-envoy-ratelimited: true']), OK] }],
    connections: [[get('/')]],
  },
  {
    name: 'retry that the client asks for',
    manager: {
      use_remote_address: true,
      internal_address_config: { cidr_ranges: [{ address_prefix: '127.0.0.1', prefix_len: 32 }] },
    },
    upstreams: [{ answers: [answer(500), OK] }],
    connections: [[get('/', 'x-envoy-retry-on: 5xx', 'x-envoy-max-retries: 3')]],
  },
  {
    name: 'retry that a stranger asks for',
    upstreams: [{ answers: [answer(500), OK] }],
    connections: [[get('/', 'x-envoy-retry-on: 5xx')]],
  },
  {
    name: 'retry with the time that is left',
    action: { timeout: '5s', ...retry('5xx') },
    upstreams: [{ answers: [answer(500), OK] }],
    connections: [[get('/')]],
  },
  {
    name: 'retry after a response has begun',
    action: retry('5xx,reset'),
    upstreams: [{ answers: [['HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc', 20, 'FIN']] }],
    connections: [[{ send: get('/'), await: 'close' }]],
  },
  {
    name: 'a body too large to be kept for a retry',
    action: retry('5xx'),
    listener: { per_connection_buffer_limit_bytes: 10_000 },
    upstreams: [{ answers: [answer(500), OK] }],
    connections: [[{ send: post('/', 'x'.repeat(50_000)), await: 1 }]],
  },

  {
    name: 'connections that are made ahead',
    cluster: { preconnect_policy: { per_upstream_preconnect_ratio: 2 } },
    upstreams: slow(100),
    connections: [[get('/1'), get('/2')]],
  },
  {
    name: 'weighted clusters chosen by a header',
    action: {
      cluster: undefined,
      weighted_clusters: {
        header_name: 'x-random',
        clusters: [
          { name: '$C', weight: 30, request_headers_to_add: [{ header: { key: 'x-w', value: 'a' } }] },
          { name: '$C-b', weight: 70, response_headers_to_add: [{ header: { key: 'x-w', value: 'b' } }] },
        ],
      },
    },
    clusters: { b: { upstream: {} } },
    connections: [[get('/', 'x-random: 29'), get('/', 'x-random: 30'), get('/', 'x-random: 130')]],
  },
  {
    name: 'a canary',
    upstreams: [{ answers: [answer(200, ['x-envoy-upstream-canary: true'])] }],
    connections: [[get('/')]],
  },
];
