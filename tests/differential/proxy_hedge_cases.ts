// Hedged requests: the attempt that took too long beside the one that came after it, and the timeouts around them.

import type { Scenario } from './proxy_scenario.ts';
import { answer, get, post } from './raw_requests.ts';
import { type Answer, OK } from './scripted_upstream.ts';

type Json = Readonly<Record<string, unknown>>;

const hedged = (more: Json = {}, retry: Json = {}): Scenario['action'] => ({
  hedge_policy: { hedge_on_per_try_timeout: true },
  retry_policy: {
    retry_on: '5xx',
    per_try_timeout: '0.3s',
    num_retries: 1,
    retry_back_off: { base_interval: '0.001s' },
    ...retry,
  },
  timeout: '0s',
  ...more,
});
const after = (ms: number, what: string): Answer => [ms, what];
const body = (text: string): string => answer(200, [], text);
const answers = (...all: Answer[]): Scenario['upstreams'] => [{ answers: all }];
const TRUSTED: Json = {
  use_remote_address: true,
  internal_address_config: { cidr_ranges: [{ address_prefix: '127.0.0.1', prefix_len: 32 }] },
};
const COUNTED: Json = {
  include_request_attempt_count: true,
  include_attempt_count_in_response: true,
  include_is_timeout_retry_header: true,
};

export const HEDGE_CASES: readonly Scenario[] = [
  {
    name: 'the second of two hedged attempts wins',
    action: hedged(),
    virtualHost: COUNTED,
    upstreams: answers(after(1500, body('first')), after(50, body('second'))),
    connections: [[get('/')], [post('/', 'abc')]],
  },
  {
    name: 'the first of two hedged attempts wins',
    action: hedged(),
    virtualHost: COUNTED,
    upstreams: answers(after(700, body('first')), after(2000, body('second'))),
    connections: [[get('/')]],
  },
  {
    name: 'the first of two hedged attempts fails, and the second wins',
    action: hedged(),
    upstreams: answers(after(600, answer(503)), after(900, body('second'))),
    connections: [[get('/')]],
  },
  {
    name: 'the second of two hedged attempts fails, and the first wins',
    action: hedged(),
    upstreams: answers(after(900, body('first')), after(50, answer(503))),
    connections: [[get('/')]],
  },
  {
    name: 'both of two hedged attempts fail',
    action: hedged(),
    upstreams: answers(after(500, answer(503)), after(500, answer(502))),
    connections: [[get('/')]],
  },
  {
    name: 'the first of two hedged attempts breaks off',
    action: hedged({}, { retry_on: '5xx,reset' }),
    upstreams: [{ answers: [[600, 'FIN'], after(900, body('second'))] }],
    connections: [[get('/')]],
  },
  {
    name: 'the second of two hedged attempts breaks off',
    action: hedged({}, { retry_on: '5xx,reset' }),
    upstreams: [{ answers: [after(900, body('first')), [100, 'FIN']] }],
    connections: [[get('/')]],
  },
  {
    name: 'hedged attempts and the timeout of the route',
    router: { suppress_envoy_headers: true },
    action: hedged({ timeout: '0.8s' }),
    virtualHost: {
      name: '$C',
      virtual_clusters: [{ name: 'all', headers: [{ name: ':path', present_match: true }] }],
    },
    upstreams: answers(after(3000, OK)),
    connections: [[get('/')]],
  },
  {
    name: 'more attempts that are hedged than may be',
    action: hedged({}, { num_retries: 0 }),
    upstreams: answers(after(700, OK)),
    connections: [[get('/')]],
  },
  {
    name: 'hedged where nothing else is retried',
    action: hedged({}, { retry_on: 'retriable-4xx' }),
    upstreams: answers(after(900, body('first')), after(50, body('second'))),
    connections: [[get('/')]],
  },
  {
    name: 'hedging that the virtual host asks for',
    virtualHost: { hedge_policy: { hedge_on_per_try_timeout: true } },
    action: hedged({ hedge_policy: undefined }),
    upstreams: answers(after(900, body('first')), after(50, body('second'))),
    connections: [[get('/')]],
  },
  {
    name: 'hedging that the client asks for',
    manager: TRUSTED,
    action: hedged({ hedge_policy: undefined }),
    upstreams: answers(after(900, body('first')), after(50, body('second'))),
    connections: [[get('/', 'x-envoy-hedge-on-per-try-timeout: true')]],
  },
  {
    name: 'hedging that the client does not want',
    manager: TRUSTED,
    action: hedged(),
    upstreams: answers(after(900, body('first')), after(50, body('second'))),
    connections: [[get('/', 'x-envoy-hedge-on-per-try-timeout: false')]],
  },
  {
    name: 'attempts that say whether they are for a timeout',
    virtualHost: COUNTED,
    action: hedged({ hedge_policy: undefined }, { num_retries: 2 }),
    upstreams: answers(after(0, answer(503)), after(700, OK), OK),
    connections: [[get('/')]],
  },
  {
    name: 'the timeout of the route between two attempts',
    route: { stat_prefix: 'prefixed' },
    virtualHost: {
      name: '$C',
      virtual_clusters: [{ name: 'all', headers: [{ name: ':path', present_match: true }] }],
    },
    action: hedged(
      { hedge_policy: undefined, timeout: '0.3s' },
      { per_try_timeout: undefined, retry_back_off: { base_interval: '1000s' } },
    ),
    upstreams: answers(answer(503)),
    connections: [[get('/')]],
  },
];
