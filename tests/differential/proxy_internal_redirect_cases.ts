// Redirects that the proxy follows by itself, and those it passes on.

import { accessLog, type Scenario, TYPE } from './proxy_scenario.ts';
import { answer, chunkedPost, get, post, request } from './raw_requests.ts';
import { OK, type UpstreamScript } from './scripted_upstream.ts';

type Json = Readonly<Record<string, unknown>>;

const to = (location: string, status = 302, ...headers: string[]): string =>
  answer(status, [`location: ${location}`, ...headers]);
const predicate = (name: string, config: string, more: Json = {}): Json => ({
  name,
  typed_config: { '@type': `${TYPE}internal_redirect.${name}.v3.${config}`, ...more },
});
/** Routes `/other…` to another cluster, and all else to the first, both with this policy. */
const redirects = (
  policy: Json,
  first: UpstreamScript,
  other: UpstreamScript = {},
): Omit<Scenario, 'name'> => ({
  virtualHost: {
    routes: [
      {
        name: 'other',
        match: { prefix: '/other' },
        route: { cluster: '$C-other', internal_redirect_policy: policy },
      },
      { name: 'nowhere', match: { prefix: '/nowhere' }, route: { cluster: 'unheard-of' } },
      { name: 'direct', match: { prefix: '/direct' }, direct_response: { status: 201 } },
      {
        name: 'first',
        match: { safe_regex: { regex: '/|/first.*' } },
        route: { cluster: '$C', internal_redirect_policy: policy, prefix_rewrite: undefined },
      },
    ],
  },
  upstreams: [first],
  clusters: { other: { upstream: other } },
});
/** Envoy takes its own headers back with a scheme of `http,http`: see docs/differences.md. */
const LOG: Scenario['manager'] = {
  access_log: [
    accessLog(
      '%REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_CODE_DETAILS% %ROUTE_NAME% %UPSTREAM_CLUSTER% %UPSTREAM_HOST%',
    ),
  ],
};
const H = 'http://example.com';

