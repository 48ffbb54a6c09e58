// Answers of the proxy's own, and what the access log says.

import path from 'node:path';
import { accessLog, type Scenario, TYPE } from './proxy_scenario.ts';
import { answer, get, post, request } from './raw_requests.ts';
import { OK } from './scripted_upstream.ts';

const BODY_FILE = path.join(import.meta.dirname, '..', 'fixtures', 'certs', 'ca.pem');

const routes = (...all: object[]): Scenario['virtualHost'] => ({ routes: all });
const direct = (path: string, status: number, body?: string): object => ({
  match: { path },
  direct_response: { status, ...(body !== undefined && { body: { inline_string: body } }) },
});
const redirect = (path: string, more: object): object => ({ match: { prefix: path }, redirect: more });
const status = (op: string, value: number): object => ({
  status_code_filter: { comparison: { op, value: { default_value: value, runtime_key: 'k' } } },
});
const logging = (filter: object): Scenario['manager'] => ({
  access_log: [accessLog('%REQ(:PATH)% %RESPONSE_CODE%', filter as Readonly<Record<string, unknown>>)],
});
const SOME = [get('/1'), get('/2'), get('/3', 'x-log: yes')];
const SOME_ANSWERS = [{ answers: [OK, answer(404), answer(503)] }];

