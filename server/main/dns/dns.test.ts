// DNS clusters: settings, and hosts as the names resolve, against a small DNS server on UDP.

import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { describe, test } from 'node:test';
import { FakeStatStore } from '../../../tests/fakes/factory_context.ts';
import type { Cluster } from '../../../xds-protos/generated/envoy/config/cluster/v3.ts';
import { fromJson } from '../../../xds-protos/json.ts';
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

/** Answers A questions from `records` (undefined: SERVFAIL, empty: NXDOMAIN) with a TTL of 1 s. */
async function dnsServer(records: Record<string, string[] | undefined>) {
  const socket = createSocket('udp4');
  socket.on('message', (query, peer) => {
    const labels: string[] = [];
    let at = 12;
    for (; query[at] !== 0; at += query[at]! + 1)
      labels.push(query.toString('latin1', at + 1, at + 1 + query[at]!));
    const question = query.subarray(12, at + 5);
    const isA = query.readUInt16BE(at + 1) === 1;
    const found = records[labels.join('.').toLowerCase()];
    const answers = isA ? (found ?? []) : [];
    const code = found === undefined ? 2 : found.length === 0 ? 3 : 0;
    const header = Buffer.from([
      query[0]!,
      query[1]!,
      0x81,
      0x80 | code,
      0,
      1,
      0,
      answers.length,
      0,
      0,
      0,
      0,
    ]);
    const body = answers.map((ip) =>
      Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, ...ip.split('.').map(Number)]),
    );
    socket.send(Buffer.concat([header, question, ...body]), peer.port, peer.address);
  });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  const resolver = { socket_address: { address: '127.0.0.1', port_value: socket.address().port } };
  const config = {
    typed_dns_resolver_config: { name: 'x', typed_config: { '@type': CARES, resolvers: [resolver] } },
  };
  return { config, close: () => socket.close() };
}

/** Addresses of the cluster once `wanted` is true. */
async function watch(config: Cluster, stats = new FakeStatStore()) {
  const source = dnsEndpoints(config, stats, '');
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
    const records: Record<string, string[] | undefined> = {
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
    records['a.test'] = ['10.0.0.9'];
    records['b.test'] = [];
    await until(() => hosts().length === 1);
    assert.deepEqual(hosts(), ['10.0.0.9 a.test']);
    assert.ok(stats.value('cluster.c.update_success') >= 4);
  });

  test('LOGICAL_DNS has the first; a failure keeps it and does not hold the cluster up', async (t) => {
    const records: Record<string, string[] | undefined> = { 'a.test': ['10.0.0.1', '10.0.0.2'] };
    const server = await dnsServer(records);
    t.after(() => server.close());
    const stats = new FakeStatStore();
    const more = { ...server.config, type: 'LOGICAL_DNS', dns_refresh_rate: '0.02s' };
    const { source, hosts, until } = await watch(cluster(more), stats);
    t.after(() => source.close());
    await until(() => source.ready);
    assert.deepEqual(hosts(), ['10.0.0.1 a.test']);
    records['a.test'] = undefined;
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
    const { refreshMs, failureBaseMs, failureMaxMs, jitterMs, respectTtl, resolver } = compileDnsConfig(
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
    [{ use_tcp_for_dns_lookups: true }, /^use_tcp_for_dns_lookups: DNS lookups over TCP/],
    [
      { dns_failure_refresh_rate: { base_interval: '2s', max_interval: '1s' } },
      /max_interval >= base_interval/,
    ],
    [
      {
        typed_dns_resolver_config: {
          name: 'x',
          typed_config: { '@type': CARES, filter_unroutable_families: true },
        },
      },
      /filter_unroutable_families: this field is not supported/,
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
      assert.throws(() => compileDnsConfig(cluster(more), ''), { message }));
  }

  test('LOGICAL_DNS has exactly one host', () => {
    const none = cluster({ type: 'LOGICAL_DNS', load_assignment: { cluster_name: 'c' } });
    assert.throws(() => dnsEndpoints(none, new FakeStatStore(), ''), /must have a single/);
    const two = cluster({ type: 'LOGICAL_DNS' }, ['a.test', 'b.test']);
    assert.throws(
      () => dnsEndpoints(two, new FakeStatStore(), ''),
      /single locality_lb_endpoint and a single lb_endpoint/,
    );
  });
});
