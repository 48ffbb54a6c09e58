// The kinds of listeners and how they go: what is replaced or removed asks its clients to leave, and closes who has not
// left when the drain time is over.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import type http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ControlPlane } from './control_plane.ts';
import { ClientConnection } from './load.ts';
import { eventually, ProxyProcess } from './proxy_process.ts';
import {
  chainFrom,
  directResponse,
  echoFilter,
  edsCluster,
  endpoints,
  httpFilter,
  listener,
  namedBackend,
  portOf,
  routes,
  socketAddress,
  TYPE,
} from './resources.ts';

const DRAIN_MS = 1000;
/** ms that a loaded machine may take on top. */
const SLACK_MS = 1500;

const directory = mkdtempSync(path.join(os.tmpdir(), 'pilotfish-listeners-'));

async function startPlane(backend: http.Server): Promise<ControlPlane> {
  const plane = await ControlPlane.start();
  plane.hold('cluster', 'a', edsCluster('a'));
  plane.hold('endpoints', 'a', endpoints('a', [portOf(backend)]));
  plane.hold('route', 'main', routes('main', { a: 1 }));
  return plane;
}

function start(plane: ControlPlane, strategy: string): Promise<ProxyProcess> {
  return ProxyProcess.start(
    ...['--config-yaml', JSON.stringify(plane.bootstrap()), '--concurrency', '2'],
    ...['--drain-time-s', String(DRAIN_MS / 1000), '--drain-strategy', strategy],
  );
}

/** All that comes from a connection until its end, and when that was. */
async function readToEnd(socket: net.Socket): Promise<{ text: string; ms: number }> {
  const started = performance.now();
  let text = '';
  socket.setEncoding('latin1').on('data', (more: string) => (text += more));
  socket.on('error', (error: NodeJS.ErrnoException) => (text += error.code));
  // Not `once`, which an error ends.
  await new Promise((resolve) => socket.on('close', resolve));
  return { text, ms: performance.now() - started };
}

async function refuses(port: number): Promise<boolean> {
  const socket = net.connect(port, '127.0.0.1');
  socket.on('connect', () => socket.destroy());
  return (await readToEnd(socket)).text === 'ECONNREFUSED';
}

async function echoes(target: net.NetConnectOpts): Promise<string> {
  const socket = net.connect(target).setEncoding('utf8');
  socket.write('ping');
  const [text] = (await once(socket, 'data')) as [string];
  socket.destroy();
  return text;
}

