// The exchange on TCP connections: both ends, cut anywhere, and peers that do not take part.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { FakeStatStore, fakeFactoryContext } from '../../../../../tests/fakes/factory_context.ts';
import { FakeNetworkCallbacks } from '../../../../../tests/fakes/network_filter.ts';
import type { MetadataExchange } from '../../../../../xds-protos/generated/envoy/tcp/metadataexchange/config.ts';
import { fromJson } from '../../../../../xds-protos/json.ts';
import { NetworkFilterStatus } from '../../../../api/network/filter.ts';
import type { ListenerScope } from '../../../../api/registry.ts';
import type { WorkloadMetadataProvider } from '../../../../api/workload_metadata.ts';
import { workloadFromMetadata } from '../../../../common/istio/workload_metadata.ts';
import { ipAddress } from '../../../../common/network/address.ts';
import { metadataExchangeFactory } from './config.ts';
import { decodeNodeMetadata } from './initial_header.ts';

const { Continue, StopIteration } = NetworkFilterStatus;

const NOBODY: WorkloadMetadataProvider = { getMetadata: () => undefined };

function setup(
  side: 'listener' | 'cluster',
  workload: string,
  alpn?: string,
  workloads: WorkloadMetadataProvider = NOBODY,
  discovery = true,
) {
  const stats = new FakeStatStore();
  const base = fakeFactoryContext({ stats, workloads });
  const listener = side === 'listener' ? ({ name: 'l' } as ListenerScope) : undefined;
  const server = {
    ...base.server,
    nodeId: `${workload}-id`,
    nodeMetadata: { WORKLOAD_NAME: workload, NAMESPACE: 'ns' },
  };
  const config = fromJson<MetadataExchange>('envoy.tcp.metadataexchange.config.MetadataExchange', {
    protocol: 'istio-peer-exchange',
    enable_discovery: discovery,
  });
  const filter = metadataExchangeFactory.compile(config, { ...base, server, listener }, 'f').createFilter();
  return { filter, stats, callbacks: new FakeNetworkCallbacks(filter, alpn) };
}

describe('metadata_exchange', () => {
  test('client and server tell each other before the first byte', () => {
    const client = setup('cluster', 'client', 'istio-peer-exchange');
    const server = setup('listener', 'server', 'istio-peer-exchange');
    client.filter.onWrite!(Buffer.from('hello'), 0, 5, false);
    const [hello] = client.callbacks.injected;
    assert.equal(Buffer.from(hello).readUInt32BE(0), 0x3d230467);

    const bytes = Buffer.concat([hello, Buffer.from('hello')]);
    assert.equal(server.filter.onData!(bytes, 0, bytes.length, false), Continue);
    assert.equal(server.callbacks.consumed, hello.length);
    const peer = server.callbacks.streamInfo.filterState.get('downstream_peer');
    assert.equal(peer?.serializeAsString(), 'workload=client,namespace=ns');

    const [answer] = server.callbacks.injected;
    assert.equal(client.filter.onData!(answer, 0, answer.length, false), Continue);
    const upstream = client.callbacks.streamInfo.filterState.get('upstream_peer');
    assert.equal(upstream?.serializeAsString(), 'workload=server,namespace=ns');
    assert.equal(client.stats.value('metadata_exchange.metadata_added'), 1);
    assert.equal(client.filter.onData!(Buffer.from('x'), 0, 1, false), Continue);
    assert.equal(client.callbacks.consumed, answer.length);
  });

  test('waits for a message that comes in pieces', () => {
    const client = setup('cluster', 'client', 'istio-peer-exchange');
    client.filter.onWrite!(Buffer.from('x'), 0, 1, false);
    const [hello] = client.callbacks.injected;
    for (const cut of [1, 7, 8, 9, hello.length - 1]) {
      const { filter, callbacks } = setup('listener', 'server', 'istio-peer-exchange');
      assert.equal(filter.onData!(hello, 0, cut, false), StopIteration);
      assert.equal(filter.onData!(hello, 0, hello.length, false), Continue);
      assert.equal(callbacks.injected.length, 1);
      assert.equal(callbacks.consumed, hello.length);
    }
  });

  test('another ALPN, a bad magic and an early end let the bytes pass', () => {
    const plain = setup('listener', 'server', 'istio');
    assert.equal(plain.filter.onData!(Buffer.from('hello'), 0, 5, false), Continue);
    assert.equal(plain.stats.value('metadata_exchange.alpn_protocol_not_found'), 1);
    assert.ok(plain.callbacks.streamInfo.filterState.get('peer_not_found'));

    const other = setup('listener', 'server', 'istio-peer-exchange');
    assert.equal(other.filter.onData!(Buffer.from('GET / HTTP/1.1'), 0, 14, false), Continue);
    assert.equal(other.callbacks.consumed, 0);
    assert.ok(other.callbacks.streamInfo.filterState.get('peer_not_found'));

    const short = setup('listener', 'server', 'istio-peer-exchange');
    assert.equal(short.filter.onData!(Buffer.from('abc'), 0, 3, true), Continue);
    assert.equal(short.callbacks.consumed, 0);
  });
});

