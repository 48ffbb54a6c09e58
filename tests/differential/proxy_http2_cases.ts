// HTTP/2 on either side: what becomes of heads, bodies, trailers and resets when the two sides speak different protocols.

import type { Fields, Http2Request } from './http2_client.ts';
import type { Http2Answer, Http2Script } from './http2_upstream.ts';
import type { Scenario } from './proxy_scenario.ts';
import { answer, chunkedAnswer, chunkedPost, get, post, request } from './raw_requests.ts';
import { OK } from './scripted_upstream.ts';

const WEBSOCKET: Fields = {
  ':method': 'CONNECT',
  ':protocol': 'websocket',
  ':scheme': 'http',
  ':path': '/chat',
};
const UPGRADES: Scenario['manager'] = {
  upgrade_configs: [{ upgrade_type: 'websocket' }],
  http2_protocol_options: { allow_connect: true },
};
const ALLOW_CONNECT: Scenario['cluster'] = {
  typed_extension_protocol_options: {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
      explicit_http_config: { http2_protocol_options: { allow_connect: true } },
    },
  },
};

const plain: Http2Request = {};
const posted: Http2Request = { headers: { ':method': 'POST' }, body: ['abc', 'def'] };
const one = (...requests: readonly Http2Request[]): Scenario['http2'] => [{ requests }];
const answers = (...list: readonly Http2Answer[]): readonly Http2Script[] => [{ answers: list }];
const retry = (retry_on: string, more: object = {}): Scenario['action'] => ({
  retry_policy: {
    retry_on,
    num_retries: 2,
    retry_back_off: { base_interval: '0.001s', max_interval: '0.002s' },
    ...more,
  },
});