describe('listeners', { timeout: 60_000 }, () => {
  let backend: http.Server;
  let plane: ControlPlane;
  let proxy: ProxyProcess;

  before(async () => {
    backend = await namedBackend('backend');
    plane = await startPlane(backend);
    proxy = await start(plane, 'immediate');
  });

  after(async () => {
    await proxy?.stop();
    plane?.close();
    backend?.close().closeAllConnections();
    rmSync(directory, { recursive: true });
  });

  /** Sets a listener whose port the system chooses; the port. */
  async function add(name: string, chains: readonly object[], more: object = {}): Promise<number> {
    assert.equal(await plane.set('listener', { [name]: listener(name, 0, chains, more) }), undefined);
    let port = 0;
    await eventually(async () => {
      port = await proxy.port(name).catch(() => 0);
      return port !== 0 && !(await refuses(port));
    }, `${name} listens`);
    return port;
  }

  async function httpClient(port: number, localAddress?: string): Promise<ClientConnection> {
    const client = new ClientConnection(net.connect({ port, host: '127.0.0.1', localAddress }));
    assert.deepEqual(await client.request('/'), { status: 200, body: 'backend', close: false });
    return client;
  }

  /** Asks until the answer says that the connection will close. */
  async function untilTold(client: ClientConnection): Promise<void> {
    await eventually(async () => {
      const { status, close } = await client.request('/');
      assert.equal(status, 200);
      return close;
    }, 'the client is told to go');
  }

  test('a chain that changed drains, one that did not stays', async () => {
    const steady = chainFrom('127.0.0.2', [httpFilter('main')]);
    const changing = (more: object): object => chainFrom('127.0.0.3', [httpFilter('main', more)]);
    const port = await add('chains', [steady, changing({})]);
    const stays = await httpClient(port, '127.0.0.2');
    const told = await httpClient(port, '127.0.0.3');
    const silent = readToEnd((await httpClient(port, '127.0.0.3')).socket);
    const changed = listener('chains', 0, [steady, changing({ server_name: 'new' })]);
    assert.equal(await plane.set('listener', { chains: changed }), undefined);
    await untilTold(told);
    assert.equal((await stays.request('/')).close, false);
    const { ms } = await silent;
    assert.ok(ms > DRAIN_MS * 0.8 && ms < DRAIN_MS + SLACK_MS, `closed after ${ms} ms`);
    assert.equal((await stays.request('/')).close, false);
    await httpClient(port, '127.0.0.3');
    assert.equal(await proxy.port('chains'), port);
    stays.end();
  });

  test('a listener that changed otherwise is replaced behind its socket', async () => {
    const chains = [{ filters: [httpFilter('main')] }];
    const port = await add('replaced', chains);
    const told = await httpClient(port);
    const silent = readToEnd((await httpClient(port)).socket);
    const changed = listener('replaced', 0, chains, { per_connection_buffer_limit_bytes: 9999 });
    assert.equal(await plane.set('listener', { replaced: changed }), undefined);
    await untilTold(told);
    // The new one has chains of its own, though their bytes are the same.
    assert.equal(await proxy.port('replaced'), port);
    (await httpClient(port)).end();
    const { ms } = await silent;
    assert.ok(ms > DRAIN_MS * 0.8 && ms < DRAIN_MS + SLACK_MS, `closed after ${ms} ms`);
    (await httpClient(port)).end();
  });

  test('a removed listener refuses, and finishes with whom it has', async () => {
    const port = await add('removed', [{ filters: [httpFilter('main')] }]);
    const client = await httpClient(port);
    assert.equal(await plane.remove('listener', 'removed'), undefined);
    await untilTold(client);
    client.end();
    await eventually(() => refuses(port), 'it refuses', 5000);
  });

  test('a connection in its listener filters goes with a replaced listener', async () => {
    const inspector = {
      listener_filters: [
        {
          name: 'i',
          typed_config: { '@type': `${TYPE}extensions.filters.listener.http_inspector.v3.HttpInspector` },
        },
      ],
    };
    const chains = [{ filters: [httpFilter('main')] }];
    const port = await add('inspected', chains, inspector);
    const late = new ClientConnection(net.connect(port, '127.0.0.1'));
    const silent = readToEnd(net.connect(port, '127.0.0.1'));
    await once(late.socket, 'connect');
    await sleep(50);
    const more = { ...inspector, per_connection_buffer_limit_bytes: 9999 };
    assert.equal(
      await plane.set('listener', { inspected: listener('inspected', 0, chains, more) }),
      undefined,
    );
    await sleep(50);
    assert.deepEqual(await late.request('/'), { status: 200, body: 'backend', close: true });
    const { ms } = await silent;
    assert.ok(ms > DRAIN_MS * 0.8 && ms < DRAIN_MS + SLACK_MS, `closed after ${ms} ms`);
  });

  for (const proceeds of [true, false]) {
    test(`listener_filters_timeout ${proceeds ? 'lets a silent client through' : 'closes a silent client'}`, async () => {
      const type = `${TYPE}extensions.filters.listener.tls_inspector.v3.TlsInspector`;
      const port = await add('timed', [{ filters: [directResponse('welcome')] }], {
        listener_filters: [{ name: 'i', typed_config: { '@type': type } }],
        listener_filters_timeout: '0.2s',
        continue_on_listener_filters_timeout: proceeds,
      });
      const { text, ms } = await readToEnd(net.connect(port, '127.0.0.1'));
      assert.equal(text, proceeds ? 'welcome' : '');
      assert.ok(ms > 150 && ms < 200 + SLACK_MS, `after ${ms} ms`);
      const { body } = await proxy.admin('/stats?filter=downstream_pre_cx_timeout&usedonly');
      assert.match(body, /downstream_pre_cx_timeout: [1-9]/);
      assert.equal(await plane.remove('listener', 'timed'), undefined);
    });
  }

  test('additional addresses, one of them a Unix socket', async () => {
    const pipe = path.join(directory, 'additional');
    const other = await namedBackend('in the way');
    const second = portOf(other);
    other.close();
    await once(other, 'close');
    const addresses = {
      additional_addresses: [
        { address: socketAddress(second) },
        { address: { pipe: { path: pipe, mode: 0o600 } } },
      ],
    };
    const port = await add('several', [{ filters: [echoFilter()] }], addresses);
    assert.equal(await echoes({ port, host: '127.0.0.1' }), 'ping');
    assert.equal(await echoes({ port: second, host: '127.0.0.1' }), 'ping');
    assert.equal(await echoes({ path: pipe }), 'ping');
    assert.equal(statSync(pipe).mode & 0o777, 0o600);
    // Without them, the first stays.
    await add('several', [{ filters: [echoFilter()] }]);
    await eventually(() => refuses(second), 'the second is closed', 5000);
    assert.equal(await echoes({ port, host: '127.0.0.1' }), 'ping');
    assert.throws(() => statSync(pipe));
  });

  test('without SO_REUSEPORT both workers listen on one socket', async () => {
    const port = await add('shared', [{ filters: [echoFilter()] }], { enable_reuse_port: { value: false } });
    const replies = await Promise.all(Array.from({ length: 50 }, () => echoes({ port, host: '127.0.0.1' })));
    assert.ok(replies.every((reply) => reply === 'ping'));
    // Somebody else with SO_REUSEPORT cannot have it.
    const intruder = net.createServer();
    intruder.listen({ port, host: '127.0.0.1', reusePort: true });
    const [error] = (await once(intruder, 'error')) as [NodeJS.ErrnoException];
    assert.equal(error.code, 'EADDRINUSE');
    assert.equal(await plane.remove('listener', 'shared'), undefined);
    await eventually(() => refuses(port), 'it refuses', 5000);
  });

  test('an address moves from a removed listener to a new one', async () => {
    const port = await add('giver', [{ filters: [directResponse('giver')] }]);
    const next = (name: string, reuse: boolean): object =>
      listener(name, port, [{ filters: [directResponse(name)] }], { enable_reuse_port: { value: reuse } });
    assert.equal(await plane.remove('listener', 'giver'), undefined);
    assert.equal(await plane.set('listener', { taker: next('taker', true) }), undefined);
    await eventually(
      async () => (await readToEnd(net.connect(port, '127.0.0.1'))).text === 'taker',
      'the new one answers',
      5000,
    );
    assert.equal(await plane.remove('listener', 'taker'), undefined);
    await eventually(() => refuses(port), 'it refuses', 5000);
  });

  test('bind_to_port: false takes no address, and gives one back', async () => {
    const chains = [{ filters: [echoFilter()] }];
    const taken = portOf(backend);
    const unbound = listener('unbound', taken, chains, { bind_to_port: { value: false } });
    assert.equal(await plane.set('listener', { unbound }), undefined);
    const port = await add('binding', chains);
    const gone = listener('binding', 0, chains, { bind_to_port: { value: false } });
    assert.equal(await plane.set('listener', { binding: gone }), undefined);
    await eventually(() => refuses(port), 'it refuses', 5000);
  });

  test('nothing is left of what was removed', async () => {
    for (const name of ['chains', 'replaced', 'inspected', 'several', 'unbound', 'binding'])
      assert.equal(await plane.remove('listener', name), undefined);
    await eventually(
      async () => {
        const { body } = await proxy.admin('/stats?filter=downstream_(pre_)?cx_active');
        return (
          !/^listener\.127.*[1-9]$/m.test(body) && !body.includes('listener.127.0.0.1_0.downstream_cx_active')
        );
      },
      'no connection and no stats',
      5000,
    );
  });
});

