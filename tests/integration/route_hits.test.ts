// How often each route is taken and how long each host takes, and hosts that only workers know: of a running proxy with two
// workers.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ControlPlane } from './control_plane.ts';
import { ask, eventually, ProxyProcess } from './proxy_process.ts';
import { edsCluster, endpoints, httpFilter, listener, portOf } from './resources.ts';

interface Route {
  readonly name: string;
  readonly hits: number;
}

interface Host {
  readonly name: string;
  readonly requests: number;
  readonly latency_p50_ms?: number;
  readonly latency_p99_ms?: number;
}

/** ms that the slow backend takes. */
const SLOW_MS = 60;

const to = (prefix: string, cluster = 'fast'): object => ({ match: { prefix }, route: { cluster } });
const table = (name: string, ...routes: object[]): object => ({
  name,
  virtual_hosts: [{ name: 'all', domains: ['*'], routes }],
});
const inline = (...routes: object[]): object =>
  listener('inline', 0, [
    { filters: [httpFilter('', { rds: undefined, route_config: table('own', ...routes) })] },
  ]);

let proxy: ProxyProcess;
let plane: ControlPlane;
let fast: http.Server;
let slow: http.Server;

async function backend(ms: number): Promise<http.Server> {
  const server = http.createServer(async (_, response) => {
    await sleep(ms);
    response.end('here');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

before(async () => {
  plane = await ControlPlane.start();
  fast = await backend(0);
  slow = await backend(SLOW_MS);
  plane.hold('cluster', 'fast', edsCluster('fast'));
  plane.hold('endpoints', 'fast', endpoints('fast', [portOf(fast)]));
  plane.hold('cluster', 'both', edsCluster('both'));
  plane.hold('endpoints', 'both', endpoints('both', [portOf(fast), portOf(slow)]));
  plane.hold('cluster', 'unused', edsCluster('unused'));
  plane.hold('endpoints', 'unused', endpoints('unused', [portOf(fast)]));
  plane.hold('cluster', 'anywhere', {
    name: 'anywhere',
    type: 'ORIGINAL_DST',
    lb_policy: 'CLUSTER_PROVIDED',
    original_dst_lb_config: { use_http_header: true },
  });
  const more = [to('/two', 'both'), to('/where', 'anywhere')];
  plane.hold('route', 'main', table('main', to('/a'), to('/b'), ...more));
  plane.hold('listener', 'http', listener('http', 0, [{ filters: [httpFilter('main')] }]));
  plane.hold('listener', 'inline', inline(to('/a'), to('/b')));
  proxy = await ProxyProcess.start('--config-yaml', JSON.stringify(plane.bootstrap()), '--concurrency', '2');
});

after(async () => {
  await proxy.stop();
  plane.close();
  fast.close();
  slow.close();
});

async function request(on: string, path: string, times: number, headers: object = {}): Promise<void> {
  const url = `http://127.0.0.1:${await proxy.port(on)}${path}`;
  for (let i = 0; i < times; i++) assert.equal((await ask(url, { headers: { ...headers } })).status, 200);
}

async function answer<T>(target: string): Promise<T> {
  const { status, body } = await proxy.admin(target);
  assert.equal(status, 200, body);
  return JSON.parse(body);
}

/** Hits by name, of one configuration. */
async function hits(config: string, query = ''): Promise<Readonly<Record<string, number>>> {
  const { items } = await answer<{ items: readonly Route[] }>(`/api/routes?route_config=${config}${query}`);
  return Object.fromEntries(items.map((route) => [route.name, route.hits]));
}

const hosts = async (query: string): Promise<readonly Host[]> =>
  (await answer<{ items: readonly Host[] }>(`/api/hosts?${query}`)).items;

describe('hits of routes', () => {
  test('count, sort, and stay when other routes change', async () => {
    await request('http', '/a', 3);
    await request('http', '/b', 5);
    assert.deepEqual(Object.entries(await hits('main', '&sort=-hits')).slice(0, 2), [
      ['main/all/1', 5],
      ['main/all/0', 3],
    ]);
    // One comes before them, the second one changes.
    const more = [to('/two', 'both'), to('/where', 'anywhere')];
    const changed = table('main', to('/new'), to('/a'), to('/b', 'both'), ...more);
    assert.equal(await plane.set('route', { main: changed }), undefined);
    await eventually(async () => 'main/all/4' in (await hits('main')), 'the update is there');
    assert.deepEqual(await hits('main'), {
      'main/all/0': 0,
      'main/all/1': 3,
      'main/all/2': 0,
      'main/all/3': 0,
      'main/all/4': 0,
    });
    await request('http', '/a', 1);
    assert.equal((await hits('main'))['main/all/1'], 4);
  });

  test('of routes that a listener has inside', async () => {
    await request('inline', '/b', 2);
    assert.deepEqual(await hits('own'), { 'own/all/0': 0, 'own/all/1': 2 });
    const changed = inline(to('/b'), to('/c'), to('/d'));
    assert.equal(await plane.set('listener', { inline: changed }), undefined);
    await eventually(async () => 'own/all/2' in (await hits('own')), 'the update is there');
    assert.deepEqual(await hits('own'), { 'own/all/0': 2, 'own/all/1': 0, 'own/all/2': 0 });
  });
});

describe('hosts', () => {
  test('take as long as they do', async () => {
    await request('http', '/two', 20);
    const [first, second] = await hosts('cluster=both&sort=-latency_p50_ms');
    assert.equal(first!.name, `127.0.0.1:${portOf(slow)}`);
    assert.ok(first!.latency_p50_ms! >= SLOW_MS * 0.94, `${first!.latency_p50_ms}`);
    assert.ok(first!.latency_p99_ms! >= first!.latency_p50_ms!);
    assert.ok(second!.latency_p50_ms! < first!.latency_p50_ms!, `${second!.latency_p50_ms}`);
    const [idle] = await hosts('cluster=unused');
    assert.equal(idle!.latency_p50_ms, undefined);
    // On a page of all clusters, too; sorting is for one.
    assert.ok((await hosts('')).some((host) => host.latency_p99_ms !== undefined));
    assert.equal((await proxy.admin('/api/hosts?sort=latency_p99_ms')).status, 400);
  });

  test('that only workers know are those of all of them together', async () => {
    const address = `127.0.0.1:${portOf(fast)}`;
    await request('http', '/where', 8, { 'x-envoy-original-dst-host': address });
    const [host] = await hosts('cluster=anywhere');
    assert.deepEqual([host!.name, host!.requests], [address, 8]);
    assert.ok(host!.latency_p50_ms! > 0);
    const lines = (await proxy.admin('/clusters?filter=anywhere')).body;
    assert.match(lines, new RegExp(`anywhere::${address}::rq_total::8\n`));
  });
});