export const INTERNAL_REDIRECT_CASES: readonly Scenario[] = [
  {
    name: 'an internal redirect',
    ...redirects({}, { answers: [to(`${H}/other?a=b`)] }),
    connections: [[get('/first', 'x-a: 1'), get('/other')], [request('HEAD', '/first')]],
  },
  {
    name: 'a redirect with a body of its own',
    ...redirects({}, { answers: [answer(302, [`location: ${H}/other`], 'moved'), OK] }),
    connections: [[get('/first'), get('/first')]],
  },
  {
    name: 'codes that are not followed',
    ...redirects({}, { answers: [to(`${H}/other`, 301), to(`${H}/other`, 307), OK] }),
    connections: [[get('/'), get('/'), get('/')]],
  },
  {
    name: 'all codes',
    ...redirects(
      { redirect_response_codes: [301, 303, 307, 308, 302] },
      {
        answers: [301, 302, 303, 307, 308, 301, 302, 303, 307, 308].map((code) => to(`${H}/other`, code)),
      },
    ),
    connections: [
      [get('/'), get('/'), get('/'), get('/'), get('/')],
      [post('/', 'a'), post('/', 'b'), post('/', 'cc'), chunkedPost('/', ['d', 'e']), post('/', '')],
    ],
  },
  {
    name: 'a location that cannot be followed',
    ...redirects(
      {},
      {
        answers: [
          to('/other'),
          answer(302),
          to('nonsense'),
          to('http://'),
          to(''),
          to('//example.com/other'),
          to('http://example.com:x/other'),
        ],
      },
    ),
    connections: [[get('/'), get('/'), get('/'), get('/'), get('/'), get('/'), get('/')]],
  },
  {
    name: 'locations of many forms',
    ...redirects(
      {},
      {
        answers: [
          to('http://other.example:8080/other#fragment'),
          to('HTTP://Example.COM/other'),
          to('http://example.com'),
          to('http://user@example.com/other'),
          to('http://[::1]:80/other'),
        ],
      },
    ),
    connections: [[get('/first'), get('/first'), get('/first'), get('/first'), get('/first')]],
  },
  {
    name: 'a redirect to another scheme',
    ...redirects({}, { answers: [to('https://example.com/other')] }),
    connections: [[get('/'), get('/', 'x-forwarded-proto: https')]],
  },
  {
    name: 'a redirect to another scheme that is allowed',
    ...redirects({ allow_cross_scheme_redirect: true }, { answers: [to('https://example.com/other')] }),
    connections: [[get('/')]],
  },
  {
    name: 'a redirect to a safe scheme',
    manager: LOG,
    ...redirects(
      {
        allow_cross_scheme_redirect: true,
        predicates: [predicate('safe_cross_scheme', 'SafeCrossSchemeConfig')],
      },
      { answers: [to('https://example.com/other'), to('http://example.com/other'), to(`${H}/other`)] },
    ),
    connections: [[get('/'), get('/', 'x-forwarded-proto: https'), get('/')]],
  },
  {
    name: 'a redirect to no route, no cluster and a direct response',
    manager: LOG,
    ...redirects({}, { answers: [to(`${H}/unheard-of`), to(`${H}/nowhere`), to(`${H}/direct`)] }),
    connections: [[get('/'), get('/'), get('/')]],
  },
  {
    name: 'too many redirects',
    ...redirects({}, { answers: [to(`${H}/other`)] }, { answers: [to(`${H}/first`)] }),
    connections: [[get('/first')]],
  },
  {
    name: 'two redirects',
    ...redirects(
      { max_internal_redirects: 2 },
      { answers: [to(`${H}/other/1`), to(`${H}/other/2`)] },
      { answers: [to(`${H}/first`), OK] },
    ),
    connections: [[get('/first')]],
  },
  {
    name: 'no redirects at all',
    ...redirects({ max_internal_redirects: 0 }, { answers: [to(`${H}/other`)] }),
    connections: [[get('/first')]],
  },
  {
    name: 'redirects to routes on a list',
    manager: LOG,
    ...redirects(
      {
        predicates: [
          predicate('allow_listed_routes', 'AllowListedRoutesConfig', { allowed_route_names: ['other'] }),
        ],
      },
      { answers: [to(`${H}/first/again`), to(`${H}/other`)] },
    ),
    connections: [[get('/first', 'x-a: 1', 'x-b: 2'), get('/first')]],
  },
  {
    name: 'redirects to routes that were there before',
    manager: LOG,
    ...redirects(
      { max_internal_redirects: 9, predicates: [predicate('previous_routes', 'PreviousRoutesConfig')] },
      { answers: [to(`${H}/other`)] },
      { answers: [to(`${H}/first`)] },
    ),
    connections: [[get('/first')]],
  },
  {
    name: 'headers that a redirect brings',
    ...redirects(
      { response_headers_to_copy: ['x-copied', 'X-Missing', 'x-twice'] },
      { answers: [to(`${H}/other`, 302, 'x-copied: new', 'x-twice: 1', 'x-twice: 2', 'x-not: x')] },
    ),
    connections: [[get('/first', 'x-copied: old', 'x-missing: old')]],
  },
  {
    name: 'a redirect of a body too large to be kept',
    ...redirects({ redirect_response_codes: [307] }, { answers: [to(`${H}/other`, 307)] }),
    listener: { per_connection_buffer_limit_bytes: 10_000 },
    connections: [[{ send: post('/', 'x'.repeat(50_000)), await: 1 }]],
  },
  {
    name: 'a redirect before the request is complete',
    ...redirects({}, { early: true, answers: [to(`${H}/other`)] }),
    connections: [[{ send: 'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc', await: 1 }]],
  },
  {
    name: 'internal redirects as they were asked for once',
    virtualHost: {
      routes: [
        { match: { prefix: '/other' }, route: { cluster: '$C-other' } },
        {
          match: { prefix: '/' },
          route: {
            cluster: '$C',
            internal_redirect_action: 'HANDLE_INTERNAL_REDIRECT',
            max_internal_redirects: 1,
          },
        },
      ],
    },
    upstreams: [{ answers: [to(`${H}/other`)] }],
    clusters: { other: { upstream: {} } },
    connections: [[get('/')]],
  },
];
