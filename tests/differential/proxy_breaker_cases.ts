// Circuit breakers: what is refused when a cluster has as much to do as it may, and what stats say of it.

import type { Scenario } from './proxy_scenario.ts';
import type { Step } from './raw_client.ts';
import { answer, get, post } from './raw_requests.ts';
import { OK } from './scripted_upstream.ts';

const retry = (retry_on: string, more: object = {}): Scenario['action'] => ({
  retry_policy: {
    retry_on,
    num_retries: 2,
    retry_back_off: { base_interval: '0.001s', max_interval: '0.002s' },
    ...more,
  },
});
const thresholds = (more: object): Scenario['cluster'] => ({ circuit_breakers: { thresholds: [more] } });
/** Envoy looks at a breaker when something is counted, and nothing ever is. */
const BREAKER_OF_ZERO = { _open: 'open from the start here' };
/** Envoy has 2^64 - 1 left where there is no limit, less those that there are; that is more than a number here can tell. */
const UNLIMITED_POOLS = { remaining_cx_pools: 'rounded here' };
const slow = (ms: number): Scenario['upstreams'] => [{ answers: [[ms, OK]] }];
const twice: readonly (readonly Step[])[] = [[get('/1')], [get('/2')]];

export const BREAKER_CASES: readonly Scenario[] = [
  {
    name: 'too many pending requests',
    statExceptions: BREAKER_OF_ZERO,
    cluster: thresholds({ max_pending_requests: 0 }),
    connections: [[get('/')]],
  },
  {
    name: 'too many requests',
    cluster: thresholds({ max_requests: 1 }),
    upstreams: slow(300),
    staggerMs: 80,
    connections: twice,
  },
  {
    name: 'too many connections',
    cluster: thresholds({ max_connections: 1, max_pending_requests: 1 }),
    upstreams: slow(300),
    staggerMs: 80,
    connections: [...twice, [get('/3')]],
  },
  {
    name: 'too many retries',
    statExceptions: BREAKER_OF_ZERO,
    cluster: thresholds({ max_retries: 0 }),
    action: retry('5xx'),
    upstreams: [{ answers: [answer(500)] }],
    connections: [[get('/')]],
  },
  {
    name: 'a retry budget of the requests of the last seconds',
    cluster: thresholds({
      retry_budget: { budget_percent: { value: 50 }, budget_interval: '2s', min_retry_concurrency: 0 },
    }),
    action: retry('5xx'),
    upstreams: [{ answers: [answer(500), OK, answer(500), OK, answer(500)] }],
    connections: [[get('/1'), get('/2'), get('/3'), { after: 3000 }, get('/4')]],
  },
  {
    name: 'a retry budget',
    statExceptions: BREAKER_OF_ZERO,
    cluster: thresholds({ retry_budget: { budget_percent: { value: 0 }, min_retry_concurrency: 0 } }),
    action: retry('5xx'),
    upstreams: [{ answers: [answer(500)] }],
    connections: [[get('/')]],
  },

  {
    name: 'breakers of a priority',
    statExceptions: UNLIMITED_POOLS,
    cluster: {
      circuit_breakers: { thresholds: [{}, { priority: 'HIGH', max_requests: 1, track_remaining: true }] },
    },
    virtualHost: {
      routes: [
        { match: { prefix: '/high' }, route: { cluster: '$C', priority: 'HIGH' } },
        { match: { prefix: '/' }, route: { cluster: '$C' } },
      ],
    },
    upstreams: slow(300),
    staggerMs: 80,
    connections: [[get('/high/1')], [get('/high/2')], [get('/default')]],
  },
  {
    name: 'what circuit breakers have left',
    statExceptions: UNLIMITED_POOLS,
    cluster: thresholds({
      max_connections: 5,
      max_pending_requests: 6,
      max_requests: 7,
      max_retries: 8,
      track_remaining: true,
    }),
    connections: [[get('/')]],
  },
  {
    name: 'too many connection pools',
    cluster: {
      ...thresholds({ max_connection_pools: 1, track_remaining: true }),
      connection_pool_per_downstream_connection: true,
    },
    upstreams: slow(300),
    staggerMs: 100,
    connections: twice,
  },
  {
    name: 'no connection pools at all',
    statExceptions: BREAKER_OF_ZERO,
    action: retry('5xx,connect-failure'),
    cluster: thresholds({ max_connection_pools: 0 }),
    connections: [[get('/1'), post('/2', 'abc')]],
  },
  {
    name: 'connection pools of a priority',
    cluster: {
      circuit_breakers: {
        thresholds: [{ max_connection_pools: 1 }, { priority: 'HIGH', max_connection_pools: 3 }],
      },
      connection_pool_per_downstream_connection: true,
    },
    virtualHost: {
      routes: [
        { match: { prefix: '/high' }, route: { cluster: '$C', priority: 'HIGH' } },
        { match: { prefix: '/' }, route: { cluster: '$C' } },
      ],
    },
    upstreams: slow(300),
    staggerMs: 60,
    connections: [[get('/high/1')], [get('/high/2')], [get('/1')], [get('/2')]],
  },
  {
    name: 'what a retry budget leaves',
    cluster: thresholds({ retry_budget: {}, track_remaining: true, max_connection_pools: 9 }),
    action: retry('5xx', { num_retries: 5 }),
    upstreams: [{ answers: [answer(500)] }],
    connections: [[get('/1')]],
  },
];
