// Edits of listeners, clusters and endpoints under HTTP/2 traffic on both sides: connections are told to go, no request fails.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ControlPlane } from './control_plane.ts';
import { newHttp2Report, runHttp2Client } from './http2_load.ts';
import { HTTP2_OPTIONS } from './http2_resources.ts';
import { eventually, ProxyProcess } from './proxy_process.ts';
import { edsCluster, endpoints, httpFilter, listener, portOf, routes, TYPE } from './resources.ts';

const CLIENTS = 6;
const ROUNDS = 12;
const closers: (() => unknown)[] = [];
after(async () => {
  for (const close of closers.reverse()) await close();
});

async function backend(): Promise<number> {
  const server = http2.createServer();
  const sessions = new Set<http2.ServerHttp2Session>();
  server.on('session', (session) => {
    sessions.add(session);
    session.on('error', () => undefined);
    session.on('close', () => sessions.delete(session));
  });
  server.on('stream', (stream: http2.ServerHttp2Stream) => {
    stream.on('error', () => undefined);
    setTimeout(() => {
      if (stream.destroyed) return;
      stream.respond({ ':status': 200 });
      stream.end('done');
    }, Math.random() * 20);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  return portOf(server);
}

const OPTIONS = `${TYPE}extensions.upstreams.http.v3.HttpProtocolOptions`;
const cluster = (round: number): object =>
  edsCluster('a', {
    connect_timeout: `${1 + round}s`,
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': { '@type': OPTIONS, ...HTTP2_OPTIONS },
    },
  });
const chain = (round: number): object => ({
  name: 'only',
  filters: [httpFilter('main', { drain_timeout: '0.2s', request_headers_timeout: `${round + 1}s` })],
});

test('edits under HTTP/2 fail no request', async () => {
  const plane = await ControlPlane.start();
  closers.push(() => plane.close());
  const ports = await Promise.all([backend(), backend(), backend()]);
  plane.hold('cluster', 'a', cluster(0));
  plane.hold('endpoints', 'a', endpoints('a', ports));
  plane.hold('route', 'main', routes('main', { a: 1 }));
  plane.hold('listener', 'in', listener('in', 0, [chain(0)]));
  const proxy = await ProxyProcess.start(
    ...['--config-yaml', JSON.stringify(plane.bootstrap()), '--concurrency', '2'],
    ...['--drain-time-s', '2', '--drain-strategy', 'immediate'],
  );
  closers.push(() => proxy.stop());
  await eventually(async () => (await proxy.admin('/listeners')).body.includes('in::'), 'the listener');
  const port = await proxy.port('in');
  const report = newHttp2Report();
  let stopped = false;
  const clients = Array.from({ length: CLIENTS }, () => runHttp2Client(port, report, () => stopped));
  for (let round = 1; round <= ROUNDS; round++) {
    await sleep(100);
    assert.equal(await plane.set('listener', { in: listener('in', 0, [chain(round)]) }), undefined);
    await sleep(50);
    assert.equal(await plane.set('cluster', { a: cluster(round) }), undefined);
    await sleep(50);
    const some = ports.filter((_, index) => index !== round % 3);
    assert.equal(await plane.set('endpoints', { a: endpoints('a', some) }), undefined);
  }
  stopped = true;
  await Promise.all(clients);
  assert.deepEqual(report.failures, []);
  assert.ok(report.answered > 500, `${report.answered} answered`);
  assert.ok(report.goaways >= CLIENTS, `${report.goaways} told to go`);
});
