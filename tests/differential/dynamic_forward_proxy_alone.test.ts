// dynamic_forward_proxy clusters without the filter of that name: the cluster looks up the hosts that requests name, while
// they wait in the router. Answers, access logs and stats of both proxies are compared.

import assert from 'node:assert/strict';
import type http from 'node:http';
import { after, before, test } from 'node:test';
import { FakeDnsServer } from '../fakes/dns_server.ts';
import { httpFilter, listener, portOf, TYPE } from '../integration/resources.ts';
import { ENVOY_BIN, EnvoyProcess, PILOTFISH } from './envoy_process.ts';
import { type Ask, ask, countedStats, loggedLines, startBackend, stdoutLog } from './forward_proxy.ts';

const skip = ENVOY_BIN === undefined && 'no Envoy: set ENVOY_BIN';
const LOG = 'LOG %REQ(:METHOD)% %REQ(:AUTHORITY)% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%';
const STATS = '(cluster.d.*(upstream_rq_|none_healthy)|dns_cache.d.(dns_query|host_))';

let backend: http.Server;
let dns: FakeDnsServer;
before(async () => {
  backend = await startBackend('127.0.0.1');
  dns = await FakeDnsServer.start({
    'a.test': ['127.0.0.1'],
    'b.test': ['127.0.0.1'],
    'refused.test': ['127.0.0.9'],
    'broken.test': 'fail',
    'silent.test': 'silent',
  });
});
after(() => {
  backend.close().closeAllConnections();
  dns.close();
});

/** What requests are answered: those of a list at once, lists one after the other. */
async function observe(command: readonly string[], cache: object, asks: readonly (readonly Ask[])[]) {
  const typed_config = {
    '@type': `${TYPE}extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig`,
    dns_cache_config: {
      name: 'd',
      dns_lookup_family: 'V4_ONLY',
      typed_dns_resolver_config: dns.resolver({ query_timeout_seconds: 1, query_tries: 1 }),
      ...cache,
    },
  };
  const routes = [
    { match: { prefix: '/short' }, route: { cluster: 'd', timeout: '0.3s' } },
    { match: { prefix: '/' }, route: { cluster: 'd' } },
  ];
  const access_log = [stdoutLog(LOG)];
  const route_config = { virtual_hosts: [{ name: 'all', domains: ['*'], routes }] };
  const manager = httpFilter('', { rds: undefined, route_config, access_log });
  const proxy = await EnvoyProcess.start(
    {
      static_resources: {
        clusters: [
          {
            name: 'd',
            connect_timeout: '2s',
            lb_policy: 'CLUSTER_PROVIDED',
            cluster_type: { name: 'dynamic', typed_config },
          },
        ],
        listeners: [listener('in', 0, [{ filters: [manager] }])],
      },
    },
    command,
  );
  try {
    const port = proxy.ports.get('in')!;
    const answers: string[] = [];
    for (const together of asks) answers.push(...(await Promise.all(together.map((one) => ask(port, one)))));
    // Why a stream was reset is in the log: its words in the body are not compared.
    const told = answers.map((answer) => answer.replace(/(headers\.).*/, '$1'));
    const logs = await loggedLines(proxy, answers.length);
    return { answers: told, logs: logs.sort(), counted: await countedStats(proxy, STATS) };
  } finally {
    await proxy.stop();
  }
}

function compare(title: string, cache: object, asks: () => readonly (readonly Ask[])[]): void {
  test(title, { skip, timeout: 60_000 }, async () => {
    const envoy = await observe([ENVOY_BIN!], cache, asks());
    assert.deepEqual(await observe(PILOTFISH, cache, asks()), envoy);
  });
}

compare('hosts that requests name, there and not there', {}, () => {
  const here = `a.test:${portOf(backend)}`;
  return [
    [{ host: here }],
    [{ host: here }, { host: `b.test:${portOf(backend)}` }, { host: `b.test:${portOf(backend)}` }],
    [{ host: `127.0.0.1:${portOf(backend)}` }],
    [{ host: 'broken.test' }],
    [{ host: 'broken.test' }],
    [{ host: 'nobody.test' }],
    [{ host: 'refused.test:1' }],
  ];
});
compare('a body waits with its request', {}, () => [
  [{ host: `a.test:${portOf(backend)}`, body: 'x'.repeat(200_000) }],
  [{ host: 'broken.test', body: 'x'.repeat(200_000) }],
]);
compare('the timeout of a route begins when its host is known', {}, () => [
  [{ host: 'silent.test', path: '/short' }],
  [{ host: `a.test:${portOf(backend)}`, path: '/short' }],
]);
compare('a client that does not wait for it', {}, () => [
  [{ host: 'silent.test', patience: 300 }],
  [{ host: `a.test:${portOf(backend)}` }],
]);
compare('more hosts than the cache may have', { max_hosts: 1 }, () => [
  [{ host: `a.test:${portOf(backend)}` }],
  [{ host: `b.test:${portOf(backend)}` }],
  [{ host: `a.test:${portOf(backend)}` }],
]);
compare('more requests than may wait', { dns_cache_circuit_breaker: { max_pending_requests: 0 } }, () => [
  [{ host: `a.test:${portOf(backend)}` }],
]);
