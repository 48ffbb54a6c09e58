// What a control plane can do to a proxy that serves: send it nonsense, go away, come back, rotate its secrets. Not one
// request fails of it, and no connection is cut.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type http from 'node:http';
import net from 'node:net';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import tls from 'node:tls';
import { ControlPlane, type Kind, staticCluster } from './control_plane.ts';
import { ClientConnection, Load } from './load.ts';
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
  TYPE,
} from './resources.ts';
import { SdsServer } from './sds_server.ts';

const CERTS = new URL('../fixtures/certs/', import.meta.url);
const pem = (file: string): object => ({ inline_string: readFileSync(new URL(file, CERTS), 'utf8') });
const certificate = (name: string): object => ({
  tls_certificate: { certificate_chain: pem(`${name}.pem`), private_key: pem(`${name}.key`) },
});

let plane: ControlPlane;
let secrets: SdsServer;
let proxy: ProxyProcess;
let backends: http.Server[];
let port: number;
let tlsPort: number;
/** Clients that must not notice anything, in plaintext and with TLS. */
let loads: Load[];
let held: ClientConnection[];

const secretSource = {
  resource_api_version: 'V3',
  api_config_source: {
    api_type: 'GRPC',
    transport_api_version: 'V3',
    grpc_services: [{ envoy_grpc: { cluster_name: 'sds-grpc' } }],
  },
};
const tlsChain = {
  filters: [httpFilter('main')],
  transport_socket: {
    name: 'tls',
    typed_config: {
      '@type': `${TYPE}extensions.transport_sockets.tls.v3.DownstreamTlsContext`,
      common_tls_context: {
        tls_certificate_sds_secret_configs: [{ name: 'server', sds_config: secretSource }],
      },
    },
  },
};

function connectTls(): tls.TLSSocket {
  return tls.connect({ port: tlsPort, host: '127.0.0.1', rejectUnauthorized: false });
}

/** The subject of the certificate that a new connection is shown. */
async function shownSubject(): Promise<string> {
  const socket = connectTls();
  await once(socket, 'secureConnect');
  const { CN } = socket.getPeerCertificate().subject;
  socket.destroy();
  return String(CN);
}

before(async () => {
  backends = await Promise.all(['one', 'two'].map(namedBackend));
  plane = await ControlPlane.start();
  secrets = await SdsServer.start();
  await secrets.set('server', certificate('server'));
  plane.hold('cluster', 'a', edsCluster('a'));
  plane.hold('endpoints', 'a', endpoints('a', backends.map(portOf)));
  plane.hold('route', 'main', routes('main', { a: 1 }));
  plane.hold('listener', 'http', listener('http', 0, [{ filters: [httpFilter('main')] }]));
  plane.hold('listener', 'tls', listener('tls', 0, [tlsChain]));
  const bootstrap = plane.bootstrap({
    static_resources: {
      clusters: [staticCluster('xds', plane.server.port), staticCluster('sds-grpc', secrets.server.port)],
    },
  });
  proxy = await ProxyProcess.start('--config-yaml', JSON.stringify(bootstrap), '--concurrency', '2');
  port = await proxy.port('http');
  tlsPort = await proxy.port('tls');
});

after(async () => {
  try {
    // Handshakes that were given up are among them.
    await eventually(async () => {
      const { body } = await proxy.admin('/stats?filter=listener.127.*cx_active&usedonly');
      return !/: [1-9]/.test(body);
    }, 'no connection is left');
  } finally {
    await proxy?.stop();
    plane?.close();
    secrets?.close();
    for (const server of backends ?? []) server.close().closeAllConnections();
  }
});

beforeEach(async () => {
  const plain = (): net.Socket => net.connect(port, '127.0.0.1');
  held = [plain(), plain(), connectTls(), connectTls()].map((socket) => new ClientConnection(socket));
  for (const connection of held) assert.equal((await connection.request('/')).status, 200);
  loads = [plain, connectTls].map((connect) => new Load({ connect, clients: 3, thinkMs: 1 }));
});

afterEach(async () => {
  const results = await Promise.all(loads.map((load) => load.stop()));
  const statuses: number[] = [];
  for (const connection of held) {
    statuses.push((await connection.request('/')).status);
    connection.end();
  }
  assert.deepEqual(statuses, [200, 200, 200, 200]);
  for (const { failures, connections, answered } of results) {
    assert.deepEqual(failures, []);
    assert.equal(connections, 3, 'nobody had to connect again');
    assert.ok(answered > 0);
  }
});

