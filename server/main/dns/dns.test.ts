// DNS clusters: settings, and hosts as the names resolve, against a small DNS server on UDP.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type DnsRecord, FakeDnsServer } from '../../../tests/fakes/dns_server.ts';
import { FakeStatStore } from '../../../tests/fakes/factory_context.ts';
import type { Cluster } from '../../../xds-protos/generated/envoy/config/cluster/v3.ts';
import { fromJson } from '../../../xds-protos/json.ts';
import { clusterDiscovery } from '../../common/upstream/cluster_discovery.ts';
import { compileDnsConfig } from './dns_config.ts';
import { dnsEndpoints } from './dns_endpoints.ts';

const CARES = 'type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig';

function cluster(more: object, hosts: string[] = ['a.test']): Cluster {
  const lb_endpoints = hosts.map((address) => ({
    endpoint: { address: { socket_address: { address, port_value: 80 } } },
  }));
  return fromJson('envoy.config.cluster.v3.Cluster', {
    name: 'c',
    type: 'STRICT_DNS',
    dns_lookup_family: 'V4_ONLY',
    load_assignment: { cluster_name: 'c', endpoints: [{ lb_endpoints }] },
    ...more,
  });
}

function compileDns(config: Cluster, path = '') {
  return compileDnsConfig(config, clusterDiscovery(config, path), path);
}

async function dnsServer(records: Record<string, DnsRecord>) {
  const server = await FakeDnsServer.start(records);
  return {
    config: { typed_dns_resolver_config: server.resolver() },
    records: server.records,
    close: () => server.close(),
  };
}

/** Addresses of the cluster once `wanted` is true. */
async function watch(config: Cluster, stats = new FakeStatStore()) {
  const source = dnsEndpoints(config, clusterDiscovery(config, ''), stats, '');
  const hosts = () =>
    source
      .endpoints()
      .assignment.endpoints.flatMap(({ lb_endpoints }) => lb_endpoints)
      .map(({ endpoint }) => `${endpoint!.address!.socket_address!.address} ${endpoint!.hostname}`);
  const until = async (wanted: () => boolean): Promise<void> => {
    while (!wanted()) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  return { source, hosts, until };
}

describe('resolution', () => {
  test('STRICT_DNS has all addresses, follows changes, and drops what has no more records', async (t) => {
    const records: Record<string, DnsRecord> = {
      'a.test': ['10.0.0.1', '10.0.0.2'],
      'b.test': ['10.0.0.3'],
    };
    const server = await dnsServer(records);
    t.after(() => server.close());
    const stats = new FakeStatStore();
    const config = cluster({ ...server.config, dns_refresh_rate: '0.02s' }, ['a.test', 'b.test']);
    const { source, hosts, until } = await watch(config, stats);
    t.after(() => source.close());
    assert.equal(source.ready, false);
    await until(() => source.ready);
    assert.deepEqual(hosts(), ['10.0.0.1 a.test', '10.0.0.2 a.test', '10.0.0.3 b.test']);
    server.records.set('a.test', ['10.0.0.9']);
    server.records.delete('b.test');
    await until(() => hosts().length === 1);
    assert.deepEqual(hosts(), ['10.0.0.9 a.test']);
    assert.ok(stats.value('cluster.c.update_success') >= 4);
  });

  test('LOGICAL_DNS has the first; a failure keeps it and does not hold the cluster up', async (t) => {
    const records: Record<string, DnsRecord> = { 'a.test': ['10.0.0.1', '10.0.0.2'] };
    const server = await dnsServer(records);
    t.after(() => server.close());
    const stats = new FakeStatStore();
    const more = { ...server.config, type: 'LOGICAL_DNS', dns_refresh_rate: '0.02s' };
    const { source, hosts, until } = await watch(cluster(more), stats);
    t.after(() => source.close());
    await until(() => source.ready);
    assert.deepEqual(hosts(), ['10.0.0.1 a.test']);
    server.records.set('a.test', 'fail');
    await until(() => stats.value('cluster.c.update_failure') > 0);
    assert.deepEqual(hosts(), ['10.0.0.1 a.test']);
    const failing = await watch(cluster({ ...server.config }));
    t.after(() => failing.source.close());
    await failing.until(() => failing.source.ready);
    assert.deepEqual(failing.hosts(), []);
  });

  test('literal addresses, localhost, and wait_for_warm_on_init: false', async (t) => {
    const literal = await watch(cluster({}, ['127.0.0.9']));
    const local = await watch(cluster({}, ['localhost']));
    const hasty = await watch(cluster({ wait_for_warm_on_init: false }));
    t.after(() => {
      for (const { source } of [literal, local, hasty]) source.close();
    });
    assert.equal(hasty.source.ready, true);
    await literal.until(() => literal.source.ready);
    assert.deepEqual(literal.hosts(), ['127.0.0.9 127.0.0.9']);
    await local.until(() => local.source.ready);
    assert.deepEqual(local.hosts(), ['127.0.0.1 localhost']);
  });
});

describe('settings', () => {
  test('defaults', () => {
    const { refreshMs, failureBaseMs, failureMaxMs, jitterMs, respectTtl, resolver } = compileDns(
      cluster({}),
      '',
    );
    assert.deepEqual(
      [refreshMs, failureBaseMs, failureMaxMs, jitterMs, respectTtl],
      [5000, 5000, 5000, 0, false],
    );
    assert.deepEqual(resolver.servers, []);
  });

  const refused: [object, RegExp][] = [
    [
      { dns_failure_refresh_rate: { base_interval: '2s', max_interval: '1s' } },
      /max_interval >= base_interval/,
    ],
    [
      {
        typed_dns_resolver_config: {
          name: 'x',
          typed_config: { '@type': 'type.googleapis.com/google.protobuf.Empty' },
        },
      },
      /Didn't find a registered implementation for 'x'/,
    ],
  ];
  for (const [more, message] of refused) {
    test(`refuses ${JSON.stringify(more)}`, () =>
      assert.throws(() => compileDns(cluster(more), ''), { message }));
  }

  for (const json of [
    { use_tcp_for_dns_lookups: true },
    { dns_resolution_config: { dns_resolver_options: { use_tcp_for_dns_lookups: true } } },
    {
      typed_dns_resolver_config: {
        name: 'x',
        typed_config: { '@type': CARES, dns_resolver_options: { use_tcp_for_dns_lookups: true } },
      },
    },
  ])
    test(`over TCP: ${Object.keys(json)[0]}`, () => {
      assert.equal(compileDns(cluster(json)).resolver.tcp, true);
      assert.equal(compileDns(cluster({})).resolver.tcp, false);
    });
  test('LOGICAL_DNS has exactly one host', () => {
    const none = cluster({ type: 'LOGICAL_DNS', load_assignment: { cluster_name: 'c' } });
    assert.throws(
      () => dnsEndpoints(none, clusterDiscovery(none, ''), new FakeStatStore(), ''),
      /must have a single/,
    );
    const two = cluster({ type: 'LOGICAL_DNS' }, ['a.test', 'b.test']);
    assert.throws(
      () => dnsEndpoints(two, clusterDiscovery(two, ''), new FakeStatStore(), ''),
      /single locality_lb_endpoint and a single lb_endpoint/,
    );
  });
});
