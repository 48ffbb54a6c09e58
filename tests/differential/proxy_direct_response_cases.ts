// Direct responses: their bodies from files, variables and formats, and where they stand among the mutations of headers. And what
// else of routes is a format: host_rewrite and path_rewrite.

import path from 'node:path';
import type { Scenario } from './proxy_scenario.ts';
import { get } from './raw_requests.ts';

const FILE = path.join(import.meta.dirname, '../fixtures/certs/server.pem');

function responding(name: string, direct_response: object, more: object = {}): Scenario {
  return {
    name: `direct_response ${name}`,
    route: {
      route: undefined,
      direct_response,
      response_headers_to_add: [{ header: { key: 'x-of-route', value: '%RESPONSE_CODE%' } }],
      ...more,
    },
    connections: [[get('/path?q=1', 'x-a: 1'), get('/')]],
  };
}
const text = (inline_string: string, more: object = {}): object => ({
  text_format_source: { inline_string },
  ...more,
});
const OPERATORS =
  '%REQ(x-a)% %REQ(:PATH)% %RESPONSE_CODE% %ROUTE_NAME% %RESP(x-of-route)% %PROTOCOL% %RESPONSE_FLAGS%';

export const DIRECT_RESPONSE_CASES: readonly Scenario[] = [
  responding('without a body', { status: 204 }),
  responding('with a body in line', { status: 503, body: { inline_string: 'sorry, \u00fcber all' } }),
  responding('with bytes in line', { status: 200, body: { inline_bytes: 'AAECgP8=' } }),
  responding('with the body of a file', { status: 200, body: { filename: FILE } }),
  responding('with the body of a variable', { status: 200, body: { environment_variable: 'PATH' } }),
  responding('with a status of 201', { status: 201, body: { inline_string: 'made' } }),
  responding('with a status of 302', { status: 302, body: { inline_string: 'there' } }),
  responding('body_format', { status: 200, body_format: text(OPERATORS) }),
  responding('body_format around a body', {
    status: 404,
    body: { inline_string: 'inner' },
    body_format: text('[%LOCAL_REPLY_BODY%]'),
  }),
  responding('body_format in JSON', {
    status: 200,
    body: { inline_string: 'inner' },
    body_format: { json_format: { a: '%REQ(x-a)%', b: '%LOCAL_REPLY_BODY%', c: 1, d: ['%PROTOCOL%'] } },
  }),
  responding('body_format with a content type', {
    status: 200,
    body_format: text('<p>%REQ(x-a)%</p>', { content_type: 'text/html; charset=utf-8' }),
  }),
  responding('body_format that gives nothing', {
    status: 200,
    body_format: text('%REQ(x-none)%', { omit_empty_values: true, content_type: 'text/html' }),
  }),
];

const ASKED = [
  [
    get('/a/b?q=1', 'x-to: there'),
    get('/a/b', 'x-to: elsewhere:80', 'x-path: p?r=2'),
    get('/?q'),
    get('/', 'x-to:', 'x-path: /%41'),
  ],
];
const rewriting = (name: string, action: object): Scenario => ({
  name: `rewrites by a format: ${name}`,
  action: { ...action },
  connections: ASKED,
});

export const FORMAT_REWRITE_CASES: readonly Scenario[] = [
  rewriting('host', { host_rewrite: '%REQ(x-to)%.example' }),
  rewriting('host that may be empty', { host_rewrite: '%REQ(x-to)%' }),
  rewriting('host, appended', { host_rewrite: '%REQ(x-to)%', append_x_forwarded_host: true }),
  rewriting('a literal host', { host_rewrite: 'literal' }),
  rewriting('path', { path_rewrite: '/new/%REQ(x-path)%' }),
  rewriting('path that may be empty', { path_rewrite: '%REQ(x-path)%' }),
  rewriting('path of the old one', { path_rewrite: '/old%PATH(NQ)%' }),
  rewriting('path with its query', { path_rewrite: '/old%REQ(:path)%' }),
  rewriting('both', { host_rewrite: '%PROTOCOL%', path_rewrite: '/%REQ(:method)%' }),
];
