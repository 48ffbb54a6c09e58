// Istio's TCP metrics: opened when the peer is known, bytes while the connection lasts, closed at its end.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeStatStore, fakeFactoryContext } from '../../../../../tests/fakes/factory_context.ts';
import { FakeNetworkCallbacks } from '../../../../../tests/fakes/network_filter.ts';
import type { PluginConfig } from '../../../../../xds-protos/generated/stats.ts';
import { fromJson } from '../../../../../xds-protos/json.ts';
import type { ListenerScope } from '../../../../api/registry.ts';
import { WorkloadMetadata } from '../../../../common/istio/workload_metadata.ts';
import { FilterStateMap } from '../../../../common/stream_info/filter_state.ts';
import { istioTcpStatsFactory } from './config.ts';

const PEER = new WorkloadMetadata({ workloadName: 'peer' });

function setup(direction: ListenerScope['trafficDirection'], reporting = '0.020s') {
  const stats = new FakeStatStore();
  const listener = { name: 'l', trafficDirection: direction } as ListenerScope;
  const config = fromJson<PluginConfig>('stats.PluginConfig', { tcp_reporting_duration: reporting });
  const filter = istioTcpStatsFactory
    .compile(config, fakeFactoryContext({ stats, listener }), 'f')
    .createFilter();
  const callbacks = new FakeNetworkCallbacks(filter);
  filter.onNewConnection!();
  const value = (metric: string): number | undefined =>
    [...stats.numbers].find(([name]) => name.startsWith(`istiocustom.istio_${metric}{`))?.[1];
  return { stats, filter, callbacks, value };
}

const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('TCP metrics', () => {
  test('bytes are reported while the connection lasts', async () => {
    const { callbacks, filter, value, stats } = setup('INBOUND');
    await later(50);
    assert.equal(value('tcp_connections_opened_total'), undefined);
    callbacks.streamInfo.filterState.set('downstream_peer', PEER);
    callbacks.streamInfo.bytesReceived = 10;
    await later(50);
    assert.equal(value('tcp_connections_opened_total'), 1);
    assert.equal(value('tcp_received_bytes_total'), 10);
    assert.equal(value('tcp_connections_closed_total'), undefined);
    callbacks.streamInfo.bytesReceived = 15;
    callbacks.streamInfo.bytesSent = 7;
    for (const listener of callbacks.listeners) listener.onEvent('RemoteClose');
    filter.onDestroy!();
    assert.equal(value('tcp_received_bytes_total'), 15);
    assert.equal(value('tcp_sent_bytes_total'), 7);
    assert.equal(value('tcp_connections_closed_total'), 1);
    const opened = [...stats.numbers.keys()].find((name) => name.includes('opened'))!;
    assert.match(opened, /reporter=destination,source_workload=peer,.*request_protocol=tcp,response_flags=-/);
  });

  test('a client finds its peer on the upstream connection, an unknown one is reported at the end', () => {
    const known = setup('OUTBOUND', '0s');
    known.callbacks.streamInfo.upstreamFilterState = new FilterStateMap(undefined);
    known.callbacks.streamInfo.upstreamFilterState.set('upstream_peer', PEER);
    known.filter.onDestroy!();
    assert.ok(
      [...known.stats.numbers.keys()].every(
        (name) => !name.includes('tcp_') || name.includes('destination_workload=peer'),
      ),
    );
    const unknown = setup('OUTBOUND', '0s');
    unknown.filter.onDestroy!();
    assert.equal(unknown.value('tcp_connections_opened_total'), 1);
    assert.equal(unknown.value('tcp_connections_closed_total'), 1);
  });
});
