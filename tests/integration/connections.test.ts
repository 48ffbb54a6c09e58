// The connection table of a running proxy, the end of one connection, and what a listener update would do, held against
// what it then does.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { after, before, describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import tls from 'node:tls';
import { certificate } from '../fakes/tls.ts';
import { ControlPlane } from './control_plane.ts';
import { eventually, ProxyProcess } from './proxy_process.ts';
import {
  chainFrom,
  edsCluster,
  endpoints,
  httpFilter,
  listener,
  namedBackend,
  portOf,
  routes,
  TYPE,
  tcpFilter,
} from './resources.ts';

interface Connection {
  readonly id: number;
  readonly worker: number;
  readonly listener: string;
  readonly filter_chain: string;
  readonly name: string;
  readonly protocol: string;
  readonly tls?: { readonly version: string; readonly sni: string };
  readonly age_ms: number;
  readonly idle_ms: number;
  readonly bytes_received: number;
  readonly bytes_sent: number;
  readonly streams: number;
  readonly active_streams: number;
  readonly cluster: string;
  readonly upstream: string;
  readonly draining: boolean;
}

interface Page {
  readonly total: number;
  readonly items: readonly Connection[];
}

interface Preview {
  readonly verdict: string;
  readonly error?: { readonly path: string; readonly reason: string };
  readonly connections: { readonly draining: number; readonly staying: number };
  readonly filter_chains: readonly {
    readonly name: string;
    readonly change: string;
    readonly connections: number;
  }[];
  readonly changes: readonly { readonly path: string }[];
}

const secure = {
  transport_socket: {
    name: 'tls',
    typed_config: {
      '@type': `${TYPE}extensions.transport_sockets.tls.v3.DownstreamTlsContext`,
      common_tls_context: { tls_certificates: [certificate('server')] },
    },
  },
};
const two = (more: object = {}): object =>
  listener('two', 0, [
    chainFrom('127.0.0.1', [httpFilter('main')]),
    chainFrom('127.0.0.2', [httpFilter('main', more)]),
  ]);

let proxy: ProxyProcess;
let plane: ControlPlane;
let backend: http.Server;

before(async () => {
  plane = await ControlPlane.start();
  backend = await namedBackend('b');
  plane.hold('cluster', 'one', edsCluster('one'));
  plane.hold('endpoints', 'one', endpoints('one', [portOf(backend)]));
  plane.hold('route', 'main', routes('main', { one: 1 }));
  plane.hold('listener', 'http', listener('http', 0, [{ filters: [httpFilter('main')] }]));
  plane.hold('listener', 'tcp', listener('tcp', 0, [{ filters: [tcpFilter('one')] }]));
  plane.hold('listener', 'tls', listener('tls', 0, [{ filters: [httpFilter('main')], ...secure }]));
  plane.hold('listener', 'two', two());
  proxy = await ProxyProcess.start('--config-yaml', JSON.stringify(plane.bootstrap()), '--concurrency', '2');
});

after(async () => {
  await proxy.stop();
  plane.close();
  backend.close();
});

async function table(query = ''): Promise<Page> {
  const { status, body } = await proxy.admin(`/api/connections?${query}`);
  assert.equal(status, 200, body);
  return JSON.parse(body);
}

/** A client that has had `requests` answers on one connection. */
async function httpClient(
  t: TestContext,
  port: number,
  requests: number,
  more: net.TcpNetConnectOpts | object = {},
): Promise<net.Socket> {
  const socket = net.connect({ port, host: '127.0.0.1', ...more });
  t.after(() => socket.destroy());
  for (let i = 0; i < requests; i++) {
    socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
    await once(socket, 'data');
  }
  return socket;
}

const closed = (socket: net.Socket): Promise<void> =>
  eventually(async () => socket.destroyed, 'it is closed');

async function preview(given: object | string): Promise<Preview> {
  const { status, body } = await proxy.admin(
    '/api/listeners/preview',
    'POST',
    JSON.stringify({ listener: given }),
  );
  assert.equal(status, 200, body);
  return JSON.parse(body);
}

