import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ServerInfo_State } from '../../../xds-protos/generated/envoy/admin/v3.ts';
import { create } from '../../../xds-protos/load.ts';
import { StatAggregator } from '../../common/stats/aggregator.ts';
import { ThreadStatStore } from '../../common/stats/store.ts';
import { ServerStats } from './server_stats.ts';
import { StatsFlusher } from './stats_flusher.ts';

function stores(): { aggregator: StatAggregator; store: ThreadStatStore } {
  const aggregator = new StatAggregator();
  return { aggregator, store: new ThreadStatStore((message) => aggregator.apply('main', message)) };
}

function samples(aggregator: StatAggregator): [interval: number, cumulative: number] {
  const histograms = [...aggregator.families()].flatMap((family) => [...family.histograms()]);
  return [histograms[0]?.interval.sampleCount ?? 0, histograms[0]?.cumulative.sampleCount ?? 0];
}

describe('ServerStats', () => {
  test('are of the moment they are read', () => {
    const { aggregator, store } = stores();
    let state: ServerInfo_State = 'INITIALIZING';
    const stat = 'listener.l.ssl.certificate.c.expiration_unix_time_seconds';
    const expirations = new Map([[stat, 4_000_000_000]]);
    new ServerStats(store, aggregator, {
      concurrency: 4,
      hotRestartEpoch: 0,
      staticUnknownFields: 3,
      startedAt: Date.now() - 90_500,
      state: () => state,
      live: () => state === 'LIVE',
      daysUntilFirstCertExpiring: () => undefined,
      secondsUntilFirstOcspResponseExpiring: () => 0,
      certificateExpirations: () => expirations,
      totalConnections: () => 7,
      parentConnections: () => 0,
    });
    store.flush();
    const read = (name: string): number | undefined => aggregator.value(`server.${name}`);
    assert.deepEqual([read('state'), read('live'), read('uptime')], [3, 0, 90]);
    assert.equal(read('static_unknown_fields'), 3);
    assert.equal(aggregator.value(stat), 4_000_000_000);
    expirations.clear();
    store.flush();
    assert.equal(aggregator.value(stat), undefined);
    state = 'LIVE';
    assert.deepEqual([read('state'), read('live'), read('concurrency')], [0, 1, 4]);
    assert.deepEqual([read('total_connections'), read('days_until_first_cert_expiring')], [7, 4294967295]);
    assert.ok((read('memory_physical_size') ?? 0) > (read('memory_allocated') ?? 0));
    // Readiness probes look for `server.state` among the used ones although it is 0.
    const [family] = [...aggregator.families()].filter((each) => each.prefix === 'server.');
    assert.ok(family?.used(family.definitions.findIndex(({ name }) => name === 'state')));
  });
});

describe('StatsFlusher', () => {
  test('ends an interval at every turn of the clock', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] });
    const { aggregator, store } = stores();
    const flusher = new StatsFlusher(create('envoy.config.bootstrap.v3.Bootstrap'), aggregator);
    store.histogram('h').record(1);
    store.flush();
    assert.deepEqual(samples(aggregator), [0, 0]);
    t.mock.timers.tick(5_000);
    await new Promise(setImmediate);
    assert.deepEqual(samples(aggregator), [1, 1]);
    t.mock.timers.tick(5_000);
    await new Promise(setImmediate);
    assert.deepEqual(samples(aggregator), [0, 1]);
    flusher.close();
    store.histogram('h').record(1);
    t.mock.timers.tick(5_000);
    await new Promise(setImmediate);
    assert.deepEqual(samples(aggregator), [0, 1]);
  });

  test('stats_flush_on_admin: with every read', () => {
    const { aggregator, store } = stores();
    new StatsFlusher(
      create('envoy.config.bootstrap.v3.Bootstrap', { stats_flush_on_admin: true }),
      aggregator,
    );
    store.histogram('h').record(1);
    store.flush();
    assert.deepEqual(samples(aggregator), [1, 1]);
    assert.deepEqual(samples(aggregator), [0, 1]);
  });
});