const FROM_HTTP2: readonly Scenario[] = [
  { name: 'requests, one after the other', http2: one(plain, posted, plain) },
  {
    name: 'requests at once',
    upstreams: [{ answers: [[30, OK]] }],
    http2: one({ together: true }, { together: true, headers: { ':path': '/2' } }, plain),
  },
  {
    name: 'a length, and none',
    http2: one(
      { headers: { ':method': 'POST', 'content-length': '6' }, body: ['abc', 'def'] },
      { headers: { ':method': 'POST', 'content-length': '0' } },
      { headers: { ':method': 'POST' } },
      { headers: { ':method': 'PUT' }, body: [] },
    ),
  },
  {
    name: 'cookies in parts',
    http2: one({ headers: { cookie: ['a=1', 'b=2', 'c=3; d=4'] } }),
  },
  { name: 'te', http2: one({ headers: { te: 'trailers' } }) },
  {
    name: 'host and :authority',
    http2: one({ headers: { host: 'other.example.com' } }, { headers: { ':authority': 'h:123' } }),
  },
  {
    name: 'answers without a body',
    upstreams: [{ answers: [answer(204), answer(304), OK] }],
    http2: one(plain, plain, { headers: { ':method': 'HEAD' } }),
  },
  {
    name: 'chunked answers and their trailers',
    upstreams: [
      {
        answers: [
          chunkedAnswer(['ab', 'cd']),
          'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nx-trailer: t\r\n\r\n',
        ],
      },
    ],
    http2: one(plain, plain),
  },
  {
    name: 'hop-by-hop headers of an answer',
    upstreams: [
      {
        answers: [
          answer(200, ['connection: keep-alive', 'keep-alive: timeout=5', 'proxy-connection: x'], 'a'),
        ],
      },
    ],
    http2: one(plain),
  },
  {
    name: 'interim answers',
    manager: { proxy_100_continue: true },
    upstreams: [
      { answers: [`HTTP/1.1 100 Continue\r\n\r\n${OK}`, `HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n${OK}`] },
    ],
    http2: one({ headers: { ':method': 'POST', expect: '100-continue' }, body: ['abc'] }, plain),
  },
  {
    name: 'the proxy says 100-continue',
    http2: one({ headers: { ':method': 'POST', expect: '100-continue' }, body: ['abc'] }),
  },
  { name: 'request trailers', http2: one({ ...posted, trailers: { 'x-trailer': 't' } }) },
  {
    name: 'an answer before the end of the request',
    upstreams: [{ early: true }],
    http2: one({ headers: { ':method': 'POST' }, body: ['abc', 300, 'def'] }, plain),
  },
  {
    name: 'an upstream that closes in the middle',
    upstreams: [{ answers: [['HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc', 20, 'FIN'], ['FIN'], OK] }],
    http2: one(plain, plain, plain),
  },
  {
    name: 'a client that gives up',
    upstreams: [{ answers: [[300, OK], OK] }],
    http2: one({ cancelAfter: 50 }, plain),
  },
  {
    name: 'clients that give up with other codes',
    upstreams: [{ answers: [[200, OK]] }],
    http2: one(
      { cancelAfter: 50, cancelCode: 1 },
      { cancelAfter: 50, cancelCode: 2 },
      { cancelAfter: 50, cancelCode: 7 },
      { cancelAfter: 50, cancelCode: 10 },
      { cancelAfter: 50, cancelCode: 11 },
    ),
  },
  { name: 'no route and no path', virtualHost: { domains: ['x'] }, http2: one(plain) },
  {
    name: 'stream idle timeout',
    manager: { stream_idle_timeout: '0.1s' },
    upstreams: [
      { answers: [[400, OK], ['HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc', 400, 'abcdef'], OK] },
    ],
    http2: one(plain, plain, plain),
  },
  {
    name: 'request timeout',
    manager: { request_timeout: '0.1s' },
    http2: one({ headers: { ':method': 'POST' }, body: ['a', 400, 'b'] }, plain),
  },
  {
    name: 'max stream duration',
    manager: { common_http_protocol_options: { max_stream_duration: '0.1s' } },
    upstreams: [{ answers: [[400, OK], OK] }],
    http2: one(plain, plain),
  },
  {
    name: 'max_requests_per_connection',
    manager: { common_http_protocol_options: { max_requests_per_connection: 2 } },
    http2: [{ requests: [plain, plain], stay: 400 }],
  },
  {
    name: 'idle_timeout',
    manager: { common_http_protocol_options: { idle_timeout: '0.1s' } },
    http2: [{ requests: [plain], stay: 500 }],
  },
  {
    name: 'max_connection_duration',
    manager: { common_http_protocol_options: { max_connection_duration: '0.1s' } },
    http2: [{ requests: [plain], stay: 500 }],
  },
  { name: 'codec_type HTTP1', manager: { codec_type: 'HTTP1' }, connections: [[get('/')]] },
  {
    name: 'path normalisation and redirects',
    manager: { normalize_path: true, path_with_escaped_slashes_action: 'REJECT_REQUEST' },
    http2: one({ headers: { ':path': '/a/../b' } }, { headers: { ':path': '/a%2fb' } }, plain),
  },
  {
    name: 'underscores',
    manager: { common_http_protocol_options: { headers_with_underscores_action: 'REJECT_REQUEST' } },
    http2: one({ headers: { a_b: 'c' } }, plain),
  },
  {
    name: 'underscores dropped',
    manager: { common_http_protocol_options: { headers_with_underscores_action: 'DROP_HEADER' } },
    http2: one({ headers: { a_b: 'c', x: 'y' } }, plain),
  },
  {
    name: 'websocket to HTTP/1',
    manager: UPGRADES,
    upstreams: [
      {
        answers: [
          'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nsec-websocket-accept: x\r\n\r\nhi',
        ],
        echo: true,
      },
    ],
    http2: one({
      headers: { ...WEBSOCKET, 'sec-websocket-version': '13' },
      body: ['ping', 100, 'pong', 100],
    }),
  },
  {
    name: 'websocket refused by the upstream',
    manager: UPGRADES,
    upstreams: [{ answers: [answer(403, [], 'no')] }],
    http2: one({ headers: WEBSOCKET, body: [100] }, plain),
  },
  {
    name: 'websocket where there is none',
    manager: { http2_protocol_options: { allow_connect: true } },
    http2: one({ headers: WEBSOCKET, body: [100] }, plain),
  },
  {
    name: 'CONNECT where there is none',
    http2: one({ headers: { ':method': 'CONNECT' }, body: [50] }, plain),
  },
];