describe('/api/connections', () => {
  test('shows what there is of HTTP, TCP and TLS', async (t) => {
    const client = await httpClient(t, await proxy.port('http'), 3);
    const address = client.address() as net.AddressInfo;
    const [row] = (await table(`listener=http&search=${address.port}`)).items;
    assert.equal(row!.name, `127.0.0.1:${address.port}`);
    assert.deepEqual([row!.protocol, row!.streams, row!.active_streams], ['HTTP/1.1', 3, 0]);
    assert.deepEqual([row!.tls, row!.cluster, row!.draining], [undefined, '', false]);
    assert.equal(row!.bytes_received, 3 * 'GET / HTTP/1.1\r\nhost: a\r\n\r\n'.length);
    assert.equal(row!.bytes_sent, client.bytesRead);
    await sleep(50);
    const [later] = (await table(`search=${address.port}`)).items;
    assert.ok(
      later!.idle_ms >= 45 && later!.idle_ms <= later!.age_ms,
      `${later!.idle_ms} of ${later!.age_ms}`,
    );
    const raw = net.connect(await proxy.port('tcp'), '127.0.0.1');
    t.after(() => raw.destroy());
    raw.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
    await once(raw, 'data');
    const [tcp] = (await table('protocol=TCP')).items;
    assert.deepEqual(
      [tcp!.listener, tcp!.cluster, tcp!.upstream],
      ['tcp', 'one', `127.0.0.1:${portOf(backend)}`],
    );
    const safe = tls.connect({
      port: await proxy.port('tls'),
      rejectUnauthorized: false,
      servername: 'a.test',
    });
    t.after(() => safe.destroy());
    await once(safe, 'secureConnect');
    const [secured] = (await table('listener=tls')).items;
    assert.deepEqual([secured!.tls?.version, secured!.tls?.sni], ['TLSv1.3', 'a.test']);
  });

  test('sorts and pages over all workers', async (t) => {
    const port = await proxy.port('http');
    const clients: net.Socket[] = [];
    for (let i = 1; i <= 12; i++) clients.push(await httpClient(t, port, i));
    const all = (await table('listener=http&sort=-bytes_received&limit=12')).items;
    const received = all.map((row) => row.bytes_received);
    assert.deepEqual(
      received,
      [...received].sort((a, b) => b - a),
    );
    assert.equal(new Set(all.map(({ worker }) => worker)).size, 2);
    const page = await table('listener=http&sort=-bytes_received&offset=3&limit=4');
    assert.deepEqual(
      page.items.map(({ id }) => id),
      all.slice(3, 7).map(({ id }) => id),
    );
    assert.ok(page.total >= 12);
    assert.equal((await table('search=nowhere')).total, 0);
    assert.equal((await proxy.admin('/api/connections?sort=color')).status, 400);
  });

  test('one is drained: what is under way finishes', async (t) => {
    const slow = http.createServer((_, response) => setTimeout(() => response.end('slow'), 300));
    slow.listen(0, '127.0.0.1');
    await once(slow, 'listening');
    t.after(() => slow.close());
    await plane.set('endpoints', { one: endpoints('one', [portOf(slow)]) });
    t.after(() => plane.set('endpoints', { one: endpoints('one', [portOf(backend)]) }));
    const port = await proxy.port('http');
    const other = await httpClient(t, port, 1);
    const busy = await httpClient(t, port, 1);
    const drain = async (client: net.Socket): Promise<number> => {
      const { port: own } = client.address() as net.AddressInfo;
      const [row] = (await table(`search=:${own}`)).items;
      const { status, body } = await proxy.admin(`/api/connections/${row!.id}/drain`, 'POST');
      assert.deepEqual([status, JSON.parse(body)], [200, { id: row!.id, draining: true }]);
      return row!.id;
    };
    busy.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
    await sleep(50);
    const id = await drain(busy);
    const [answer] = (await once(busy, 'data')) as [Buffer];
    assert.match(String(answer), /^HTTP\/1\.1 200 OK\r\n[\s\S]*connection: close\r\n[\s\S]*slow/);
    await closed(busy);
    await drain(other);
    await closed(other);
    await eventually(
      async () => (await proxy.admin(`/api/connections/${id}/drain`, 'POST')).status === 404,
      'it is gone',
    );
    const raw = net.connect(await proxy.port('tcp'), '127.0.0.1');
    t.after(() => raw.destroy());
    await once(raw, 'connect');
    await eventually(async () => (await table('protocol=TCP')).total > 0, 'TCP');
    await drain(raw);
    await closed(raw);
  });
});

describe('/api/listeners/preview', () => {
  test('says what the update then does', async (t) => {
    const port = await proxy.port('two');
    const first = await httpClient(t, port, 1, { localAddress: '127.0.0.1' });
    const second = await httpClient(t, port, 1, { localAddress: '127.0.0.2' });
    assert.equal((await preview(two())).verdict, 'unchanged');
    const changed = two({ stat_prefix: 'other' });
    const inPlace = await preview(changed);
    assert.equal(inPlace.verdict, 'in_place');
    assert.deepEqual(inPlace.connections, { draining: 1, staying: 1 });
    assert.deepEqual(inPlace.filter_chains, [
      { name: '127.0.0.1', change: 'kept', connections: 1 },
      { name: '127.0.0.2', change: 'changed', connections: 1 },
    ]);
    assert.deepEqual(
      inPlace.changes.map(({ path }) => path),
      ['filter_chains[127.0.0.2].filters[http].typed_config.stat_prefix'],
    );
    const whole = await preview({ ...changed, per_connection_buffer_limit_bytes: 1000 });
    assert.deepEqual([whole.verdict, whole.connections], ['replaced', { draining: 2, staying: 0 }]);
    assert.equal(await plane.set('listener', { two: changed }), undefined);
    await eventually(
      async () => (await table('listener=two')).items.some(({ draining }) => draining),
      'one drains',
    );
    const drains = new Map(
      (await table('listener=two')).items.map(({ filter_chain, draining }) => [filter_chain, draining]),
    );
    assert.deepEqual([drains.get('127.0.0.1'), drains.get('127.0.0.2')], [false, true]);
    assert.ok(!first.destroyed && !second.destroyed);
  });

  test('says why it would be refused, with the words of the NACK', async () => {
    const wrong = listener('bad', 0, [
      {
        filters: [
          {
            name: 'nothing',
            typed_config: {
              '@type': `${TYPE}extensions.filters.network.redis_proxy.v3.RedisProxy`,
              stat_prefix: 'r',
              settings: { op_timeout: '1s' },
            },
          },
        ],
      },
    ]);
    const said = await preview(wrong);
    assert.equal(said.verdict, 'rejected');
    assert.match(said.error!.path, /^filter_chains\[0\]\.filters\[0\]/);
    const nack = await plane.set('listener', { bad: wrong });
    assert.ok(nack?.includes(said.error!.reason) === true, String(nack));
    await plane.remove('listener', 'bad');
    assert.equal((await preview({ name: 'x', nonsense: 1 })).verdict, 'rejected');
    assert.equal(
      (
        await preview(
          'name: new\naddress: {socket_address: {address: 127.0.0.1, port_value: 0}}\nfilter_chains: [{filters: [{name: e, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.network.echo.v3.Echo}}]}]',
        )
      ).verdict,
      'new',
    );
    assert.equal((await proxy.admin('/api/listeners/preview', 'POST', '{"listener": "a: ["}')).status, 400);
  });
});
