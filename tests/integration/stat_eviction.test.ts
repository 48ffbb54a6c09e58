// stats_eviction_interval in a running proxy: metrics of Istio that nobody counts any more disappear from all workers, and begin
// anew; those that are counted stay.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANY_ADMIN_PORT, ask, eventually, ProxyProcess } from './proxy_process.ts';
import { TYPE } from './resources.ts';

const manager = {
  '@type': `${TYPE}extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
  stat_prefix: 'in',
  route_config: {
    name: 'r',
    virtual_hosts: [
      {
        name: 'v',
        domains: ['*'],
        routes: [
          { match: { prefix: '/gone' }, direct_response: { status: 410 } },
          { match: { prefix: '/' }, direct_response: { status: 200 } },
        ],
      },
    ],
  },
  http_filters: [
    { name: 'istio.stats', typed_config: { '@type': 'type.googleapis.com/stats.PluginConfig' } },
    { name: 'router', typed_config: { '@type': `${TYPE}extensions.filters.http.router.v3.Router` } },
  ],
};
const BOOTSTRAP = {
  ...ANY_ADMIN_PORT,
  stats_flush_interval: '0.5s',
  stats_eviction_interval: '1s',
  static_resources: {
    listeners: [
      {
        name: 'in',
        address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
        filter_chains: [{ filters: [{ name: 'manager', typed_config: manager }] }],
      },
    ],
  },
};

test('metrics that nobody counts are taken away', async (t) => {
  const proxy = await ProxyProcess.start('--config-yaml', JSON.stringify(BOOTSTRAP), '--concurrency', '2');
  t.after(() => proxy.stop());
  const url = `http://127.0.0.1:${await proxy.port('in')}`;
  const counts = async (): Promise<Map<string, number>> => {
    const { body } = await proxy.admin('/stats/prometheus?filter=istio_requests_total');
    const lines = body.matchAll(/^istio_requests_total\{.*response_code="(\d+)".*\} (\d+)$/gm);
    return new Map([...lines].map(([, code, value]) => [code!, Number(value)]));
  };
  for (let i = 0; i < 8; i++) await ask(`${url}/gone`);
  let requests = 0;
  await eventually(async () => {
    await ask(`${url}/`);
    requests++;
    return (await counts()).get('410') === 8;
  }, 'metrics of 410');
  await eventually(async () => {
    await ask(`${url}/`);
    requests++;
    return !(await counts()).has('410');
  }, 'no metrics of 410');
  assert.equal((await counts()).get('200'), requests);
  await ask(`${url}/gone`);
  await eventually(async () => (await counts()).get('410') === 1, 'metrics of 410 again');
});
