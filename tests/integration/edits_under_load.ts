// Change under traffic: clients that behave see no failed request, and a connection on a filter chain that did not change
// is never cut, whatever is edited around it. The same edits for a control plane of either dialect of xDS.

import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import type http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import type { AnyControlPlane } from './control_plane.ts';
import { ClientConnection, Load } from './load.ts';
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
  tcpFilter,
} from './resources.ts';

const EDITS = 1000;
/** Which edits are made is drawn from here; set it to see a failure again. */
const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000);

let state = SEED;
/** 0 … n - 1, from a linear congruential generator (Numerical Recipes). */
function random(n: number): number {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return Math.floor((state / 2 ** 32) * n);
}

let plane: AnyControlPlane;
let proxy: ProxyProcess;
let backends: http.Server[];
/** Of the additional address of `whole`. */
const PIPE = path.join(os.tmpdir(), `pilotfish-${process.pid}.sock`);
let names = 0;

const STEADY = '127.0.0.2';
const EDITED = '127.0.0.3';
const steadyChain = chainFrom(STEADY, [httpFilter('main')]);

function editedChain(): object {
  const timeout = `${1 + random(100)}s`;
  return chainFrom(EDITED, [httpFilter('main', { request_headers_timeout: timeout })]);
}

function someBackends(): number[] {
  const all = backends.map(portOf);
  const first = random(all.length);
  return Array.from({ length: 1 + random(all.length) }, (_, i) => all[(first + i) % all.length]!);
}

function someCluster(name: string): object {
  return edsCluster(name, {
    lb_policy: ['ROUND_ROBIN', 'LEAST_REQUEST', 'RANDOM'][random(3)],
    connect_timeout: `${2 + random(3)}s`,
    circuit_breakers: { thresholds: [{ max_connections: 1000 + random(1000) }] },
  });
}

/** Valid edits, each from one good state to another; the answer is the proxy's refusal. */
const edits: readonly (() => Promise<string | undefined>)[] = [
  () => plane.set('route', { main: routes('main', { a: 1 + random(9), b: random(10) }) }),
  () => plane.set('route', { main: routes('main', { b: 1 }, { name: `r${random(9)}` }) }),
  () => plane.set('endpoints', { a: endpoints('a', someBackends()) }),
  () =>
    plane.set('endpoints', {
      b: endpoints('b', someBackends(), { load_balancing_weight: 1 + random(9) }),
      a: endpoints('a', someBackends()),
    }),
  () => plane.set('cluster', { a: someCluster('a') }),
  () => plane.set('cluster', { b: someCluster('b') }),
  // A cluster comes, gets traffic, loses it and goes.
  async () => {
    const name = `new${names++}`;
    plane.hold('endpoints', name, endpoints(name, someBackends()));
    const refused = await plane.set('cluster', { [name]: someCluster(name) });
    // A cluster without its endpoints is no place to send traffic to yet.
    await plane.delivered('endpoints', name);
    return (
      refused ??
      (await plane.set('route', { main: routes('main', { [name]: 1 }) })) ??
      (await plane.set('route', { main: routes('main', { a: 1 }) })) ??
      (await plane.remove('cluster', name))
    );
  },
  // In place: one chain of three changes, or one comes or goes.
  () => {
    const more = random(2) === 0 ? [] : [chainFrom('127.0.0.9', [echoFilter()])];
    return plane.set('listener', {
      http: listener('http', 0, [steadyChain, editedChain(), ...more]),
    });
  },
  // As a whole, behind the same socket.
  () => plane.set('listener', { whole: wholeListener() }),
  // One that comes and goes.
  async () => {
    const name = `extra${names++}`;
    const refused = await plane.set('listener', { [name]: listener(name, 0, [{ filters: [echoFilter()] }]) });
    return refused ?? (await plane.remove('listener', name));
  },
];

function wholeListener(): object {
  return listener('whole', 0, [{ filters: [httpFilter('main')] }], {
    per_connection_buffer_limit_bytes: 100_000 + random(900_000),
    additional_addresses: random(2) === 0 ? [] : [{ address: { pipe: { path: PIPE } } }],
  });
}

