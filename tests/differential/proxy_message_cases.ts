// How messages are framed, what is wrong with them, and connections that become something else.

import { accessLog, type Scenario } from './proxy_scenario.ts';
import type { Step } from './raw_client.ts';
import { answer, chunked, chunkedAnswer, chunkedPost, get, post, request } from './raw_requests.ts';
import { OK } from './scripted_upstream.ts';

const LONG = 'x'.repeat(200_000);
const WEBSOCKET = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Key: k'];
const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
const UPGRADES = { upgrade_configs: [{ upgrade_type: 'websocket' }] };
const TRAILERS = { http_protocol_options: { enable_trailers: true } };
const UPSTREAM_TRAILERS = {
  typed_extension_protocol_options: {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
      explicit_http_config: { http_protocol_options: { enable_trailers: true } },
    },
  },
};

/** Sent on a connection of its own, until the proxy closes. */
const bad = (text: string): readonly Step[] => [{ send: text, await: 'close' }];
const with10 = (...headers: string[]): string => ['GET / HTTP/1.0', ...headers, '', ''].join('\r\n');

export const MESSAGE_CASES: readonly Scenario[] = [
  {
    name: 'wire bytes',
    manager: { access_log: [accessLog('%DOWNSTREAM_WIRE_BYTES_RECEIVED% %UPSTREAM_WIRE_BYTES_SENT%')] },
    connections: [[post('/', 'abc'), get('/2'), post('/', LONG)]],
  },
  {
    name: 'bodies with a length and in chunks',
    connections: [
      [
        post('/', 'abc'),
        chunkedPost('/', ['abc', 'defg']),
        post('/', ''),
        chunkedPost('/', []),
        request('GET', '/', ['Content-Length: 3'], 'abc'),
        post('/', LONG),
      ],
    ],
  },
  {
    name: 'bodies that come slowly',
    connections: [
      [
        { send: ['POST / HTTP/1.1\r\nHost: h\r\nContent-Le', 20, 'ngth: 6\r\n\r\nabc', 20, 'def'] },
        {
          send: [
            'POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab',
            20,
            'c\r\n',
            20,
            '0\r\n',
            20,
            '\r\n',
          ],
        },
      ],
    ],
  },
  {
    name: 'pipelined requests',
    connections: [[{ send: get('/1') + get('/2') + post('/3', 'abc') + get('/4'), await: 4 }]],
  },
  {
    name: 'pipelined after a request that closes',
    connections: [[{ send: get('/1', 'Connection: close') + get('/2'), await: 'close' }]],
  },
  {
    name: 'responses of all framings',
    upstreams: [
      {
        answers: [
          chunkedAnswer(['abc', 'def']),
          'HTTP/1.1 204 No Content\r\n\r\n',
          'HTTP/1.1 304 Not Modified\r\ncontent-length: 10\r\netag: x\r\n\r\n',
          'HTTP/1.1 304 Not Modified\r\n\r\n',
          answer(404, [], 'nothing'),
          answer(500),
          answer(299, [], 'ab'),
          answer(200, [], LONG),
          ['HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc', 30, 'def'],
          ['HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n', 30, '0\r\n\r\n'],
          ['HTTP/1.1 200 OK\r\n\r\nuntil', 20, ' the end', 'FIN'],
          OK,
        ],
      },
    ],
    connections: [
      [
        get('/1'),
        get('/2'),
        get('/3'),
        get('/4'),
        get('/5'),
        get('/6'),
        get('/7'),
        get('/8'),
        get('/9'),
        get('/10'),
        get('/11'),
        get('/12'),
      ],
    ],
  },
  {
    name: 'HEAD',
    upstreams: [
      {
        answers: [
          'HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n',
          'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n',
          'HTTP/1.1 200 OK\r\n\r\n',
          'HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n',
        ],
      },
    ],
    connections: [
      [request('HEAD', '/1'), request('HEAD', '/2'), request('HEAD', '/3'), request('HEAD', '/4')],
    ],
  },
  {
    name: 'responses of HTTP/1.0',
    upstreams: [
      { answers: ['HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nab', ['HTTP/1.0 200 OK\r\n\r\nab', 'FIN']] },
    ],
    connections: [[get('/1'), get('/2')]],
  },
  {
    name: 'responses of HTTP/1.0 and HTTP/1.1 on a connection that stays',
    upstreams: [
      {
        answers: [
          'HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nab',
          'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nab',
          'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nab',
        ],
      },
    ],
    connections: [[get('/1'), get('/2'), get('/3')]],
  },
  {
    name: 'a response of HTTP/1.0 on a connection that stays',
    upstreams: [{ answers: ['HTTP/1.0 200 OK\r\nConnection: keep-alive\r\ncontent-length: 2\r\n\r\nab'] }],
    connections: [[get('/')]],
  },
  {
    name: '100-continue, answered by us',
    connections: [
      [
        {
          send: [
            'POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n',
            50,
            'abc',
          ],
        },
        post('/', 'abc', 'Expect: 100-Continue'),
      ],
    ],
  },
  {
    name: '100-continue, answered by the upstream',
    manager: { proxy_100_continue: true },
    upstreams: [{ early: true, answers: [['HTTP/1.1 100 Continue\r\n\r\n', 50, OK]] }],
    connections: [
      [
        {
          send: [
            'POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n',
            20,
            'abc',
          ],
        },
      ],
    ],
  },
  {
    name: 'interim responses',
    upstreams: [
      {
        answers: [
          `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n${OK}`,
        ],
      },
    ],
    connections: [[get('/')]],
  },
  {
    name: 'interim responses that are passed on',
    manager: { proxy_100_continue: true },
    upstreams: [
      {
        answers: [
          `HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n${OK}`,
          `HTTP/1.1 150 Odd\r\n\r\nHTTP/1.1 104 Other\r\n\r\n${OK}`,
        ],
      },
    ],
    connections: [[get('/'), get('/')]],
  },
  {
    name: 'trailers that are dropped',
    upstreams: [
      { answers: ['HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-t: 1\r\n\r\n'] },
    ],
    connections: [
      ['POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-t: 1\r\n\r\n'],
    ],
  },
  {
    name: 'trailers',
    manager: TRAILERS,
    cluster: UPSTREAM_TRAILERS,
    upstreams: [
      { answers: ['HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-t: 1\r\n\r\n'] },
    ],
    connections: [
      [
        'POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n',
        get('/'),
      ],
    ],
  },
  { name: 'HTTP/1.0 is not accepted', connections: [bad(with10('Host: h')), bad(with10())] },
  {
    name: 'HTTP/1.0 is accepted',
    manager: { http_protocol_options: { accept_http_10: true, default_host_for_http_10: 'default.host' } },
    upstreams: [{ answers: [OK, OK, OK, chunkedAnswer(['abc'])] }],
    connections: [
      bad(with10('Host: h')),
      bad(with10()),
      [with10('Host: h', 'Connection: keep-alive'), { send: with10(), await: 'close' }],
    ],
  },
  {
    name: 'messages that are no HTTP',
    connections: [
      bad('\x16\x03\x01\x02\x00\x01\x00\x01'),
      bad('GET\r\n\r\n'),
      bad('GET / HTTP/2.0\r\n\r\n'),
      bad('FOO / HTTP/1.1\r\nHost: h\r\n\r\n'),
      bad('GET / HTTP/1.1\r\nHost h\r\n\r\n'),
      bad('GET / HTTP/1.1\r\nHost: h\r\nbad name: x\r\n\r\n'),
      bad('GET / HTTP/1.1\r\nHost: h\r\nx: a\x01b\r\n\r\n'),
      bad('GET / HTTP/1.1\r\nHost: h\r\n: x\r\n\r\n'),
      bad('POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1, 1\r\n\r\na'),
      bad('POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\na'),
      bad('POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'),
      bad('POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n'),
      bad(`GET / HTTP/1.1\r\nHost: h\r\nx: ${'a'.repeat(70_000)}\r\n\r\n`),
      bad(`GET / HTTP/1.1\r\nHost: h\r\n${'a: b\r\n'.repeat(101)}\r\n`),
      bad('GET http://h:x/ HTTP/1.1\r\nHost: h\r\n\r\n'),
      bad('GET / HTTP/1.1\r\nHost: a b\r\n\r\n'),
      bad('GET a HTTP/1.1\r\nHost: h\r\n\r\n'),
      bad('GET / HTTP/1.1\r\nHost: h\r\nConnection: x-forwarded-host\r\n\r\n'),
    ],
  },
  {
    name: 'a request without a host',
    connections: [
      bad('GET / HTTP/1.1\r\n\r\n'),
      ['GET / HTTP/1.1\r\nHost:\r\n\r\n'],
      ['GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'],
    ],
  },
  {
    name: 'absolute targets',
    connections: [
      [
        'GET http://other.host/x?y HTTP/1.1\r\nHost: h\r\n\r\n',
        'GET http://other.host HTTP/1.1\r\nHost: h\r\n\r\n',
        'GET https://other.host:444/ HTTP/1.1\r\nHost: h\r\n\r\n',
      ],
    ],
  },
  { name: 'CONNECT', connections: [['CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n']] },
  { name: 'a bad request after a good one', connections: [[get('/'), ...bad('GET\r\n\r\n')]] },
  {
    name: 'a bad chunk while the upstream is being asked',
    upstreams: [{ early: true, answers: [[300, OK]] }],
    connections: [
      [
        {
          send: [
            'POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n',
            60,
            'zz\r\n',
          ],
          await: 'close',
        },
      ],
    ],
  },
  { name: 'empty lines before a request', connections: [[`\r\n\r\n${get('/')}`]] },
  {
    name: 'a websocket',
    manager: UPGRADES,
    upstreams: [{ echo: true, answers: [SWITCH] }],
    connections: [
      [
        { send: get('/', ...WEBSOCKET), await: 1 },
        { send: 'hello there', await: 'any' },
        { after: 'fin' },
        { await: 'close' },
      ],
    ],
  },
  {
    name: 'a websocket with first bytes',
    manager: UPGRADES,
    upstreams: [{ echo: true, answers: [`${SWITCH}hi`] }],
    connections: [[{ send: `${get('/', ...WEBSOCKET)}early`, await: 1 }, { after: 50 }]],
  },
  {
    name: 'a websocket that is refused by the upstream',
    manager: UPGRADES,
    upstreams: [{ answers: [answer(400, [], 'no')] }],
    connections: [[{ send: get('/', ...WEBSOCKET), await: 1 }, { after: 50 }]],
  },
  {
    name: 'a websocket that nobody allowed',
    connections: [[get('/', ...WEBSOCKET)], [get('/', 'Connection: upgrade', 'Upgrade: foo')]],
  },
  {
    name: 'a websocket allowed by the route only',
    manager: { upgrade_configs: [{ upgrade_type: 'websocket', enabled: false }] },
    action: { upgrade_configs: [{ upgrade_type: 'websocket' }] },
    upstreams: [{ echo: true, answers: [SWITCH] }],
    connections: [
      [
        { send: get('/', ...WEBSOCKET), await: 1 },
        { send: 'hello', await: 'any' },
      ],
    ],
  },
  {
    name: 'a websocket that the upstream ends',
    manager: UPGRADES,
    upstreams: [{ answers: [[SWITCH, 30, 'bye', 'FIN']] }],
    connections: [[{ send: get('/', ...WEBSOCKET), await: 'close' }]],
  },
  {
    name: 'h2c is ignored',
    connections: [[get('/', 'Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: x')]],
  },
  {
    name: 'an answer before the request is complete',
    upstreams: [{ early: true, answers: [answer(200, [], 'early')] }],
    connections: [
      [{ send: ['POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc'], await: 'close' }],
    ],
  },
  {
    name: 'an answer of our own before the request is complete',
    upstreams: [],
    connections: [
      [{ send: ['POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc'], await: 'close' }],
    ],
  },
  {
    name: 'an answer of our own to a request with a body',
    upstreams: [],
    connections: [[{ send: post('/', 'abc'), await: 1 }]],
  },
  {
    name: 'the client leaves before the answer',
    upstreams: [{ answers: [[400, OK]] }],
    connections: [[{ send: get('/'), await: 0, after: 60 }, { after: 'reset' }, { after: 200 }]],
  },
  {
    name: 'the client half-closes before the answer',
    upstreams: [{ answers: [[200, OK]] }],
    connections: [[{ send: get('/'), await: 0, after: 60 }, { after: 'fin' }, { await: 'close' }]],
  },
  {
    name: 'the client leaves in the middle of its request',
    connections: [
      [
        { send: 'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc', await: 0, after: 60 },
        { after: 'fin' },
        { await: 'close' },
      ],
    ],
  },
  {
    name: 'the client leaves in the middle of a head',
    connections: [
      [{ send: 'POST / HTTP/1.1\r\nHo', await: 0, after: 30 }, { after: 'fin' }, { await: 'close' }],
    ],
  },
  {
    name: 'max_requests_per_connection',
    manager: { common_http_protocol_options: { max_requests_per_connection: 2 } },
    connections: [[get('/1'), get('/2'), get('/3')]],
  },
  {
    name: 'an HTTP/1.1 upstream of one request per connection',
    cluster: {
      typed_extension_protocol_options: {
        'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
          '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
          explicit_http_config: { http_protocol_options: {} },
          common_http_protocol_options: { max_requests_per_connection: 1 },
        },
      },
    },
    connections: [[get('/1'), get('/2')]],
  },
  {
    name: 'a large body in chunks',
    upstreams: [{ answers: [chunkedAnswer([LONG])] }],
    connections: [[request('POST', '/', ['Transfer-Encoding: chunked'], chunked(LONG))]],
  },
];