const FROM_HTTP1: readonly Scenario[] = [
  {
    name: 'requests of HTTP/1',
    http2Upstreams: [{}],
    connections: [[get('/'), post('/', 'abc'), chunkedPost('/', ['a', 'bc']), request('HEAD', '/')]],
  },
  {
    name: 'hop-by-hop headers',
    http2Upstreams: [{}],
    connections: [
      [
        get(
          '/',
          'Connection: keep-alive, x-hop',
          'X-Hop: 1',
          'Keep-Alive: 5',
          'Proxy-Connection: x',
          'TE: trailers, gzip',
        ),
        get('/', 'Cookie: a=1', 'Cookie: b=2', 'X-UPPER: v'),
      ],
    ],
  },
  {
    name: 'answers',
    http2Upstreams: answers(
      { headers: { ':status': '204' } },
      { headers: { ':status': '304', etag: 'x' } },
      { headers: { 'content-length': '3' }, body: ['abc'] },
      { body: ['abc'], trailers: { 'x-trailer': 't' } },
      { headers: { 'set-cookie': ['a=1', 'b=2'] } },
    ),
    connections: [[get('/'), get('/'), get('/'), get('/'), get('/')]],
  },
  {
    name: 'interim answers of HTTP/2',
    manager: { proxy_100_continue: true },
    http2Upstreams: answers({ informational: { ':status': '103', link: 'x' }, body: ['abc'] }),
    connections: [[get('/')]],
  },
  {
    name: 'trailers both ways',
    manager: { http_protocol_options: { enable_trailers: true } },
    http2Upstreams: answers({ body: ['abc'], trailers: { 'x-trailer': 't' } }),
    connections: [
      [
        'POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-request-trailer: r\r\n\r\n',
      ],
    ],
  },
  {
    name: 'an upstream that resets',
    http2Upstreams: answers(
      { reset: 8 },
      { reset: 2 },
      { reset: 7 },
      { headers: {}, body: ['abc', 30], reset: 8 },
      {},
    ),
    connections: [[get('/')], [get('/')], [get('/')], [{ send: get('/'), await: 'close' }], [get('/')]],
  },
  {
    name: 'websocket to HTTP/2',
    manager: { upgrade_configs: [{ upgrade_type: 'websocket' }] },
    cluster: ALLOW_CONNECT,
    http2Upstreams: [{ echo: true, settings: { enableConnectProtocol: true } }],
    connections: [
      [
        {
          send: get('/chat', 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Key: k'),
          await: 1,
        },
        { send: 'ping', await: 'any' },
        { after: 100 },
      ],
    ],
  },
  {
    name: 'websocket that an upstream of HTTP/2 refuses',
    manager: { upgrade_configs: [{ upgrade_type: 'websocket' }] },
    cluster: ALLOW_CONNECT,
    http2Upstreams: [
      {
        early: true,
        answers: [{ headers: { ':status': '403' }, body: ['no'] }],
        settings: { enableConnectProtocol: true },
      },
    ],
    connections: [
      [{ send: get('/chat', 'Connection: Upgrade', 'Upgrade: websocket'), await: 1 }, { after: 100 }],
    ],
  },
];

const BOTH: readonly Scenario[] = [
  {
    name: 'HTTP/2 on both sides',
    http2Upstreams: [{}],
    http2: one(plain, posted, { headers: { ':method': 'HEAD' } }),
  },
  {
    name: 'streams side by side',
    http2Upstreams: answers({ delay: 100, body: ['slow'] }, { body: ['fast'] }),
    http2: one({ together: true }, { headers: { ':path': '/2' } }),
  },
  {
    name: 'cookies go on in parts, or as they came',
    http2Upstreams: [{}],
    http2: one({ headers: { cookie: ['a=1', 'b=2'] } }),
  },
  {
    name: 'trailers of both sides',
    http2Upstreams: answers({ body: ['abc'], trailers: { 'x-trailer': 't' } }),
    http2: one({ ...posted, trailers: { 'x-request-trailer': 'r' } }),
  },
  {
    name: 'resets of the upstream',
    http2Upstreams: answers(
      { reset: 8 },
      { reset: 2 },
      { reset: 7 },
      { reset: 1 },
      { reset: 10 },
      { reset: 11 },
      { headers: {}, body: ['abc', 30], reset: 2 },
      {},
    ),
    http2: one(plain, plain, plain, plain, plain, plain, plain, plain),
  },
  {
    name: 'resets and retries',
    action: retry('reset'),
    http2Upstreams: answers({ reset: 8 }, { reset: 2 }, { body: ['third'] }),
    http2: one(plain),
  },
  {
    name: 'refused streams are tried again',
    action: retry('refused-stream'),
    http2Upstreams: answers({ reset: 7 }, { body: ['second'] }),
    http2: one(posted),
  },
  {
    name: 'GOAWAY before the request',
    action: retry('refused-stream'),
    http2Upstreams: answers({ body: ['first'] }, { goaway: true }, { body: ['second'] }),
    http2: one(plain, plain),
  },
  {
    name: 'a connection that is cut',
    action: retry('5xx'),
    http2Upstreams: answers({ destroy: true }, { body: ['second'] }),
    http2: one(plain),
  },
  {
    name: 'a connection that is cut, without retries',
    http2Upstreams: answers({ destroy: true }, { body: ['second'] }),
    http2: one(plain, plain),
  },
  {
    name: 'a client that gives up on both sides',
    http2Upstreams: answers({ delay: 300, body: ['late'] }),
    http2: one({ cancelAfter: 100 }),
  },
  {
    name: 'answered before the request ended',
    http2Upstreams: [{ early: true }],
    http2: one({ headers: { ':method': 'POST' }, body: ['abc', 200, 'def'] }, plain),
  },
  {
    name: 'one stream at a time',
    cluster: { ...ALLOW_CONNECT, circuit_breakers: { thresholds: [{ max_connections: 2 }] } },
    http2Upstreams: [{ settings: { maxConcurrentStreams: 1 }, answers: [{ delay: 50, body: ['a'] }] }],
    http2: one(plain, { together: true }, { together: true }, plain),
    statExceptions: { upstream_rq_pending: 'which of them waits is a matter of order' },
  },
  {
    name: 'max_requests_per_connection upstream',
    cluster: {
      typed_extension_protocol_options: {
        'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
          '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
          explicit_http_config: { http2_protocol_options: {} },
          common_http_protocol_options: { max_requests_per_connection: 2 },
        },
      },
    },
    http2Upstreams: [{}],
    http2: one(plain, plain, plain),
    statExceptions: { upstream_cx_protocol_error: 'Envoy counts what comes after its end of the connection' },
  },
  {
    name: 'idle_timeout upstream',
    cluster: {
      typed_extension_protocol_options: {
        'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
          '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
          explicit_http_config: { http2_protocol_options: {} },
          common_http_protocol_options: { idle_timeout: '0.1s' },
        },
      },
    },
    http2Upstreams: [{}],
    http2: [{ requests: [plain], stay: 300 }, { requests: [plain] }],
  },
  {
    name: 'the protocol of the client',
    cluster: {
      typed_extension_protocol_options: {
        'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
          '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
          use_downstream_protocol_config: { http2_protocol_options: {} },
        },
      },
    },
    http2Upstreams: [{}],
    http2: one(plain),
  },
  {
    name: 'websocket through HTTP/2',
    manager: UPGRADES,
    cluster: ALLOW_CONNECT,
    http2Upstreams: [{ echo: true, settings: { enableConnectProtocol: true } }],
    http2: one({ headers: WEBSOCKET, body: ['ping', 100, 'pong', 100] }),
  },
  {
    name: 'CONNECT through HTTP/2',
    manager: {
      upgrade_configs: [{ upgrade_type: 'CONNECT' }],
      http2_protocol_options: { allow_connect: true },
    },
    route: { match: { connect_matcher: {} } },
    cluster: ALLOW_CONNECT,
    http2Upstreams: [{ echo: true }],
    http2: one({ headers: { ':method': 'CONNECT', ':authority': 'h:80' }, body: ['ping', 100, 'pong', 100] }),
  },
  {
    name: 'CONNECT ends here',
    manager: {
      upgrade_configs: [{ upgrade_type: 'CONNECT' }],
      http2_protocol_options: { allow_connect: true },
    },
    route: { match: { connect_matcher: {} } },
    action: { upgrade_configs: [{ upgrade_type: 'CONNECT', connect_config: {} }] },
    upstreams: [{ greeting: 'hi', echo: true, answers: [OK] }],
    http2: one({ headers: { ':method': 'CONNECT', ':authority': 'h:80' }, body: [get('/'), 100] }),
    statExceptions: { with_active_rq: 'a TCP connection counts as a request until its end' },
  },
];

export const HTTP2_CASES: readonly Scenario[] = [...FROM_HTTP2, ...FROM_HTTP1, ...BOTH];

/** These differ, see docs/differences.md. */
export const HTTP2_DIFFERENCE_CASES: readonly Scenario[] = [
  {
    name: 'HTTP/1 where codec_type is HTTP2',
    manager: { codec_type: 'HTTP2' },
    connections: [[{ send: get('/'), await: 'close' }]],
  },
];
