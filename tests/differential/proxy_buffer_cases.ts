// The buffer filter: it waits for the whole request, and says how long it is.

import { type Scenario, TYPE } from './proxy_scenario.ts';
import { get } from './raw_requests.ts';

type Json = Readonly<Record<string, unknown>>;

const PER_ROUTE = `${TYPE}filters.http.buffer.v3.BufferPerRoute`;
const filters = (max_request_bytes: number): readonly Json[] => [
  { name: 'buffer', typed_config: { '@type': `${TYPE}filters.http.buffer.v3.Buffer`, max_request_bytes } },
];
const head = (path: string, ...headers: readonly string[]): string =>
  [`POST ${path} HTTP/1.1`, 'host: h', ...headers, '', ''].join('\r\n');
const chunked = (...chunks: readonly string[]): string =>
  chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join('');
const CHUNKED = 'transfer-encoding: chunked';

export const BUFFER_CASES: readonly Scenario[] = [
  { name: 'buffer: a request without a body', filters: filters(10), connections: [[get('/')]] },
  {
    name: 'buffer: a body with a length',
    filters: filters(10),
    connections: [[`${head('/', 'content-length: 5')}hello`]],
  },
  {
    name: 'buffer: chunks become a length',
    filters: filters(10),
    connections: [[`${head('/', CHUNKED)}${chunked('abc', 'defg')}0\r\n\r\n`, get('/')]],
  },
  {
    name: 'buffer: no body in chunks',
    filters: filters(10),
    connections: [[`${head('/', CHUNKED)}0\r\n\r\n`, get('/')]],
  },
  {
    name: 'buffer: a body of just the limit',
    filters: filters(10),
    connections: [[`${head('/', 'content-length: 10')}0123456789`]],
  },
  {
    name: 'buffer: a body over the limit',
    filters: filters(10),
    connections: [[`${head('/', 'content-length: 20')}0123456789x`]],
  },
  {
    name: 'buffer: trailers',
    filters: filters(10),
    manager: { http_protocol_options: { enable_trailers: true } },
    connections: [[`${head('/', CHUNKED)}${chunked('abc')}0\r\nx-t: v\r\n\r\n`, get('/')]],
  },
  {
    name: 'buffer: more than the connection may hold',
    filters: filters(100_000),
    listener: { per_connection_buffer_limit_bytes: 1024 },
    connections: [[`${head('/', 'content-length: 50000')}${'x'.repeat(50_000)}`]],
  },
  {
    name: 'buffer: of routes',
    filters: filters(4),
    virtualHost: {
      routes: [
        {
          match: { prefix: '/off' },
          route: { cluster: '$C' },
          typed_per_filter_config: { buffer: { '@type': PER_ROUTE, disabled: true } },
        },
        {
          match: { prefix: '/more' },
          route: { cluster: '$C' },
          typed_per_filter_config: { buffer: { '@type': PER_ROUTE, buffer: { max_request_bytes: 20 } } },
        },
        { match: { prefix: '/' }, route: { cluster: '$C' } },
      ],
    },
    connections: [
      [`${head('/off', CHUNKED)}${chunked('abcdefgh')}0\r\n\r\n`, get('/')],
      [`${head('/more', CHUNKED)}${chunked('abcdefgh')}0\r\n\r\n`, get('/')],
      [`${head('/', 'content-length: 9')}abcdefgh`],
    ],
  },
];
