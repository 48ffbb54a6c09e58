// What routes and virtual hosts say of the bytes that are kept for a second try, and of the time that an answer may wait for its client.

import type { Scenario } from './proxy_scenario.ts';
import { answer, post } from './raw_requests.ts';
import { OK } from './scripted_upstream.ts';

type Json = Readonly<Record<string, unknown>>;

const CONNECTION_LIMIT = 10_000;
/** Less than the connection may hold, more, and more than every limit here. */
const SIZES = [5000, 50_000, 500_000];
const retried = (name: string, host: Json, route: Json, limit = CONNECTION_LIMIT): Scenario => ({
  name: `kept for a retry: ${name}`,
  listener: { per_connection_buffer_limit_bytes: limit },
  virtualHost: {
    ...host,
    routes: [
      { match: { prefix: '/' }, route: { cluster: '$C', retry_policy: { retry_on: '5xx' } }, ...route },
    ],
  },
  upstreams: [{ answers: SIZES.flatMap(() => [answer(500), OK]) }],
  connections: SIZES.map((size) => [{ send: post('/', 'x'.repeat(size)), await: 1 }]),
});
const older = (bytes: number): Json => ({ per_request_buffer_limit_bytes: bytes });
const newer = (bytes: number): Json => ({ request_body_buffer_limit: bytes });

/** The client takes nothing of the body: its window is closed, and stays so. */
const unread = (name: string, more: Partial<Scenario>): Scenario => ({
  name: `a client that takes nothing: ${name}`,
  http2: [{ settings: { initialWindowSize: 0 }, requests: [{ cancelAfter: 1500 }] }],
  ...more,
});

export const LIMIT_CASES: readonly Scenario[] = [
  retried('as much as the connection may hold', {}, {}),
  retried('all, without a limit', {}, {}, 0),
  retried('a limit of the route', {}, newer(1000)),
  retried('a limit of the route above that of the connection', {}, newer(100_000)),
  retried('a limit of the route, of a connection without one', {}, newer(100_000), 0),
  retried('an older limit of the route', {}, older(1000)),
  retried('an older limit of the route above that of the connection', {}, older(100_000)),
  retried('a limit of the virtual host', newer(100_000), {}),
  retried('an older limit of the virtual host', older(1000), {}),
  retried('both limits of the route', {}, { ...older(1000), ...newer(100_000) }),
  retried('both limits of the virtual host', { ...older(1000), ...newer(100_000) }, {}),
  retried('limits of the route and its virtual host', newer(1000), newer(100_000)),
  retried('an older limit of the route, a newer one of its virtual host', newer(1000), older(100_000)),
  retried('nothing', {}, newer(0)),
];

export const FLUSH_TIMEOUT_CASES: readonly Scenario[] = [
  unread('flush_timeout of the route', { action: { flush_timeout: '0.2s' } }),
  unread('idle_timeout of the route', { action: { idle_timeout: '0.2s' } }),
  unread('flush_timeout beside an idle_timeout', { action: { idle_timeout: '0.2s', flush_timeout: '30s' } }),
  unread('no flush_timeout', { action: { flush_timeout: '0s' }, manager: { stream_idle_timeout: '0.2s' } }),
  unread('stream_flush_timeout', { manager: { stream_flush_timeout: '0.2s' } }),
  unread('stream_idle_timeout', { manager: { stream_idle_timeout: '0.2s' } }),
  unread('flush_timeout before stream_flush_timeout', {
    action: { flush_timeout: '30s' },
    manager: { stream_flush_timeout: '0.2s' },
  }),
];