describe('enable_discovery', () => {
  const KNOWN = ['10.0.0.1', '10.0.0.9'];
  const workloads: WorkloadMetadataProvider = {
    getMetadata: ({ ip }) =>
      KNOWN.includes(ip) ? workloadFromMetadata({ WORKLOAD_NAME: `at-${ip}` }) : undefined,
  };
  const peers = (side: 'listener' | 'cluster', host: string, remote: string, enabled = true) => {
    const { filter, callbacks, stats } = setup(side, 'server', 'istio', workloads, enabled);
    callbacks.connection.info.remoteAddress = ipAddress(remote, 1);
    callbacks.streamInfo.upstreamHost = { address: ipAddress(host, 80) } as never;
    assert.equal(filter.onData!(Buffer.from('hello'), 0, 5, false), Continue);
    const { filterState } = callbacks.streamInfo;
    return {
      down: filterState.get('downstream_peer')?.serializeAsString(),
      up: filterState.get('upstream_peer')?.serializeAsString(),
      absent: filterState.get('peer_not_found') !== undefined,
      added: stats.value('metadata_exchange.metadata_added'),
    };
  };

  test('finds the client of a connection by its address, and the host behind', () => {
    const found = { down: 'workload=at-10.0.0.1', up: 'workload=at-10.0.0.9', absent: false, added: 1 };
    assert.deepEqual(peers('listener', '10.0.0.9', '10.0.0.1'), found);
    const unknown = { down: undefined, up: 'workload=at-10.0.0.9', absent: true, added: 0 };
    assert.deepEqual(peers('listener', '10.0.0.9', '10.0.0.3'), unknown);
  });

  test('finds the host of an upstream connection', () => {
    const found = { down: undefined, up: 'workload=at-10.0.0.9', absent: false, added: 1 };
    assert.deepEqual(peers('cluster', '10.0.0.9', '10.0.0.9'), found);
  });

  test('asks nobody where it is off', () => {
    const none = { down: undefined, up: undefined, absent: true, added: 0 };
    assert.deepEqual(peers('listener', '10.0.0.9', '10.0.0.1', false), none);
  });
});

test('no bytes make the decoder throw', () => {
  const magic = Buffer.from([0x3d, 0x23, 0x04, 0x67]);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.boolean(), (noise, withHeader) => {
      const size = Buffer.alloc(4);
      size.writeUInt32BE(noise.length);
      const bytes = withHeader ? Buffer.concat([magic, size, noise]) : noise;
      const result = decodeNodeMetadata(bytes, 0, bytes.length, []);
      assert.ok(withHeader ? ['done', 'bad_data'].includes(result.type) : result.type !== 'done');
    }),
  );
});
