// TCP in requests and requests that become TCP: tunneling_config of the TCP proxy, and CONNECT that ends at the proxy.

import { accessLog, type Scenario, TYPE } from './proxy_scenario.ts';
import type { Step } from './raw_client.ts';
import { get } from './raw_requests.ts';
import { OK } from './scripted_upstream.ts';

const LOG =
  'flags=%RESPONSE_FLAGS% bytes=%BYTES_RECEIVED%/%BYTES_SENT% host=%UPSTREAM_HOST% cluster=%UPSTREAM_CLUSTER% attempts=%UPSTREAM_REQUEST_ATTEMPT_COUNT%';
const tunnel = (tunneling_config: object, more: object = {}): Scenario['networkFilters'] => [
  {
    name: 'tcp',
    typed_config: {
      '@type': `${TYPE}filters.network.tcp_proxy.v3.TcpProxy`,
      stat_prefix: 'tunnel',
      cluster: '$C',
      tunneling_config,
      access_log: [accessLog(LOG)],
      ...more,
    },
  },
];
const talk: readonly Step[] = [
  { send: 'ping', await: 'any' },
  { send: 'pong', await: 'any' },
  { after: 'fin' },
  { await: 'close' },
];
const CONNECTED = 'HTTP/1.1 200 OK\r\n\r\n';
const HOST = { hostname: 'target.example.com:443' };

export const TUNNEL_CASES: readonly Scenario[] = [
  {
    name: 'CONNECT over HTTP/1',
    networkFilters: tunnel({
      ...HOST,
      headers_to_add: [{ header: { key: 'x-from', value: '%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%' } }],
    }),
    upstreams: [{ answers: [CONNECTED], echo: true }],
    connections: [talk],
  },
  {
    name: 'CONNECT over HTTP/1, refused',
    networkFilters: tunnel(HOST),
    upstreams: [{ answers: ['HTTP/1.1 403 No\r\ncontent-length: 0\r\n\r\n'] }],
    connections: [[{ send: 'ping', await: 'close' }]],
  },
  {
    name: 'CONNECT over HTTP/1, refused once',
    networkFilters: tunnel(HOST, { max_connect_attempts: 2 }),
    upstreams: [{ answers: ['HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n', CONNECTED], echo: true }],
    connections: [[{ send: 'ping', await: 'any' }, { after: 'reset' }]],
  },
  {
    name: 'CONNECT to nobody',
    networkFilters: tunnel(HOST),
    upstreams: ['127.0.0.1:1'],
    connections: [[{ await: 'close' }]],
  },
  {
    name: 'an upstream of HTTP/1 that ends the tunnel',
    networkFilters: tunnel(HOST),
    upstreams: [{ answers: [[CONNECTED, 'bye', 50, 'FIN']] }],
    connections: [[{ send: 'ping', await: 'close' }]],
    statExceptions: { upstream_cx_destroy: 'who of the two closes first' },
  },
  {
    name: 'CONNECT over HTTP/2',
    networkFilters: tunnel(HOST),
    http2Upstreams: [{ echo: true }],
    connections: [talk],
  },
  {
    name: 'CONNECT over HTTP/2, refused',
    networkFilters: tunnel(HOST),
    http2Upstreams: [{ early: true, answers: [{ headers: { ':status': '403' }, body: ['no'] }] }],
    connections: [[{ send: 'ping', await: 'close' }]],
  },
  {
    name: 'CONNECT over HTTP/2, cut',
    networkFilters: tunnel(HOST),
    http2Upstreams: [{ early: true, answers: [{ destroy: true }] }],
    connections: [[{ send: 'ping', await: 'close' }]],
  },
  {
    name: 'an upstream of HTTP/2 that ends its direction',
    networkFilters: tunnel(HOST),
    http2Upstreams: [{ early: true, answers: [{ body: ['bye'] }] }],
    connections: [
      [
        { send: 'ping', await: 'any' },
        { after: 100 },
        { send: 'more', await: 0, after: 'fin' },
        { await: 'close' },
      ],
    ],
  },
  {
    name: 'POST over HTTP/2',
    networkFilters: tunnel({ ...HOST, use_post: true, post_path: '/tunnel' }),
    http2Upstreams: [{ echo: true }],
    connections: [talk],
  },
  {
    name: 'POST over HTTP/1',
    networkFilters: tunnel({ ...HOST, use_post: true }),
    upstreams: [
      { early: true, answers: ['HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n'] },
    ],
    connections: [[{ send: 'ping', await: 'any' }, { after: 100 }, { after: 'fin' }, { after: 100 }]],
  },
  {
    name: 'CONNECT of HTTP/1 ends here',
    manager: { upgrade_configs: [{ upgrade_type: 'CONNECT' }] },
    route: { match: { connect_matcher: {} } },
    action: { upgrade_configs: [{ upgrade_type: 'CONNECT', connect_config: {} }] },
    upstreams: [{ greeting: 'hi', echo: true, answers: [OK] }],
    connections: [
      [
        { send: 'CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n', await: 'any' },
        { after: 50 },
        { send: get('/'), await: 'any' },
        { after: 50 },
      ],
    ],
  },
  {
    name: 'CONNECT that ends here finds nobody',
    manager: { upgrade_configs: [{ upgrade_type: 'CONNECT' }] },
    route: { match: { connect_matcher: {} } },
    action: { upgrade_configs: [{ upgrade_type: 'CONNECT', connect_config: {} }] },
    upstreams: ['127.0.0.1:1'],
    connections: [[{ send: 'CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n', await: 1 }]],
  },
  {
    name: 'an upstream that ends a terminated CONNECT',
    manager: { upgrade_configs: [{ upgrade_type: 'CONNECT' }] },
    route: { match: { connect_matcher: {} } },
    action: { upgrade_configs: [{ upgrade_type: 'CONNECT', connect_config: {} }] },
    upstreams: [{ answers: [['bye', 20, 'FIN']] }],
    connections: [[{ send: `CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n${get('/')}`, await: 'close' }]],
  },
  {
    name: 'POST ends here where CONNECT does',
    action: { upgrade_configs: [{ upgrade_type: 'CONNECT', connect_config: { allow_post: true } }] },
    upstreams: [{ greeting: 'hi' }],
    connections: [
      [{ send: 'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc', await: 'any' }, { after: 100 }],
    ],
    statExceptions: { with_active_rq: 'a TCP connection counts as a request until its end' },
  },
];
