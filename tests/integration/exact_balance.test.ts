// connection_balance_config.exact_balance: the workers have the same number of connections, whoever accepted them, and a
// connection that is given to another worker is one like any other.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import type http from 'node:http';
import net from 'node:net';
import { after, before, test } from 'node:test';
import { ControlPlane } from './control_plane.ts';
import { Load } from './load.ts';
import { eventually, ProxyProcess } from './proxy_process.ts';
import {
  echoFilter,
  edsCluster,
  endpoints,
  httpFilter,
  listener,
  namedBackend,
  portOf,
  routes,
} from './resources.ts';

const WORKERS = 4;
const EACH = 15;
const CLIENTS = 6;
const balanced = { connection_balance_config: { exact_balance: {} } };

let backend: http.Server;
let plane: ControlPlane;
let proxy: ProxyProcess;

const httpListener = (limit: number): object =>
  listener('http', 0, [{ filters: [httpFilter('main')] }], {
    ...balanced,
    per_connection_buffer_limit_bytes: limit,
  });

before(async () => {
  backend = await namedBackend('answer');
  plane = await ControlPlane.start();
  plane.hold('cluster', 'a', edsCluster('a'));
  plane.hold('endpoints', 'a', endpoints('a', [portOf(backend)]));
  plane.hold('route', 'main', routes('main', { a: 1 }));
  const echo = [{ filters: [echoFilter()] }];
  plane.hold('listener', 'echo', listener('echo', 0, echo, { ...balanced, stat_prefix: 'echo' }));
  plane.hold('listener', 'http', httpListener(100_000));
  const args = ['--config-yaml', JSON.stringify(plane.bootstrap()), '--concurrency', String(WORKERS)];
  proxy = await ProxyProcess.start(...args, '--drain-time-s', '1', '--drain-strategy', 'immediate');
});

after(async () => {
  await proxy?.stop();
  plane?.close();
  backend?.close().closeAllConnections();
});

/** Connections that have echoed. */
function open(port: number, count: number): Promise<net.Socket[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const socket = net.connect(port, '127.0.0.1');
      socket.write('ping');
      const [text] = (await once(socket, 'data')) as [Buffer];
      assert.equal(text.toString(), 'ping');
      return socket;
    }),
  );
}

/** Active connections of each worker. */
async function active(): Promise<number[]> {
  const { body } = await proxy.admin('/stats?filter=^listener\\.echo\\.worker_\\d\\.downstream_cx_active');
  return body
    .trim()
    .split('\n')
    .map((line) => Number(line.split(': ')[1]));
}

test('every worker has as many connections', { timeout: 30_000 }, async () => {
  const port = await proxy.port('echo');
  const even = Array.from({ length: WORKERS }, () => EACH);
  const first = await open(port, WORKERS * EACH);
  assert.deepEqual(await active(), even);
  // Those that go may be anybody's; those that come go where they are missing.
  for (const socket of first.splice(0, EACH)) socket.destroy();
  const left = WORKERS * EACH - EACH;
  await eventually(async () => (await active()).reduce((a, b) => a + b) === left, 'they are gone');
  const second = await open(port, EACH);
  assert.deepEqual(await active(), even);
  for (const socket of [...first, ...second]) socket.destroy();
  await eventually(async () => (await active()).every((count) => count === 0), 'all are gone');
});

test('no request is lost while the listener is replaced', { timeout: 30_000 }, async () => {
  const port = await proxy.port('http');
  const load = new Load({ connect: () => net.connect(port, '127.0.0.1'), clients: CLIENTS, thinkMs: 0 });
  for (let i = 0; i < 40 || load.report.answered < 200; i++) {
    assert.equal(await plane.set('listener', { http: httpListener(100_001 + i) }), undefined);
  }
  const { failures, connections } = await load.stop();
  assert.deepEqual(failures, []);
  // How often depends on how many replacements one turn takes together.
  assert.ok(connections > CLIENTS, `${connections} connections`);
});
