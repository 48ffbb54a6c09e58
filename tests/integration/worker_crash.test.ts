// A worker thread that dies: the others serve on, what it held of hosts and circuit breakers is free again, and a new one
// takes its place with the configuration that served last.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import type { ServerParts } from '../../server/main/admin_context.ts';
import { run } from '../../server/main/run.ts';
import { serve } from '../../server/main/serve.ts';
import { staticCluster } from './control_plane.ts';
import { type ClientAnswer, ClientConnection, Load } from './load.ts';
import { eventually } from './proxy_process.ts';
import { echoFilter, listener, portOf, TYPE } from './resources.ts';

const ENTRY = new URL('crashing_worker.ts', import.meta.url);
/** As many requests as the circuit breaker allows. */
const REQUESTS = 20;
/** Of connection_limit. */
const LIMIT = 10;

const directory = mkdtempSync(path.join(os.tmpdir(), 'pilotfish-crash-'));
const logFile = path.join(directory, 'log');
/** Requests to /hold that the backend has not answered. */
let holding: ServerResponse[] = [];
let backend: Server;
let parts: ServerParts;
let exit: Promise<number>;
let port: number;

function bootstrap(): object {
  const router = { '@type': `${TYPE}extensions.filters.http.router.v3.Router` };
  const manager = {
    '@type': `${TYPE}extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'in',
    route_config: {
      virtual_hosts: [
        { name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'a' } }] },
      ],
    },
    http_filters: [{ name: 'router', typed_config: router }],
  };
  const thresholds = [{ max_requests: REQUESTS }];
  const balance = { connection_balance_config: { exact_balance: {} } };
  const limit = {
    name: 'limit',
    typed_config: {
      '@type': `${TYPE}extensions.filters.network.connection_limit.v3.ConnectionLimit`,
      stat_prefix: 'limited',
      max_connections: LIMIT,
    },
  };
  return {
    static_resources: {
      clusters: [{ ...staticCluster('a', portOf(backend)), circuit_breakers: { thresholds } }],
      listeners: [
        listener('http', 0, [{ filters: [{ name: 'http', typed_config: manager }] }]),
        listener('limited', 0, [{ filters: [limit, echoFilter()] }], {
          stat_prefix: 'limited',
          ...balance,
        }),
        listener('balanced', 0, [{ filters: [echoFilter()] }], {
          stat_prefix: 'balanced',
          ...balance,
        }),
      ],
    },
  };
}

function stat(name: string): number {
  return parts.aggregator.value(name) ?? 0;
}

/** Live numbers of the one host. */
function activeRequests(): number {
  const { hostSlots } = parts.control.store;
  return new Int32Array(hostSlots.memory[0]!)[1]!;
}

before(async () => {
  backend = createServer((request, response) => {
    if (request.url === '/hold') holding.push(response);
    else response.end('answer');
  });
  backend.keepAliveTimeout = 0;
  backend.listen(0, '127.0.0.1');
  await once(backend, 'listening');
  const serving = Promise.withResolvers<ServerParts>();
  const args = ['--config-yaml', JSON.stringify(bootstrap()), '--concurrency', '2', '--log-path', logFile];
  exit = run(args, (start) => serve({ ...start, workerEntry: ENTRY, onServing: serving.resolve }));
  parts = await serving.promise;
  port = portOfListener('http');
});

function portOfListener(name: string): number {
  const anyPort = { ip: '127.0.0.1', port: 0, text: '127.0.0.1:0' };
  return parts.supervisor.sockets.localAddresses(name, [anyPort])[0]!.port;
}

/** Opens connections to a listener that echoes; those that it serves. */
async function served(name: string, count: number): Promise<net.Socket[]> {
  const target = portOfListener(name);
  const sockets = Array.from({ length: count }, () => net.connect(target, '127.0.0.1'));
  const echoed = sockets.map(
    (socket) =>
      new Promise<boolean>((resolve) => {
        socket.once('data', () => resolve(true));
        socket.on('error', () => resolve(false)).on('close', () => resolve(false));
        socket.write('ping');
      }),
  );
  const outcomes = await Promise.all(echoed);
  return sockets.filter((_, index) => outcomes[index]);
}

after(async () => {
  parts?.quit();
  await exit;
  backend?.close().closeAllConnections();
  rmSync(directory, { recursive: true });
});

function connections(count: number): ClientConnection[] {
  return Array.from({ length: count }, () => new ClientConnection(net.connect(port, '127.0.0.1')));
}

/** Requests that the backend holds: all that the circuit breaker allows. */
async function hold(clients: readonly ClientConnection[]): Promise<Promise<ClientAnswer>[]> {
  holding = [];
  const answers = clients.map((client) => client.request('/hold'));
  await eventually(async () => holding.length === clients.length, 'the backend has them all');
  assert.equal(activeRequests(), clients.length);
  return answers;
}

test('a worker dies in the middle of requests', { timeout: 30_000 }, async () => {
  const limited = await served('limited', LIMIT);
  assert.equal(limited.length, LIMIT);
  assert.equal((await served('limited', LIMIT)).length, 0);
  const balanced = await served('balanced', LIMIT);
  assert.equal(stat('listener.balanced.worker_0.downstream_cx_active'), LIMIT / 2);
  const clients = connections(REQUESTS);
  const answers = await hold(clients);
  const onFirst = stat('listener.127.0.0.1_0.worker_0.downstream_cx_active');
  assert.ok(onFirst > 0 && onFirst < REQUESTS, `${onFirst} connections on worker_0`);

  parts.supervisor.setLogLevel('crash', 'info');
  await eventually(async () => stat('server.worker_crashes') === 1, 'the crash is counted');
  await eventually(async () => activeRequests() === REQUESTS - onFirst, 'its requests are no longer active');
  assert.equal(stat('cluster.a.upstream_rq_active'), REQUESTS - onFirst);
  for (const response of holding) response.end('late');
  const statuses = (await Promise.all(answers)).map(({ status }) => status);
  assert.equal(statuses.filter((status) => status === 0).length, onFirst);
  assert.equal(statuses.filter((status) => status === 200).length, REQUESTS - onFirst);
  assert.equal(activeRequests(), 0);

  // The other one serves meanwhile, and what it serves is not cut when the new one comes.
  const load = new Load({ connect: () => net.connect(port, '127.0.0.1'), clients: 2, thinkMs: 1 });
  await eventually(
    async () => readFileSync(logFile, 'utf8').includes('worker_0 was replaced'),
    'a new worker',
  );
  const { failures, answered } = await load.stop();
  assert.deepEqual(failures, []);
  assert.ok(answered > 0);
  assert.match(readFileSync(logFile, 'utf8'), /\[critical\]\[main\] worker_0 died: Error: of a bug/);

  const total = (): number => stat('listener.127.0.0.1_0.worker_0.downstream_cx_total');
  const before = total();
  await eventually(async () => {
    const [client] = connections(1);
    assert.equal((await client!.request('/')).status, 200);
    client!.end();
    return total() > before;
  }, 'the new worker takes connections');

  // The breakers have room for as many as before.
  const fresh = connections(REQUESTS);
  const again = await hold(fresh);
  for (const response of holding) response.end('late');
  for (const answer of again) assert.equal((await answer).status, 200);
  for (const client of [...clients, ...fresh]) client.end();

  // What it had counted for all workers is taken back.
  const survivors = limited.filter((socket) => !socket.destroyed);
  assert.equal(survivors.length, LIMIT / 2);
  const more = await served('limited', 4 * LIMIT);
  assert.equal(survivors.length + more.length, LIMIT);
  // Who has none gets them all.
  const others = await served('balanced', LIMIT / 2);
  assert.equal(stat('listener.balanced.worker_0.downstream_cx_active'), LIMIT / 2);
  assert.equal(stat('listener.balanced.worker_1.downstream_cx_active'), LIMIT / 2);
  for (const socket of [...survivors, ...more, ...balanced, ...others]) socket.destroy();
});
