// Retries: which hosts they go to, what of gRPC and of clients' headers asks for them, and what they bring with them.

import { type Scenario, TYPE } from './proxy_scenario.ts';
import { answer, get } from './raw_requests.ts';
import { OK } from './scripted_upstream.ts';

type Json = Readonly<Record<string, unknown>>;

const TRUSTED: Json = {
  use_remote_address: true,
  internal_address_config: { cidr_ranges: [{ address_prefix: '127.0.0.1', prefix_len: 32 }] },
};
const retry = (retry_on: string, more: Json = {}): Scenario['action'] => ({
  retry_policy: { retry_on, retry_back_off: { base_interval: '0.001s' }, ...more },
});
const predicate = (name: string, more: Json = {}): Json => ({
  retry_host_predicate: [{ name, typed_config: { '@type': `${TYPE}retry.host.${name}`, ...more } }],
  // The heavy host is chosen nearly always.
  host_selection_retry_max_attempts: 1000,
});
const labels = (fields: Json): Json => ({ filter_metadata: { 'envoy.lb': fields } });
const host = (port_value: unknown, weight: number, fields: Json = {}): Json => ({
  endpoint: { address: { socket_address: { address: '127.0.0.1', port_value } } },
  load_balancing_weight: weight,
  metadata: labels(fields),
});
/** A heavy host that refuses connections, and a light one. */
const refusing = (fields: Json): Json => ({
  load_assignment: {
    cluster_name: '$C',
    endpoints: [{ lb_endpoints: [host(1, 127, fields), host('$U', 1)] }],
  },
});
const grpc = (status: number): string =>
  answer(200, ['content-type: application/grpc', `grpc-status: ${status}`]);
const grpcCase = (condition: string, status: number): Scenario => ({
  name: `retry on ${condition}`,
  action: retry(condition),
  upstreams: [{ answers: [grpc(status === 1 ? 2 : 1), grpc(status), OK] }],
  connections: [['/1', '/2'].map((path) => get(path, 'content-type: application/grpc', 'te: trailers'))],
});
const asked = (name: string, first: string, ...headers: string[]): Scenario => ({
  name,
  manager: TRUSTED,
  upstreams: [{ answers: [first, OK] }],
  connections: [[get('/', ...headers)]],
});

export const RETRY_CASES: readonly Scenario[] = [
  {
    name: 'a retry that omits canaries',
    action: retry('connect-failure', predicate('omit_canary_hosts.v3.OmitCanaryHostsPredicate')),
    cluster: refusing({ canary: true }),
    connections: [[get('/')]],
  },
  {
    name: 'a retry that omits hosts by their metadata',
    action: retry(
      'connect-failure',
      predicate('omit_host_metadata.v3.OmitHostMetadataConfig', {
        metadata_match: labels({ version: 'old', level: 2 }),
      }),
    ),
    cluster: refusing({ version: 'old', level: 2, more: 'x' }),
    connections: [[get('/')]],
  },
  {
    name: 'a retry that omits hosts whose metadata lists the value',
    action: retry(
      'connect-failure',
      predicate('omit_host_metadata.v3.OmitHostMetadataConfig', {
        metadata_match: labels({ version: 'old' }),
      }),
    ),
    cluster: refusing({ version: ['new', 'old'] }),
    connections: [[get('/')]],
  },
  {
    name: 'a retry that omits hosts of other metadata',
    action: retry(
      'connect-failure',
      predicate('omit_host_metadata.v3.OmitHostMetadataConfig', {
        metadata_match: labels({ version: 'old' }),
      }),
    ),
    cluster: {
      load_assignment: {
        cluster_name: '$C',
        endpoints: [{ lb_endpoints: [host(1, 1, { version: 'new' })] }],
      },
    },
    connections: [[get('/')]],
  },
  grpcCase('cancelled', 1),
  grpcCase('deadline-exceeded', 4),
  grpcCase('resource-exhausted', 8),
  grpcCase('internal', 13),
  grpcCase('unavailable', 14),
  asked('gRPC retry that the client asks for', grpc(14), 'x-envoy-retry-grpc-on: unavailable, cancelled'),
  asked(
    'status codes that the client asks for',
    answer(418),
    'x-envoy-retry-on: retriable-status-codes',
    'x-envoy-retriable-status-codes: 417,418, x,5',
  ),
  asked(
    'headers that the client asks for',
    answer(200, ['x-again: 1']),
    'x-envoy-retry-on: retriable-headers',
    'x-envoy-retriable-header-names: X-Other,X-Again',
  ),
  asked('no retry that the client asks for', answer(500), 'x-envoy-retry-on: 5xx', 'x-envoy-max-retries: 0'),
  {
    name: 'no retry that the route allows',
    action: retry('5xx', { num_retries: 0 }),
    upstreams: [{ answers: [answer(500), OK] }],
    connections: [[get('/'), get('/')]],
  },
  asked('a number of retries that is none', answer(500), 'x-envoy-retry-on: 5xx', 'x-envoy-max-retries: -1'),
  {
    name: 'a cookie for every attempt',
    action: {
      ...retry('5xx'),
      hash_policy: [
        {
          cookie: {
            name: 'session',
            ttl: '60s',
            path: '/p',
            attributes: [{ name: 'SameSite', value: 'Lax' }],
          },
        },
      ],
    },
    cluster: { lb_policy: 'RING_HASH' },
    upstreams: [{ answers: [answer(500), OK] }],
    connections: [[get('/'), get('/', 'cookie: session=')]],
  },
  {
    name: 'cookies that the hash policy makes',
    action: {
      hash_policy: [
        { cookie: { name: 'session', ttl: '0s' }, terminal: true },
        { cookie: { name: 'other', ttl: '60s' } },
      ],
    },
    cluster: { lb_policy: 'RING_HASH' },
    connections: [[get('/'), get('/', 'cookie: session=a')]],
  },
  {
    name: 'a cookie where hosts are not hashed',
    action: { hash_policy: [{ cookie: { name: 'session', ttl: '5s' } }] },
    connections: [[get('/')]],
  },
  {
    name: 'rate limits that say when by the clock, or nothing useful',
    action: {
      timeout: '0s',
      ...retry('5xx', {
        rate_limited_retry_back_off: {
          reset_headers: [
            { name: 'x-reset', format: 'UNIX_TIMESTAMP' },
            { name: 'retry-after', format: 'SECONDS' },
          ],
          max_interval: '1s',
        },
        num_retries: 3,
      }),
    },
    upstreams: [
      {
        answers: [
          answer(503, ['x-reset: 1', 'retry-after: 9']),
          answer(503, ['x-reset: soon', 'retry-after: 1']),
          answer(503, ['x-reset: 99999999999']),
          OK,
        ],
      },
    ],
    connections: [[get('/')]],
  },
];
