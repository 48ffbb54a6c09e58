import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeFactoryContext } from '../../../tests/fakes/factory_context.ts';
import { create } from '../../../xds-protos/load.ts';
import type { StatBlock, StatSchema, StatStore } from '../../api/stats.ts';
import { ThreadStatStore } from '../stats/store.ts';
import { compileCluster } from './cluster_config.ts';
import { BREAKER_SLOTS } from './resource_manager.ts';
import { ThreadLocalCluster } from './thread_local_cluster.ts';

function fixture() {
  const store = new ThreadStatStore(() => undefined);
  const released: string[] = [];
  const stats: StatStore = {
    evictions: 0,
    block: <Name extends string>(schema: StatSchema<Name>, prefix: string) => store.block(schema, prefix),
    release: (block) => {
      released.push((block as StatBlock).prefix);
      store.release(block);
    },
    counter: (name, tags) => store.counter(name, tags),
    gauge: (name, tags) => store.gauge(name, tags),
    histogram: (name, unit, tags) => store.histogram(name, unit, tags),
    textReadout: (name, value) => store.textReadout(name, value),
  };
  const context = fakeFactoryContext({ stats });
  const config = compileCluster(create('envoy.config.cluster.v3.Cluster', { name: 'c' }), context, '');
  const slot = {
    table: new Int32Array(BREAKER_SLOTS),
    held: new Int32Array(BREAKER_SLOTS),
    slot: 0,
    number: 0,
  };
  return { released, cluster: () => new ThreadLocalCluster(config, context, slot, () => undefined) };
}

test('a retired cluster keeps its stats until its last user has let go', () => {
  const { released, cluster } = fixture();
  const one = cluster();
  void one.stats;
  one.hold();
  one.hold();
  one.retire();
  one.letGo();
  assert.deepEqual(released, []);
  one.letGo();
  assert.deepEqual(released, ['cluster.c.']);
});

test('a replacement goes on counting where the version before stopped', () => {
  const { released, cluster } = fixture();
  const before = cluster();
  before.stats.values[before.stats.base] = 7;
  const after = cluster();
  after.keepStatsOf(before);
  before.retire();
  assert.deepEqual(released, ['cluster.c.']);
  assert.equal(after.stats.values[after.stats.base], 7);
});
