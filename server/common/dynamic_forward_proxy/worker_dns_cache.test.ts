import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeStatStore } from '../../../tests/fakes/factory_context.ts';
import { create } from '../../../xds-protos/load.ts';
import type { CachedDnsHost } from '../../api/dns_cache.ts';
import { TableCounter } from '../shared_counter.ts';
import { compileDnsCache, DNS_CACHE_STATS } from './dns_cache_config.ts';
import { hostKey } from './host_key.ts';
import { WorkerDnsCache } from './worker_dns_cache.ts';

const TYPE = 'envoy.extensions.common.dynamic_forward_proxy.v3.DnsCacheConfig';

function fixture(more: object = {}) {
  const known = new Map<string, CachedDnsHost>();
  const asked: string[] = [];
  const stats = new FakeStatStore();
  const pending = new TableCounter(new Int32Array(1), new Int32Array(1), 0);
  const settings = compileDnsCache(create(TYPE, { name: 'd', ...more }), '');
  const cache = new WorkerDnsCache(
    settings,
    known,
    (_, key) => asked.push(key),
    pending,
    stats.block(DNS_CACHE_STATS, 'dns_cache.d.'),
  );
  const found = (key: string): void => {
    const host = { ip: '10.0.0.1', otherIps: [], port: 80, name: key, failure: '' };
    known.set(key, host);
    cache.updated(key, host);
  };
  return { cache, asked, found, pending, stats };
}

describe('WorkerDnsCache', () => {
  test('asks once for all that wait, and tells all of them', () => {
    const { cache, asked, found, pending } = fixture();
    const told: string[] = [];
    for (const name of ['one', 'two']) cache.load('a:80', { onLoadDnsCacheComplete: () => told.push(name) });
    assert.deepEqual(asked, ['a:80']);
    assert.equal(pending.value, 2);
    found('a:80');
    assert.deepEqual(told, ['one', 'two']);
    assert.equal(pending.value, 0);
    assert.equal(cache.get('a:80')?.ip, '10.0.0.1');
  });

  test('who has gone is not told, and waits no longer', () => {
    const { cache, found, pending } = fixture();
    const handle = cache.load('a:80', { onLoadDnsCacheComplete: () => assert.fail('cancelled') });
    assert.ok(typeof handle !== 'string');
    handle.cancel();
    handle.cancel();
    assert.equal(pending.value, 0);
    found('a:80');
  });

  test('both limits', () => {
    const waits = { onLoadDnsCacheComplete: () => undefined };
    const hosts = fixture({ max_hosts: { value: 1 } });
    assert.ok(typeof hosts.cache.load('a:80', waits) !== 'string');
    assert.equal(hosts.cache.load('b:80', waits), 'host_overflow');
    assert.equal(hosts.pending.value, 1);
    const requests = fixture({ dns_cache_circuit_breaker: { max_pending_requests: { value: 1 } } });
    assert.ok(typeof requests.cache.load('a:80', waits) !== 'string');
    assert.equal(requests.cache.load('a:80', waits), 'pending_overflow');
    assert.equal(requests.stats.value('dns_cache.d.dns_rq_pending_overflow'), 1);
    assert.equal(requests.stats.value('dns_cache.d.circuit_breakers.rq_pending_open'), 1);
    requests.found('a:80');
    assert.equal(requests.stats.value('dns_cache.d.circuit_breakers.rq_pending_open'), 0);
  });
});

test('hosts are named with their ports', () => {
  const cases: [string, string][] = [
    ['a.test', 'a.test:80'],
    ['a.test:8080', 'a.test:8080'],
    ['10.0.0.1', '10.0.0.1:80'],
    ['[::1]', '[::1]:80'],
    ['[::1]:8080', '[::1]:8080'],
    ['a.test:http', 'a.test:http:80'],
  ];
  for (const [host, key] of cases) assert.equal(hostKey(host, 80), key);
});
