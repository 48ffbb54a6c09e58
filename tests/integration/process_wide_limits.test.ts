// Limits of filters hold for the process, exactly, however its connections are spread over the workers.

import assert from 'node:assert/strict';
import type http from 'node:http';
import net from 'node:net';
import { after, before, test } from 'node:test';
import { ControlPlane } from './control_plane.ts';
import { ClientConnection } from './load.ts';
import { eventually, ProxyProcess } from './proxy_process.ts';
import {
  chainFrom,
  echoFilter,
  edsCluster,
  endpoints,
  httpFilter,
  listener,
  namedBackend,
  portOf,
  routes,
  TYPE,
} from './resources.ts';

const LIMIT = 5;
/** So many more than the limit that every worker sees too many. */
const CONNECTIONS = 40;
const DELAY_MS = 700;
const LIMITED = '127.0.0.2';

let backend: http.Server;
let plane: ControlPlane;
let proxy: ProxyProcess;

function limitFilter(max_connections: number): object {
  const type = `${TYPE}extensions.filters.network.connection_limit.v3.ConnectionLimit`;
  return { name: 'limit', typed_config: { '@type': type, stat_prefix: 'x', max_connections } };
}

function faultFilter(): object {
  const percentage = { numerator: 100 };
  return {
    '@type': `${TYPE}extensions.filters.http.fault.v3.HTTPFault`,
    delay: { fixed_delay: `${DELAY_MS / 1000}s`, percentage },
    max_active_faults: LIMIT,
  };
}

/** The fault filter as it stands, or discovered. */
function faultyChain(ip: string, fault: object): object {
  const router = { '@type': `${TYPE}extensions.filters.http.router.v3.Router` };
  const http_filters = [fault, { name: 'router', typed_config: router }];
  return chainFrom(ip, [httpFilter('main', { http_filters, stat_prefix: `from_${ip}` })]);
}

const discoveredFault = {
  name: 'fault',
  config_discovery: {
    config_source: { ads: {}, resource_api_version: 'V3' },
    default_config: faultFilter(),
    apply_default_config_without_warming: true,
    type_urls: [faultFilter()['@type' as never]],
  },
};

/** A bucket of LIMIT tokens that nothing comes into, or none. */
function rateLimit(stat_prefix: string, limited: boolean): object {
  const always = { default_value: { numerator: 100 } };
  return {
    '@type': `${TYPE}extensions.filters.http.local_ratelimit.v3.LocalRateLimit`,
    stat_prefix,
    filter_enabled: always,
    filter_enforced: always,
    ...(limited && { token_bucket: { max_tokens: LIMIT, fill_interval: '100000s' } }),
  };
}

const discoveredRateLimit = {
  ...discoveredFault,
  name: 'limit',
  config_discovery: {
    ...discoveredFault.config_discovery,
    default_config: rateLimit('discovered', true),
    type_urls: [rateLimit('', true)['@type' as never]],
  },
};

const limitedRoutes = (version: string): object => ({
  ...routes('limited', { a: 1 }),
  typed_per_filter_config: { limit: rateLimit('of_the_route', true) },
  response_headers_to_add: [{ header: { key: 'x-version', value: version } }],
});

function limitedChain(ip: string, filter: object, route: string): object {
  const router = { '@type': `${TYPE}extensions.filters.http.router.v3.Router` };
  const http_filters = [filter, { name: 'router', typed_config: router }];
  return chainFrom(ip, [httpFilter(route, { http_filters, stat_prefix: `from_${ip}` })]);
}

before(async () => {
  backend = await namedBackend('answer');
  plane = await ControlPlane.start();
  plane.hold('cluster', 'a', edsCluster('a'));
  plane.hold('endpoints', 'a', endpoints('a', [portOf(backend)]));
  plane.hold('route', 'main', routes('main', { a: 1 }));
  plane.hold('route', 'limited', limitedRoutes('1'));
  plane.hold('listener', 'tcp', listener('tcp', 0, limitedChains(LIMIT)));
  plane.hold(
    'listener',
    'http',
    listener('http', 0, [
      faultyChain('127.0.0.3', { name: 'fault', typed_config: faultFilter() }),
      faultyChain('127.0.0.4', discoveredFault),
      limitedChain('127.0.0.5', { name: 'limit', typed_config: rateLimit('configured', true) }, 'main'),
      limitedChain('127.0.0.6', discoveredRateLimit, 'main'),
      limitedChain('127.0.0.7', { name: 'limit', typed_config: rateLimit('none', false) }, 'limited'),
    ]),
  );
  const args = ['--config-yaml', JSON.stringify(plane.bootstrap()), '--concurrency', '4'];
  proxy = await ProxyProcess.start(...args, '--drain-time-s', '60');
});

after(async () => {
  await proxy?.stop();
  plane?.close();
  backend?.close().closeAllConnections();
});

