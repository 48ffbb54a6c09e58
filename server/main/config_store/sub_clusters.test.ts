// Sub clusters in the store: they stay when CDS does not know them, and go with their parent.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DYNAMIC, resource, testStore } from '../../../tests/fakes/config_store.ts';
import { subClusterSource } from '../../common/dynamic_forward_proxy/sub_cluster_name.ts';

const parent = (connect_timeout: string) => ({
  name: 'd',
  connect_timeout,
  lb_policy: 'CLUSTER_PROVIDED',
  cluster_type: {
    name: 'envoy.clusters.dynamic_forward_proxy',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig',
      sub_clusters_config: { max_sub_clusters: 2 },
    },
  },
});

function started() {
  const { store, subscriptions } = testStore(DYNAMIC);
  store.loadStatic();
  store.start(() => undefined);
  subscriptions.answer('Cluster/*', [resource('cluster', parent('1s'))], { full: true });
  subscriptions.answer('Listener/*', []);
  const names = (): string[] => [...store.clusters.all].map(({ name }) => name).sort();
  const want = (host: string): void =>
    store.discoverCluster(subClusterSource('d'), `DFPCluster:127.0.0.1:${host}`);
  return { store, subscriptions, names, want };
}

test('sub clusters are made once, as many as there may be, and CDS does not take them away', () => {
  const { store, subscriptions, names, want } = started();
  for (const port of ['1', '2', '1', '3']) want(port);
  assert.deepEqual(names(), ['DFPCluster:127.0.0.1:1', 'DFPCluster:127.0.0.1:2', 'd']);
  subscriptions.answer('Cluster/*', [resource('cluster', parent('1s'))], { full: true, version: '2' });
  subscriptions.answer('Cluster/*', [], { removed: ['DFPCluster:127.0.0.1:1'], version: '3' });
  assert.equal(names().length, 3);
  store.close();
});

test('sub clusters go with the version of their parent that they were made of', () => {
  const { store, subscriptions, names, want } = started();
  want('1');
  subscriptions.answer('Cluster/*', [resource('cluster', parent('2s'))], { full: true, version: '2' });
  assert.deepEqual(names(), ['d']);
  want('1');
  assert.deepEqual(names(), ['DFPCluster:127.0.0.1:1', 'd']);
  subscriptions.answer('Cluster/*', [], { full: true, version: '3' });
  assert.deepEqual(names(), []);
  want('1');
  assert.deepEqual(names(), [], 'nobody is there to make it');
  store.close();
});
