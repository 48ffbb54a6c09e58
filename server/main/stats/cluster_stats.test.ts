import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DYNAMIC, resource, testStore } from '../../../tests/fakes/config_store.ts';
import { StatAggregator } from '../../common/stats/aggregator.ts';
import { ThreadStatStore } from '../../common/stats/store.ts';
import { ClusterStats } from './cluster_stats.ts';

test('only another cluster is listed anew, not the same under another version_info', (t) => {
  const { store, subscriptions } = testStore(DYNAMIC);
  store.start(() => undefined);
  const aggregator = new StatAggregator();
  const stats = new ThreadStatStore((message) => aggregator.apply('main', message));
  new ClusterStats(store, aggregator, stats);
  const { mock } = t.mock.method(aggregator, 'declare');
  const listedAfter = (version: string, more: object): number => {
    mock.resetCalls();
    const cluster = { ...resource('cluster', { name: 'a', ...more }), version };
    assert.deepEqual(subscriptions.answer('Cluster/*', [cluster]), []);
    assert.equal(store.clusters.get('a')?.active?.version, version);
    assert.equal(aggregator.value('cluster.a.upstream_rq_total'), 0);
    return mock.callCount();
  };
  const families = listedAfter('1', {});
  assert.ok(families > 0);
  assert.equal(listedAfter('2', {}), 0);
  assert.equal(listedAfter('3', { connect_timeout: '1s' }), families);
  store.close();
});