export const REPLY_CASES: readonly Scenario[] = [
  {
    name: 'direct responses',
    virtualHost: routes(
      direct('/a', 200, 'body'),
      direct('/b', 404),
      direct('/c', 503, ''),
      direct('/d', 204),
      direct('/e', 201, 'x'),
      {
        ...direct('/f', 200, 'f'),
        response_headers_to_add: [{ header: { key: 'x-a', value: '%RESPONSE_CODE%' } }],
      },
    ),
    connections: [
      [
        get('/a'),
        request('HEAD', '/a'),
        get('/b'),
        get('/c'),
        get('/d'),
        get('/e'),
        get('/f'),
        post('/a', 'abc'),
      ],
      [get('/none')],
    ],
  },
  {
    name: 'direct responses from a file',
    virtualHost: routes({
      match: { prefix: '/' },
      direct_response: { status: 418, body: { filename: BODY_FILE } },
    }),
    connections: [[get('/'), request('HEAD', '/')]],
  },
  {
    name: 'redirects',
    virtualHost: routes(
      redirect('/host', { host_redirect: 'other' }),
      redirect('/path', { path_redirect: '/new?q' }),
      redirect('/prefix', { prefix_rewrite: '/p', response_code: 'FOUND' }),
      redirect('/https', { https_redirect: true, response_code: 'PERMANENT_REDIRECT' }),
      redirect('/port', { port_redirect: 99, strip_query: true }),
      redirect('/regex', {
        regex_rewrite: { pattern: { regex: '/regex/(.*)' }, substitution: '/\\1' },
        response_code: 'SEE_OTHER',
      }),
      redirect('/scheme', { scheme_redirect: 'ftp', response_code: 'TEMPORARY_REDIRECT' }),
    ),
    connections: [
      [
        get('/host/a?b=c'),
        get('/path/a?b'),
        get('/prefix/a?b'),
        get('/https/a'),
        get('/port/a?b'),
        get('/regex/a?b'),
        get('/scheme'),
        request('HEAD', '/host'),
        get('/host', 'content-type: application/grpc'),
      ],
    ],
  },
  {
    name: 'require_tls',
    virtualHost: { require_tls: 'ALL' },
    connections: [[get('/a?b'), get('/', 'x-forwarded-proto: https')]],
  },
  {
    name: 'no route',
    virtualHost: routes(direct('/a', 200)),
    connections: [
      [get('/b'), get('/', 'content-type: application/grpc'), request('HEAD', '/b'), post('/b', 'abc')],
    ],
  },
  { name: 'no virtual host', virtualHost: { domains: ['other'] }, connections: [[get('/b')]] },
  {
    name: 'mapped local replies',
    manager: {
      local_reply_config: {
        mappers: [
          {
            filter: status('EQ', 404),
            status_code: 418,
            body: { inline_string: 'mapped %RESPONSE_CODE%' },
            headers_to_add: [
              { header: { key: 'x-mapped', value: 'yes' }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' },
            ],
          },
          {
            filter: { header_filter: { header: { name: 'x-json', present_match: true } } },
            body_format_override: {
              json_format: {
                code: '%RESPONSE_CODE%',
                body: '%LOCAL_REPLY_BODY%',
                path: '%REQ(:path)%',
                nested: { flags: '%RESPONSE_FLAGS%' },
              },
            },
          },
          {
            filter: { response_flag_filter: { flags: ['UH'] } },
            body_format_override: {
              text_format_source: { inline_string: '<%LOCAL_REPLY_BODY%>' },
              content_type: 'text/html',
            },
          },
        ],
        body_format: {
          text_format_source: {
            inline_string: '%LOCAL_REPLY_BODY%: %RESPONSE_CODE% %RESPONSE_CODE_DETAILS%',
          },
        },
      },
    },
    virtualHost: routes(
      direct('/direct', 202, 'hi'),
      { match: { prefix: '/up' }, route: { cluster: '$C' } },
      { match: { prefix: '/none' }, route: { cluster: 'unheard-of' } },
    ),
    upstreams: [],
    connections: [
      [
        get('/nowhere'),
        get('/direct'),
        get('/up'),
        get('/up', 'x-json: 1'),
        get('/none'),
        get('/up', 'content-type: application/grpc'),
        request('HEAD', '/up'),
        get('/nowhere', 'content-type: application/grpc'),
      ],
    ],
  },
  {
    name: 'mapped answers of the upstream are left alone',
    manager: { local_reply_config: { mappers: [{ filter: status('EQ', 404), status_code: 418 }] } },
    upstreams: [{ answers: [answer(404, [], 'no')] }],
    connections: [[get('/')]],
  },
  {
    name: 'a JSON body for all',
    manager: {
      local_reply_config: {
        body_format: { json_format: { status: '%RESPONSE_CODE%', message: '%LOCAL_REPLY_BODY%' } },
      },
    },
    upstreams: [],
    connections: [[get('/'), { send: 'GET\r\n\r\n', await: 'close' }]],
  },
  {
    name: 'log filter: status',
    manager: logging(status('GE', 400)),
    upstreams: SOME_ANSWERS,
    connections: [SOME],
  },
  {
    name: 'log filter: duration',
    manager: logging({
      duration_filter: { comparison: { op: 'GE', value: { default_value: 100, runtime_key: 'k' } } },
    }),
    upstreams: [{ answers: [OK, [150, OK]] }],
    connections: [[get('/1'), get('/2')]],
  },
  {
    name: 'log filter: header',
    manager: logging({ header_filter: { header: { name: 'x-log', string_match: { exact: 'yes' } } } }),
    upstreams: SOME_ANSWERS,
    connections: [SOME],
  },
  {
    name: 'log filter: flags',
    manager: logging({ response_flag_filter: {} }),
    virtualHost: routes({ match: { prefix: '/1' }, route: { cluster: '$C' } }),
    connections: [SOME],
  },
  {
    name: 'log filter: and, or',
    manager: logging({
      or_filter: {
        filters: [
          status('EQ', 200),
          { and_filter: { filters: [status('GE', 500), { not_health_check_filter: {} }] } },
        ],
      },
    }),
    upstreams: SOME_ANSWERS,
    connections: [SOME],
  },
  {
    name: 'log filter: runtime',
    manager: logging({ runtime_filter: { runtime_key: 'k', percent_sampled: { numerator: 0 } } }),
    connections: [SOME],
  },
  {
    name: 'log filter: gRPC status',
    manager: logging({ grpc_status_filter: { statuses: ['UNAVAILABLE'] } }),
    upstreams: [
      { answers: [answer(200, ['grpc-status: 14']), answer(200, ['grpc-status: 0']), answer(503)] },
    ],
    connections: [[get('/1'), get('/2'), get('/3')]],
  },
  {
    name: 'a log line at the start and at the end',
    manager: { access_log_options: { flush_access_log_on_new_request: true } },
    connections: [[get('/')]],
  },
  {
    name: 'the default format',
    manager: {
      access_log: [
        {
          name: 'log',
          typed_config: {
            '@type': `${TYPE}access_loggers.file.v3.FileAccessLog`,
            path: '$LOG',
            log_format: {
              text_format_source: {
                inline_string:
                  '"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% "%REQ(USER-AGENT)%" "%REQ(:AUTHORITY)%"\n',
              },
            },
          },
        },
      ],
    },
    action: { prefix_rewrite: '/x' },
    connections: [[get('/a'), get('/b', 'User-Agent: u')]],
  },
  {
    name: 'a log in JSON',
    manager: {
      access_log: [
        {
          name: 'log',
          typed_config: {
            '@type': `${TYPE}access_loggers.file.v3.FileAccessLog`,
            path: '$LOG',
            log_format: {
              json_format: {
                method: '%REQ(:METHOD)%',
                code: '%RESPONSE_CODE%',
                none: '%REQ(x-none)%',
                bytes: '%BYTES_SENT%',
                nested: { list: ['%PROTOCOL%', 'plain'] },
                mixed: 'a %RESPONSE_CODE%',
              },
            },
          },
        },
      ],
    },
    connections: [[get('/a')]],
  },
  {
    name: 'a fault: delay and abort',
    filters: [
      {
        name: 'fault',
        typed_config: {
          '@type': `${TYPE}filters.http.fault.v3.HTTPFault`,
          delay: { fixed_delay: '0.05s', percentage: { numerator: 100 } },
          abort: { http_status: 418, percentage: { numerator: 100 } },
          headers: [{ name: 'x-fault', present_match: true }],
        },
      },
    ],
    connections: [[get('/'), get('/', 'x-fault: 1'), post('/', 'abc', 'x-fault: 1')]],
  },
  {
    name: 'cors',
    filters: [{ name: 'cors', typed_config: { '@type': `${TYPE}filters.http.cors.v3.Cors` } }],
    virtualHost: {
      typed_per_filter_config: {
        cors: {
          '@type': `${TYPE}filters.http.cors.v3.CorsPolicy`,
          allow_origin_string_match: [{ exact: 'http://a' }],
          allow_methods: 'GET',
          max_age: '10',
        },
      },
    },
    connections: [
      [
        get('/', 'Origin: http://a'),
        request('OPTIONS', '/', ['Origin: http://a', 'Access-Control-Request-Method: GET']),
        get('/', 'Origin: http://b'),
      ],
    ],
  },
  {
    name: 'routes by header, query and method',
    virtualHost: routes(
      {
        ...direct('/', 201),
        match: { prefix: '/', headers: [{ name: 'x-a', string_match: { prefix: 'b' } }] },
      },
      {
        ...direct('/', 202),
        match: { prefix: '/', query_parameters: [{ name: 'q', string_match: { exact: '1' } }] },
      },
      { ...direct('/', 203), match: { safe_regex: { regex: '/r[0-9]+' } } },
      { ...direct('/', 205), match: { path_separated_prefix: '/seg' } },
      { ...direct('/', 206), match: { path: '/CASE', case_sensitive: false } },
    ),
    connections: [
      [get('/', 'x-a: bcd'), get('/?q=1'), get('/r12'), get('/seg/x'), get('/segx'), get('/case')],
    ],
  },
];
