// `pilotfish explain` against a running proxy, a bootstrap, and the /config_dump of this proxy and of a real Envoy.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { ENVOY_BIN, EnvoyProcess } from '../differential/envoy_process.ts';
import { ANY_ADMIN_PORT, ask, ProxyProcess } from './proxy_process.ts';
import { TYPE } from './resources.ts';

const BIN = path.join(import.meta.dirname, '..', '..', 'bin', 'pilotfish.cjs');
const run = promisify(execFile);

const directory = mkdtempSync(path.join(os.tmpdir(), 'explain-'));
const bootstrapFile = path.join(directory, 'bootstrap.json');
let proxy: ProxyProcess;

function bootstrap(port: number): object {
  const host = { endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: 9 } } } };
  return {
    ...ANY_ADMIN_PORT,
    static_resources: {
      listeners: [
        {
          name: 'http',
          address: { socket_address: { address: '127.0.0.1', port_value: port } },
          filter_chains: [
            {
              filters: [
                {
                  name: 'http',
                  typed_config: {
                    '@type': `${TYPE}extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
                    stat_prefix: 'in',
                    access_log: [
                      {
                        name: 'log',
                        typed_config: {
                          '@type': `${TYPE}extensions.access_loggers.stream.v3.StdoutAccessLog`,
                        },
                      },
                    ],
                    route_config: {
                      name: 'local',
                      virtual_hosts: [
                        {
                          name: 'shop',
                          domains: ['shop.example.com'],
                          routes: [{ name: 'cart', match: { prefix: '/cart' }, route: { cluster: 'cart' } }],
                        },
                      ],
                    },
                    http_filters: [
                      {
                        name: 'router',
                        typed_config: { '@type': `${TYPE}extensions.filters.http.router.v3.Router` },
                      },
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
          name: 'cart',
          type: 'STATIC',
          load_assignment: { cluster_name: 'cart', endpoints: [{ lb_endpoints: [host] }] },
        },
      ],
    },
  };
}

before(async () => {
  writeFileSync(bootstrapFile, JSON.stringify(bootstrap(18_080)));
  proxy = await ProxyProcess.start('--config-yaml', JSON.stringify(bootstrap(0)), '--concurrency', '1');
});

after(async () => {
  await proxy?.stop();
  rmSync(directory, { recursive: true });
});

async function explained(...args: string[]): Promise<string> {
  return (await run(process.execPath, [BIN, 'explain', ...args])).stdout;
}

const FORWARDED = /^http > filter chain 0 > shop > cart: it goes to cluster 'cart', host 127\.0\.0\.1:9\n/;

test('a running proxy is asked', async () => {
  const port = await proxy.port('http');
  const url = `http://127.0.0.1:${port}/cart/1`;
  const text = await explained('--admin', proxy.adminAddress, 'curl', '-H', 'Host: shop.example.com', url);
  assert.match(text, FORWARDED);
  assert.match(text, /\+ Route: cart \(the first that matches: path starts with '\/cart'\)/);
  assert.match(text, /100\.0 % {2}127\.0\.0\.1:9 {2}the only healthy host of priority 0/);
  const json = JSON.parse(
    await explained(
      '--admin',
      proxy.adminAddress,
      '--json',
      '--listener',
      'http',
      'http://shop.example.com/cort',
    ),
  );
  assert.deepEqual([json.outcome, json.nearest_miss.name], ['no_route', 'cart']);
});

test('a bootstrap is walked without a proxy', async () => {
  const text = await explained(
    '-c',
    bootstrapFile,
    '-H',
    'Host: shop.example.com',
    'http://127.0.0.1:18080/cart',
  );
  assert.match(text, FORWARDED);
  const other = await explained('-c', bootstrapFile, '--destination', '127.0.0.1:18081');
  assert.match(other, /nobody listens on 127\.0\.0\.1:18081/);
});

test('its own /config_dump is walked', async () => {
  const file = path.join(directory, 'dump.json');
  writeFileSync(file, (await proxy.admin('/config_dump?include_eds')).body);
  assert.match(
    await explained('--config-dump', file, '--listener', 'http', 'http://shop.example.com/cart'),
    FORWARDED,
  );
});

test('the /config_dump of a real Envoy is walked', {
  skip: ENVOY_BIN === undefined && 'no envoy',
}, async () => {
  const envoy = await EnvoyProcess.start(bootstrap(0));
  try {
    const file = path.join(directory, 'envoy.json');
    const dump = await ask(`http://127.0.0.1:${envoy.adminPort}/config_dump?include_eds`);
    writeFileSync(file, dump.body);
    assert.match(
      await explained('--config-dump', file, '--listener', 'http', 'http://shop.example.com/cart'),
      FORWARDED,
    );
  } finally {
    await envoy.stop();
  }
});

test('what is wrong is said, with exit code 1', async () => {
  const failure = async (...args: string[]): Promise<string> => {
    const error = await explained(...args).then(
      () => undefined,
      (each) => each,
    );
    assert.equal(error?.code, 1, args.join(' '));
    return error.stderr;
  };
  assert.match(
    await failure('--admin', '127.0.0.1:1', 'http://x/'),
    /127\.0\.0\.1:1 cannot be asked: connect ECONNREFUSED/,
  );
  assert.match(await failure('--admin', 'x', 'http://x/'), /'x' is not HOST:PORT/);
  assert.match(await failure('--config-dump', bootstrapFile, 'http://x/'), /this is no \/config_dump/);
  assert.match(
    await failure('--admin', proxy.adminAddress, '--destination', 'y', 'http://x/'),
    /'y' is no IP address/,
  );
});
