// Statistics of virtual clusters and of routes: what they count of answers, retries and timeouts.

import type { Scenario } from './proxy_scenario.ts';
import { answer, get } from './raw_requests.ts';
import { OK } from './scripted_upstream.ts';

const below = (prefix: string): object[] => [{ name: ':path', string_match: { prefix } }];
/** What no virtual cluster matches is `other`. */
const CLUSTERS: Scenario['virtualHost'] = {
  name: '$C',
  virtual_clusters: [
    { name: 'one', headers: below('/one') },
    { name: 'two.parts', headers: below('/two') },
    { name: 'none', headers: below('/none') },
  ],
};
const NAMED: Scenario['virtualHost'] = { name: '$C' };
const each = (...more: readonly string[]): string[] =>
  ['/one', '/two', '/three', '/one/again'].map((path) => get(path, ...more));
const retry = (more: object = {}): Scenario['action'] => ({
  retry_policy: {
    retry_on: '5xx',
    num_retries: 2,
    retry_back_off: { base_interval: '0.001s', max_interval: '0.002s' },
    ...more,
  },
});

export const VIRTUAL_HOST_CASES: readonly Scenario[] = [
  {
    name: 'virtual clusters and their answers',
    virtualHost: CLUSTERS,
    upstreams: [{ answers: [OK, answer(404), answer(503), answer(502), OK] }],
    connections: [each(), each('x-envoy-internal: true')],
  },
  {
    name: 'a route with a stat_prefix',
    virtualHost: NAMED,
    route: { stat_prefix: 'prefixed' },
    upstreams: [{ answers: [OK, answer(404), answer(301), OK] }],
    connections: [each()],
  },
  {
    name: 'virtual clusters and a stat_prefix',
    virtualHost: CLUSTERS,
    route: { stat_prefix: 'prefixed.twice' },
    connections: [each()],
  },
  {
    name: 'retries of virtual clusters',
    virtualHost: CLUSTERS,
    route: { stat_prefix: 'prefixed' },
    action: retry(),
    upstreams: [{ answers: [answer(503), OK, answer(503), answer(503), answer(503), answer(503), OK] }],
    connections: [each()],
  },
  {
    name: 'retries that circuit breakers refuse',
    virtualHost: CLUSTERS,
    route: { stat_prefix: 'prefixed' },
    action: retry(),
    cluster: { circuit_breakers: { thresholds: [{ max_retries: 0 }] } },
    upstreams: [{ answers: [answer(503), OK] }],
    statExceptions: { _open: 'open from the start here' },
    connections: [each()],
  },
  {
    name: 'timeouts of virtual clusters',
    virtualHost: CLUSTERS,
    route: { stat_prefix: 'prefixed' },
    action: { timeout: '0.05s' },
    upstreams: [{ answers: [[200, OK]] }],
    connections: [[get('/one')], [get('/three')]],
  },
  {
    name: 'per-try timeouts of virtual clusters',
    virtualHost: CLUSTERS,
    route: { stat_prefix: 'prefixed' },
    action: retry({ num_retries: 1, per_try_timeout: '0.05s' }),
    upstreams: [{ answers: [[200, OK]] }],
    connections: [[get('/one')]],
  },
  {
    name: 'virtual clusters without an upstream',
    virtualHost: CLUSTERS,
    route: { stat_prefix: 'prefixed' },
    upstreams: ['127.0.0.1:1'],
    connections: [each()],
  },
  {
    name: 'virtual clusters without hosts',
    virtualHost: CLUSTERS,
    route: { stat_prefix: 'prefixed' },
    upstreams: [],
    connections: [each()],
  },
  {
    name: 'virtual clusters without a cluster',
    virtualHost: CLUSTERS,
    route: { stat_prefix: 'prefixed' },
    action: { cluster: 'unheard-of' },
    connections: [each()],
  },
  {
    name: 'virtual clusters and answers of the proxy',
    virtualHost: CLUSTERS,
    route: { route: undefined, direct_response: { status: 200 }, stat_prefix: 'prefixed' },
    connections: [each()],
  },
  {
    name: 'virtual clusters and canaries',
    virtualHost: CLUSTERS,
    route: { stat_prefix: 'prefixed' },
    upstreams: [{ answers: [answer(200, ['x-envoy-upstream-canary: true'])] }],
    connections: [each()],
  },
  {
    name: 'virtual clusters without dynamic stats',
    virtualHost: CLUSTERS,
    route: { stat_prefix: 'prefixed' },
    router: { dynamic_stats: false },
    upstreams: [{ answers: [OK, answer(503)] }],
    connections: [each()],
  },
  {
    name: 'virtual clusters and broken answers',
    virtualHost: CLUSTERS,
    route: { stat_prefix: 'prefixed' },
    upstreams: [{ answers: [['FIN']] }],
    connections: [[get('/one')], [get('/three')]],
  },
  {
    name: '100 (Continue) of virtual clusters',
    virtualHost: CLUSTERS,
    route: { stat_prefix: 'prefixed' },
    manager: { proxy_100_continue: true },
    upstreams: [{ answers: [`HTTP/1.1 100 Continue\r\n\r\n${OK}`] }],
    connections: [[get('/one')]],
  },
];