function connect(port: number, from = '127.0.0.1'): net.Socket {
  return net.connect({ port, host: '127.0.0.1', localAddress: from, noDelay: true });
}

/** To be called once by a test file: its tests. */
export function editUnderLoad(startPlane: () => Promise<AnyControlPlane>): void {
  before(() => start(startPlane));
  after(stop);
  test(`${EDITS} random edits under load (SEED=${SEED})`, { timeout: 60_000 }, edit);
}

async function start(startPlane: () => Promise<AnyControlPlane>): Promise<void> {
  backends = await Promise.all(['one', 'two', 'three'].map(namedBackend));
  plane = await startPlane();
  for (const name of ['a', 'b']) {
    plane.hold('cluster', name, edsCluster(name));
    plane.hold('endpoints', name, endpoints(name, backends.map(portOf)));
  }
  plane.hold('route', 'main', routes('main', { a: 1, b: 1 }));
  plane.hold('listener', 'http', listener('http', 0, [steadyChain, editedChain()]));
  plane.hold('listener', 'whole', wholeListener());
  plane.hold('listener', 'tcp', listener('tcp', 0, [{ filters: [tcpFilter('a')] }]));
  proxy = await ProxyProcess.start(
    ...['--config-yaml', JSON.stringify(plane.bootstrap()), '--concurrency', '2'],
    ...['--drain-time-s', '1', '--drain-strategy', 'immediate'],
  );
}

async function stop(): Promise<void> {
  await proxy?.stop();
  plane?.close();
  rmSync(PIPE, { force: true });
  for (const server of backends ?? []) server.close().closeAllConnections();
}

async function edit(context: TestContext): Promise<void> {
  const real = {
    http: await proxy.port('http'),
    whole: await proxy.port('whole'),
    tcp: await proxy.port('tcp'),
  };
  // Connections that must live to the end.
  const held = Array.from({ length: 4 }, () => new ClientConnection(connect(real.http, STEADY)));
  const tcp = Array.from({ length: 2 }, () => new ClientConnection(connect(real.tcp)));
  for (const connection of [...held, ...tcp]) assert.equal((await connection.request('/')).status, 200);
  const loads = {
    steady: new Load({ connect: () => connect(real.http, STEADY), clients: 3, thinkMs: 2 }),
    edited: new Load({ connect: () => connect(real.http, EDITED), clients: 3, thinkMs: 2 }),
    whole: new Load({ connect: () => connect(real.whole), clients: 3, thinkMs: 2 }),
    fresh: new Load({ connect: () => connect(real.whole), clients: 1, thinkMs: 0 }),
  };
  context.after(() => Promise.all(Object.values(loads).map((load) => load.stop())));
  const refusals: string[] = [];
  let made = 0;
  while (made < EDITS) {
    // Up to three at a time: what belongs together does not always come together.
    const some = Array.from({ length: Math.min(1 + random(3), EDITS - made) }, () =>
      edits[random(edits.length)]!(),
    );
    made += some.length;
    for (const refused of await Promise.all(some)) if (refused !== undefined) refusals.push(refused);
    if (made % 50 < 3)
      for (const connection of held) assert.equal((await connection.request('/')).status, 200);
  }
  assert.deepEqual(refusals, []);
  for (const connection of [...held, ...tcp]) {
    assert.equal((await connection.request('/')).status, 200);
    assert.equal(connection.closed, false);
  }
  for (const [name, load] of Object.entries(loads)) {
    const report = await load.stop();
    assert.deepEqual(report.failures, [], name);
    assert.ok(report.answered > 100, `${name}: ${report.answered}`);
  }
  assert.equal(loads.steady.report.connections, 3);
  for (const connection of [...held, ...tcp]) connection.end();
  // Nothing stays behind: no connection and no stats of clusters that went.
  await eventually(async () => {
    const { body } = await proxy.admin('/stats?filter=downstream_cx_active|upstream_rq_active|cluster\\.new');
    // Whoever asks is a connection of the admin listener.
    return !/^(?!.*\badmin\.).*(?:(?:downstream_cx_active|rq_active): [1-9]|cluster\.new)/m.test(body);
  }, 'what went is gone');
}
