// `max_connection_pools` of circuit breakers: exact for all workers together, and a pool that nobody uses makes room for another.
// A real Envoy is no help here: 1.40 crashes when it gives up a pool that has a connection.

import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { ask, eventually, ProxyProcess } from './proxy_process.ts';
import { httpFilter, listener, portOf } from './resources.ts';

const LIMIT = 5;
/** So many more than the limit that every worker sees too many. */
const CLIENTS = 40;

let upstream: http.Server;
/** Answers that wait until the test lets them go. */
const waiting: http.ServerResponse[] = [];
let proxy: ProxyProcess;

before(async () => {
  upstream = http.createServer((request, response) => {
    if (request.url === '/now') response.end();
    else waiting.push(response);
  });
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  proxy = await start(4);
});
after(async () => {
  await proxy?.stop();
  upstream?.close().closeAllConnections();
});

async function start(workers: number): Promise<ProxyProcess> {
  const routes = [{ match: { prefix: '/' }, route: { cluster: 'c', timeout: '0s' } }];
  const manager = httpFilter('', {
    rds: undefined,
    route_config: { virtual_hosts: [{ name: 'all', domains: ['*'], routes }] },
  });
  const address = { socket_address: { address: '127.0.0.1', port_value: portOf(upstream) } };
  const cluster = {
    name: 'c',
    connect_timeout: '5s',
    connection_pool_per_downstream_connection: true,
    circuit_breakers: { thresholds: [{ max_connection_pools: LIMIT, track_remaining: true }] },
    load_assignment: { cluster_name: 'c', endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] },
  };
  const bootstrap = {
    admin: { address: { socket_address: { address: '127.0.0.1', port_value: 0 } } },
    static_resources: { clusters: [cluster], listeners: [listener('in', 0, [{ filters: [manager] }])] },
  };
  return ProxyProcess.start('--config-yaml', JSON.stringify(bootstrap), '--concurrency', String(workers));
}

async function stat(name: string, of = proxy): Promise<number> {
  const { body } = await of.admin(`/stats?filter=^cluster\\.c\\.${name.replaceAll('.', '\\.')}$`);
  return Number(body.split(': ')[1] ?? Number.NaN);
}

test('no more pools than there may be, of all workers together', async () => {
  const url = `http://127.0.0.1:${await proxy.port('in')}/`;
  const agents = Array.from({ length: CLIENTS }, () => new http.Agent({ keepAlive: true, maxSockets: 1 }));
  const answers = agents.map((agent) => ask(url, { agent }));
  await eventually(
    async () => (await stat('upstream_cx_pool_overflow')) === CLIENTS - LIMIT,
    'all but those that may are refused',
  );
  await eventually(async () => waiting.length === LIMIT, 'the others are asked of the upstream');
  assert.equal(await stat('circuit_breakers.default.cx_pool_open'), 1);
  assert.equal(await stat('circuit_breakers.default.remaining_cx_pools'), 0);
  for (const response of waiting) response.end();
  const statuses = (await Promise.all(answers)).map(({ status }) => status);
  assert.equal(statuses.filter((status) => status === 200).length, LIMIT);
  assert.equal(statuses.filter((status) => status === 503).length, CLIENTS - LIMIT);
  for (const agent of agents) agent.destroy();
});

test('a pool in which nothing is going on makes room for another', async () => {
  const alone = await start(1);
  try {
    const url = `http://127.0.0.1:${await alone.port('in')}/now`;
    for (let client = 0; client <= LIMIT; client++) {
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
      assert.equal((await ask(url, { agent })).status, 200);
      agent.destroy();
    }
    assert.equal(await stat('upstream_cx_total', alone), LIMIT + 1);
    assert.equal(await stat('upstream_cx_active', alone), LIMIT);
    assert.equal(await stat('circuit_breakers.default.remaining_cx_pools', alone), 0);
    assert.equal(await stat('upstream_cx_pool_overflow', alone), 0);
  } finally {
    await alone.stop();
  }
});