const BAD: readonly {
  readonly kind: Kind;
  readonly good: Readonly<Record<string, object>>;
  readonly name: string;
  readonly bad: () => object;
  readonly says: RegExp;
}[] = [
  {
    kind: 'cluster',
    good: { fine: edsCluster('fine') },
    name: 'bad-cluster',
    bad: () => edsCluster('bad-cluster', { lb_policy: 'CLUSTER_PROVIDED' }),
    says: /bad-cluster.*cluster provided LB/s,
  },
  {
    kind: 'listener',
    good: { fine: listener('fine', 0, [{ filters: [echoFilter()] }]) },
    name: 'bad-listener',
    bad: () => listener('bad-listener', 0, [{ filters: [{ name: 'no.such.filter' }] }]),
    says: /bad-listener.*no\.such\.filter/s,
  },
  {
    kind: 'listener',
    good: {},
    name: 'taken',
    bad: () => listener('taken', portOf(backends[0]!), [{ filters: [echoFilter()] }]),
    says: /taken: cannot bind '127\.0\.0\.1:\d+': Address already in use/,
  },
  {
    kind: 'route',
    good: {},
    name: 'main',
    bad: () => routes('main', { a: 1 }, { match: { safe_regex: { regex: '(' } } }),
    says: /main.*regex/s,
  },
];

for (const { kind, good, name, bad, says } of BAD) {
  test(`a bad ${kind} is refused by name (${name}), the good state serves on, and taking it back is ACKed`, async () => {
    const refused = (await plane.set(kind, { ...good, [name]: bad() })) ?? '';
    assert.match(refused, says);
    for (const fine of Object.keys(good)) assert.ok(!refused.includes(`${fine}:`), refused);
    await sleep(100);
    const dump = await proxy.admin('/config_dump');
    assert.match(dump.body, /"error_state"/);
    for (const fine of Object.keys(good)) assert.ok(dump.body.includes(`"name": "${fine}"`), fine);
    const back =
      kind === 'route'
        ? await plane.set(kind, { main: routes('main', { a: 1 }) })
        : await plane.remove(kind, name);
    assert.equal(back, undefined);
    for (const fine of Object.keys(good)) assert.equal(await plane.remove(kind, fine), undefined);
  });
}

test('a refused change of a listener leaves its old version, and its address can be had', async () => {
  const probe = await namedBackend('probe');
  const free = portOf(probe);
  const version = (more: object): object => listener('moved', free, [{ filters: [echoFilter()] }], more);
  assert.match((await plane.set('listener', { moved: version({}) })) ?? '', /cannot bind/);
  probe.close();
  await once(probe, 'close');
  assert.equal(await plane.set('listener', { moved: version({ tcp_backlog_size: 5 }) }), undefined);
  await eventually(() => accepts(free), 'the listener listens');
  const reuse = version({ enable_reuse_port: false });
  assert.match((await plane.set('listener', { moved: reuse })) ?? '', /reuse port cannot be changed/);
  assert.equal(await accepts(free), true);
  assert.equal(await plane.remove('listener', 'moved'), undefined);
  await eventually(async () => !(await accepts(free)), 'the port is closed');
});

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

test('the control plane ends the stream, says GOAWAY, crashes and comes back', async () => {
  const { server } = plane;
  const comesBack = async (cut: () => unknown): Promise<void> => {
    const before = server.streams.length;
    await cut();
    await eventually(async () => server.streams.length > before, 'a new stream');
    const change = routes('main', { a: 1 }, { name: `after ${before}` });
    await eventually(async () => {
      const taken = plane.set('route', { main: change }).then((refused) => refused === undefined);
      return await Promise.race([taken, sleep(500, false)]);
    }, 'a change is taken');
  };
  await comesBack(() => server.streams.at(-1)!.end());
  await comesBack(() => server.streams.at(-1)!.end({ code: 14, details: 'gone' }));
  await comesBack(() => server.goAway(100));
  await comesBack(async () => {
    server.crash();
    await sleep(200);
    await server.restart();
  });
});

test('a rotated certificate is shown to new connections; a bad one is refused', async () => {
  assert.equal(await shownSubject(), 'server');
  assert.equal(await secrets.set('server', certificate('second')), undefined);
  await eventually(async () => (await shownSubject()) === 'second', 'the new certificate', 1000);
  const mixed = {
    tls_certificate: { certificate_chain: pem('server.pem'), private_key: pem('second.key') },
  };
  assert.match((await secrets.set('server', mixed)) ?? '', /server/);
  assert.equal(await shownSubject(), 'second');
  assert.equal(await secrets.set('server', certificate('server')), undefined);
  await eventually(async () => (await shownSubject()) === 'server', 'the old certificate again', 1000);
});
