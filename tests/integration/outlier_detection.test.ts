// Outlier detection is exact for the process: errors in a row are in a row whichever workers saw them, and an ejected host is
// ejected for all of them, also when the control plane sends it again.

import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import { after, before, test } from 'node:test';
import { ControlPlane } from './control_plane.ts';
import { ClientConnection } from './load.ts';
import { eventually, ProxyProcess } from './proxy_process.ts';
import { chainFrom, edsCluster, endpoints, httpFilter, listener, portOf, routes } from './resources.ts';

const WORKERS = 4;
/** Not a multiple of the number of connections. */
const ERRORS = 13;

let backend: http.Server;
let status = 500;
let plane: ControlPlane;
let proxy: ProxyProcess;

before(async () => {
  backend = http.createServer((_request, response) => response.writeHead(status).end());
  await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
  plane = await ControlPlane.start();
  plane.hold('cluster', 'a', {
    ...edsCluster('a'),
    outlier_detection: {
      consecutive_5xx: ERRORS,
      max_ejection_percent: 100,
      interval: '0.5s',
      base_ejection_time: '2s',
    },
    common_lb_config: { healthy_panic_threshold: { value: 0 } },
  });
  plane.hold('endpoints', 'a', endpoints('a', [portOf(backend)]));
  plane.hold('route', 'main', routes('main', { a: 1 }));
  plane.hold('listener', 'http', {
    ...listener('http', 0, [chainFrom('127.0.0.1', [httpFilter('main')])]),
    connection_balance_config: { exact_balance: {} },
  });
  const args = ['--config-yaml', JSON.stringify(plane.bootstrap()), '--concurrency', String(WORKERS)];
  proxy = await ProxyProcess.start(...args);
});

after(async () => {
  await proxy?.stop();
  plane?.close();
  backend?.close().closeAllConnections();
});

async function flags(): Promise<string> {
  const { body } = await proxy.admin('/clusters?filter=^a$');
  return /health_flags::(.*)/.exec(body)?.[1] ?? '';
}

test('errors are counted over all workers, and all of them leave the host out', async () => {
  const port = await proxy.port('http');
  const connections = Array.from(
    { length: 2 * WORKERS },
    () => new ClientConnection(net.connect(port, '127.0.0.1')),
  );
  const ask = async (i: number): Promise<number> =>
    (await connections[i % connections.length]!.request('/')).status;
  for (let i = 0; i < ERRORS - 1; i++) assert.equal(await ask(i), 500);
  assert.equal(await flags(), 'healthy');
  assert.equal(await ask(ERRORS - 1), 500);
  await eventually(async () => (await flags()) === '/failed_outlier_check', 'the host is ejected');
  status = 200;
  // Connections are balanced evenly: these are all workers.
  for (let i = 0; i < connections.length; i++) assert.equal(await ask(i), 503);
  await plane.set('endpoints', { a: endpoints('a', [portOf(backend), 1]) });
  await eventually(
    async () => /membership_total: 2/.test((await proxy.admin('/stats')).body),
    'another host',
  );
  assert.match((await proxy.admin('/clusters')).body, /failed_outlier_check/);
  await plane.set('endpoints', { a: endpoints('a', [portOf(backend)]) });
  await eventually(async () => (await flags()) === 'healthy', 'the host returns');
  for (let i = 0; i < connections.length; i++)
    await eventually(async () => (await ask(i)) === 200, `worker of connection ${i} uses it again`);
  for (const connection of connections) connection.end();
});
