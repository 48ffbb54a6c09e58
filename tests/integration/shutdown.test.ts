// How the process ends: SIGTERM and SIGINT lose no request of a client that behaves, a second signal does not wait, and a
// crash is told.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { runClient } from './keep_alive_client.ts';
import { ANY_ADMIN_PORT, ask, ProxyProcess } from './proxy_process.ts';

const CLIENTS = 24;
const TYPES = 'type.googleapis.com/envoy.extensions.filters';

/** A listener `http` in front of `backendPort`. */
function bootstrap(backendPort: number): string {
  return JSON.stringify({
    ...ANY_ADMIN_PORT,
    static_resources: {
      listeners: [
        {
          name: 'http',
          address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
          filter_chains: [
            {
              filters: [
                {
                  name: 'hcm',
                  typed_config: {
                    '@type': `${TYPES}.network.http_connection_manager.v3.HttpConnectionManager`,
                    stat_prefix: 'in',
                    route_config: {
                      virtual_hosts: [
                        {
                          name: 'all',
                          domains: ['*'],
                          routes: [{ match: { prefix: '/' }, route: { cluster: 'c' } }],
                        },
                      ],
                    },
                    http_filters: [
                      { name: 'router', typed_config: { '@type': `${TYPES}.http.router.v3.Router` } },
                    ],
                  },
                },
              ],
            },
          ],
        },
      ],
      clusters: [
        {
          name: 'c',
          load_assignment: {
            cluster_name: 'c',
            endpoints: [
              {
                lb_endpoints: [
                  {
                    endpoint: {
                      address: { socket_address: { address: '127.0.0.1', port_value: backendPort } },
                    },
                  },
                ],
              },
            ],
          },
        },
      ],
    },
  });
}

describe('ending', () => {
  let backend: Server;
  let config: string;

  before(async () => {
    // Answers after up to 60 ms, so that at any moment many requests are under way; /long takes 1.5 s, /never for ever.
    let count = 0;
    backend = createServer((request, response) => {
      if (request.url === '/never') return;
      const ms = request.url === '/long' ? 1500 : (count++ * 7) % 60;
      setTimeout(() => response.end('done'), ms);
    });
    backend.listen(0, '127.0.0.1');
    await once(backend, 'listening');
    config = bootstrap((backend.address() as AddressInfo).port);
  });

  after(() => {
    backend.closeAllConnections();
    backend.close();
  });

  function start(...args: string[]): Promise<ProxyProcess> {
    return ProxyProcess.start('--config-yaml', config, '--concurrency', '2', ...args);
  }

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    for (const thinkMs of [0, 40]) {
      test(`${signal} under load fails no request (${thinkMs} ms between requests)`, async () => {
        const proxy = await start();
        try {
          const port = await proxy.port('http');
          const clients = Array.from({ length: CLIENTS }, () => runClient(port, thinkMs));
          await sleep(500);
          proxy.signal(signal);
          const reports = await Promise.all(clients);
          assert.deepEqual(
            reports.flatMap((report) => report.failures),
            [],
          );
          assert.ok(reports.every(({ answered }) => answered > 0));
          assert.deepEqual(await proxy.exited, { code: 0, signal: null });
        } finally {
          await proxy.stop();
        }
      });
    }
  }

  test('a request under way gets its answer, and the process goes right after it', async () => {
    const proxy = await start();
    const port = await proxy.port('http');
    const long = ask(`http://127.0.0.1:${port}/long`, { headers: { connection: 'keep-alive' } });
    await sleep(200);
    const started = performance.now();
    proxy.signal('SIGTERM');
    const { body, headers } = await long;
    assert.deepEqual([body, headers.connection], ['done', 'close']);
    assert.deepEqual(await proxy.exited, { code: 0, signal: null });
    assert.ok(performance.now() - started < 4000, 'it did not wait for the whole grace time');
    await proxy.stop();
  });

  test('what takes longer than --shutdown-grace-s is cut', async () => {
    const proxy = await start('--shutdown-grace-s', '1');
    const port = await proxy.port('http');
    const never = ask(`http://127.0.0.1:${port}/never`).then(
      () => 'answered',
      () => 'cut',
    );
    await sleep(200);
    proxy.signal('SIGTERM');
    assert.equal(await never, 'cut');
    assert.deepEqual(await proxy.exited, { code: 0, signal: null });
    await proxy.stop();
  });

  test('a second signal ends it at once', async () => {
    const proxy = await start('--shutdown-grace-s', '60');
    const port = await proxy.port('http');
    const cut = ask(`http://127.0.0.1:${port}/never`).catch(() => undefined);
    await sleep(200);
    proxy.signal('SIGTERM');
    await sleep(200);
    const started = performance.now();
    proxy.signal('SIGTERM');
    assert.deepEqual(await proxy.exited, { code: 1, signal: null });
    assert.ok(performance.now() - started < 2000);
    await cut;
    await proxy.stop();
  });

  test('/quitquitquit ends it in order', async () => {
    const proxy = await start();
    assert.equal((await proxy.admin('/quitquitquit', 'POST')).body, 'OK\n');
    assert.deepEqual(await proxy.exited, { code: 0, signal: null });
    await proxy.stop();
  });

  test('SIGHUP and SIGUSR1 do not end it', async () => {
    const proxy = await start();
    proxy.signal('SIGHUP');
    proxy.signal('SIGUSR1');
    await sleep(200);
    assert.equal((await proxy.admin('/ready')).body, 'LIVE\n');
    assert.deepEqual(await proxy.stop(), { code: 0, signal: null });
  });
});

test('an admin port that is taken is an error with a reason', async () => {
  const holder = net.createServer().listen(0, '127.0.0.1');
  await once(holder, 'listening');
  const { port } = holder.address() as AddressInfo;
  const config = { admin: { address: { socket_address: { address: '127.0.0.1', port_value: port } } } };
  const proxy = new ProxyProcess(['--config-yaml', JSON.stringify(config), '--concurrency', '1']);
  assert.deepEqual(await proxy.exited, { code: 1, signal: null });
  assert.match(
    proxy.stderr,
    new RegExp(`admin.address: cannot bind '127.0.0.1:${port}': Address already in use`),
  );
  holder.close();
});

test('a crash of the main thread has a code and last words, whatever the log is', () => {
  const file = new URL('crash.ts', import.meta.url).pathname;
  const { status, stderr } = spawnSync(process.execPath, [file], { encoding: 'utf8' });
  assert.equal(status, 1);
  assert.match(stderr, /pilotfish crashed: Error: of a bug\n {4}at /);
});