function limitedChains(max: number, other = 'other'): object[] {
  return [
    chainFrom(LIMITED, [limitFilter(max), echoFilter()]),
    chainFrom('127.0.0.9', [echoFilter()], { name: other }),
  ];
}

function connect(port: number, localAddress: string): net.Socket {
  return net.connect({ port, host: '127.0.0.1', localAddress });
}

/** Opens many connections at once and returns those that are served. */
async function served(port: number): Promise<net.Socket[]> {
  const sockets = Array.from({ length: CONNECTIONS }, () => connect(port, LIMITED));
  const outcomes = await Promise.all(
    sockets.map(
      (socket) =>
        new Promise<boolean>((resolve) => {
          socket.on('data', () => resolve(true));
          socket.on('error', () => resolve(false)).on('close', () => resolve(false));
          socket.write('ping');
        }),
    ),
  );
  return sockets.filter((_, index) => outcomes[index]);
}

async function stat(name: string): Promise<number> {
  const { body } = await proxy.admin(`/stats?filter=^${name.replaceAll('.', '\\.')}$`);
  return Number(body.split(': ')[1] ?? Number.NaN);
}

test('connection_limit', async () => {
  const port = await proxy.port('tcp');
  const first = await served(port);
  assert.equal(first.length, LIMIT);
  assert.equal(await stat('connection_limit.x.active_connections'), LIMIT);
  assert.equal(await stat('connection_limit.x.limited_connections'), CONNECTIONS - LIMIT);

  // Beside a chain that changes, this one keeps its connections and its number.
  await plane.set('listener', { tcp: listener('tcp', 0, limitedChains(LIMIT, 'another')) });
  assert.equal((await served(port)).length, 0);

  // A new version of the chain counts for itself, while the connections of the old one drain.
  await plane.set('listener', { tcp: listener('tcp', 0, limitedChains(LIMIT + 1)) });
  let second: net.Socket[] = [];
  await eventually(async () => {
    second = await served(port);
    return second.length > 0;
  }, 'the new chain serves');
  assert.equal(second.length, LIMIT + 1);
  assert.equal(await stat('connection_limit.x.active_connections'), 2 * LIMIT + 1);

  for (const socket of [...first, ...second]) socket.destroy();
  await eventually(async () => (await stat('connection_limit.x.active_connections')) === 0, 'all are gone');
  const third = await served(port);
  assert.equal(third.length, LIMIT + 1);
  for (const socket of third) socket.destroy();
});

for (const [how, ip] of [
  ['configured', '127.0.0.3'],
  ['discovered', '127.0.0.4'],
] as const) {
  test(`max_active_faults of a fault filter that is ${how}`, async () => {
    const port = await proxy.port('http');
    const clients = Array.from({ length: CONNECTIONS }, () => new ClientConnection(connect(port, ip)));
    const started = performance.now();
    let delayed = 0;
    await Promise.all(
      clients.map(async (client) => {
        assert.equal((await client.request('/')).status, 200);
        if (performance.now() - started >= DELAY_MS) delayed++;
      }),
    );
    for (const client of clients) client.end();
    const prefix = `http.from_${ip}.fault`;
    assert.equal(await stat(`${prefix}.delays_injected`), LIMIT);
    assert.equal(await stat(`${prefix}.faults_overflow`), CONNECTIONS - LIMIT);
    assert.ok(delayed >= LIMIT);
    await eventually(async () => (await stat(`${prefix}.active_faults`)) === 0, 'no fault is active');
  });
}

/** Requests on connections of their own; how many were let through. */
async function letThrough(ip: string): Promise<number> {
  const port = await proxy.port('http');
  const clients = Array.from({ length: CONNECTIONS }, () => new ClientConnection(connect(port, ip)));
  const statuses = await Promise.all(clients.map(async (client) => (await client.request('/')).status));
  for (const client of clients) client.end();
  return statuses.filter((status) => status === 200).length;
}

for (const [how, ip] of [
  ['configured', '127.0.0.5'],
  ['discovered', '127.0.0.6'],
  ['of_the_route', '127.0.0.7'],
] as const) {
  test(`the token bucket of a local_ratelimit filter that is ${how}`, async () => {
    assert.equal(await letThrough(ip), LIMIT);
    assert.equal(await stat(`${how}.http_local_rate_limit.ok`), LIMIT);
    assert.equal(await stat(`${how}.http_local_rate_limit.enforced`), CONNECTIONS - LIMIT);
    assert.equal(await letThrough(ip), 0);
  });
}

test('a new version of a route configuration has a full token bucket', async () => {
  await plane.set('route', { limited: limitedRoutes('2') });
  let passed = 0;
  await eventually(async () => {
    passed = await letThrough('127.0.0.7');
    return passed > 0;
  }, 'the new version serves');
  assert.equal(passed, LIMIT);
});