test('gradual draining asks more and more of the clients', { timeout: 30_000 }, async () => {
  const backend = await namedBackend('backend');
  const plane = await startPlane(backend);
  const chains = (more: object): object[] => [{ filters: [httpFilter('main', more)] }];
  plane.hold('listener', 'http', listener('http', 0, chains({})));
  const proxy = await start(plane, 'gradual');
  try {
    const port = await proxy.port('http');
    const clients = Array.from({ length: 40 }, () => new ClientConnection(net.connect(port, '127.0.0.1')));
    for (const client of clients) assert.equal((await client.request('/')).close, false);
    assert.equal(
      await plane.set('listener', { http: listener('http', 0, chains({ server_name: 'n' })) }),
      undefined,
    );
    const first = await Promise.all(clients.map((client) => client.request('/')));
    const early = first.filter(({ close }) => close).length;
    await sleep(DRAIN_MS / 2);
    const left = clients.filter((_, index) => !first[index]!.close);
    const second = await Promise.all(left.map((client) => client.request('/')));
    const late = second.filter(({ close }) => close).length;
    assert.ok(early < 15, `${early} of 40 at once`);
    assert.ok(late > early && late < left.length, `${late} of ${left.length} after half the time`);
    for (const client of clients) client.end();
  } finally {
    await proxy.stop();
    plane.close();
    backend.close().closeAllConnections();
  }
});
