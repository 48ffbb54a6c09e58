// Answers that the proxy gives for what it found out by itself, produced for real: a name that does not resolve, a health that is
// to fail. And a filter chain without a name.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { CapturedRequest } from '../../server/common/capture/captured_request.ts';
import type { FlagExplanation } from '../../server/main/explain/flags/flag_explanation.ts';
import { FakeDnsServer } from '../fakes/dns_server.ts';
import { ANY_ADMIN_PORT, ask, ProxyProcess } from './proxy_process.ts';
import { httpFilter, listener, TYPE } from './resources.ts';

type Explained = CapturedRequest & { readonly explanations: readonly FlagExplanation[] };

let dns: FakeDnsServer;
let proxy: ProxyProcess;

before(async () => {
  dns = await FakeDnsServer.start({ 'broken.test': 'fail' });
  const dns_cache_config = {
    name: 'names',
    dns_lookup_family: 'V4_ONLY',
    typed_dns_resolver_config: dns.resolver(),
  };
  const cluster = {
    name: 'anywhere',
    lb_policy: 'CLUSTER_PROVIDED',
    cluster_type: {
      name: 'x',
      typed_config: {
        '@type': `${TYPE}extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig`,
        dns_cache_config,
      },
    },
  };
  const filter = (name: string, type: string, config: object = {}): object => ({
    name: `envoy.filters.http.${name}`,
    typed_config: { '@type': `${TYPE}extensions.filters.http.${name}.v3.${type}`, ...config },
  });
  const routes = [{ match: { prefix: '/' }, route: { cluster: 'anywhere' } }];
  const manager = httpFilter('', {
    rds: undefined,
    route_config: { virtual_hosts: [{ name: 'all', domains: ['*'], routes }] },
    http_filters: [
      filter('health_check', 'HealthCheck', {
        pass_through_mode: false,
        headers: [{ name: ':path', string_match: { exact: '/health' } }],
      }),
      filter('dynamic_forward_proxy', 'FilterConfig', { dns_cache_config }),
      filter('router', 'Router'),
    ],
  });
  const http = listener('http', 0, [{ filters: [manager] }]);
  const bootstrap = { ...ANY_ADMIN_PORT, static_resources: { clusters: [cluster], listeners: [http] } };
  proxy = await ProxyProcess.start('--config-yaml', JSON.stringify(bootstrap), '--concurrency', '1');
});

after(async () => {
  await proxy.stop();
  dns.close();
});

async function send(path: string, host: string): Promise<number> {
  return (await ask(`http://127.0.0.1:${await proxy.port('http')}${path}`, { headers: { host } })).status;
}

/** The explanation of a flag of the last failed request to `path`. */
async function explained(path: string, flag: string): Promise<FlagExplanation> {
  const list = JSON.parse((await proxy.admin(`/api/requests?set=failed&search=${path}`)).body);
  assert.ok(list.total > 0, `no failed request to ${path}`);
  const request = JSON.parse((await proxy.admin(`/api/requests/${list.items[0].id}`)).body) as Explained;
  const found = request.explanations.find((each) => each.flag === flag);
  assert.ok(found !== undefined, JSON.stringify(request.explanations));
  return found;
}

test('503 DF: what the lookup said, and what the cache knows now', async () => {
  assert.equal(await send('/nobody', 'nobody.test:8080'), 503);
  const nobody = await explained('/nobody', 'DF');
  assert.match(
    nobody.reason,
    /^'nobody\.test:8080' could not be resolved: there is no such name\. Still not: /,
  );
  assert.match(nobody.advice.join(' '), /spelled correctly/);
  assert.deepEqual(
    nobody.evidence.filter(({ name }) => name === 'DNS cache').map(({ value }) => value),
    ['names'],
  );
  assert.equal(await send('/broken', 'broken.test'), 503);
  const broken = await explained('/broken', 'DF');
  assert.match(broken.reason, /^'broken\.test:80' could not be resolved: the DNS server failed\./);
});

test('503 LH: the proxy is to fail its health checks', async () => {
  assert.equal((await proxy.admin('/healthcheck/fail', 'POST')).status, 200);
  assert.equal(await send('/health', 'a.test'), 503);
  const { reason, evidence, advice } = await explained('/health', 'LH');
  assert.match(reason, /answered with 503: the proxy was told to fail its health checks/);
  assert.ok(evidence.some(({ name }) => name.includes('health_check')));
  assert.match(advice[0]!, /\/healthcheck\/ok/);
});

test('a filter chain without a name is told by its place', async () => {
  const { body } = await proxy.admin(
    '/api/explain',
    'POST',
    JSON.stringify({ connection: { listener: 'http' }, request: { url: 'http://a.test/' } }),
  );
  assert.ok(!body.includes("filter chain ''"), body);
  assert.match(body, /filter chain 0/);
});
