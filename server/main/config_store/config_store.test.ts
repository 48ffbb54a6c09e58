// The configuration store against a scripted control plane: order, warming, refusals, removals, slots.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  assignment,
  DYNAMIC,
  edsCluster,
  listener,
  resource,
  testStore,
} from '../../../tests/fakes/config_store.ts';
import { ConfigError } from '../../api/config_error.ts';
import { HostHealthFlag } from '../../api/upstream/host.ts';

/** A store that is up, with nothing in it. */
function started() {
  const parts = testStore(DYNAMIC);
  let initialized = 0;
  parts.store.loadStatic();
  parts.store.start(() => initialized++);
  parts.subscriptions.answer('Cluster/*', []);
  parts.subscriptions.answer('Listener/*', []);
  assert.equal(initialized, 1);
  return parts;
}

describe('initialization', () => {
  test('goes from clusters to listeners to workers, each when the one before is warm', () => {
    const { store, subscriptions, published } = testStore(DYNAMIC);
    let initialized = false;
    store.loadStatic();
    store.start(() => {
      initialized = true;
    });
    assert.deepEqual(subscriptions.open, ['Cluster/*']);
    subscriptions.answer('Cluster/*', [edsCluster('a')]);
    assert.deepEqual(subscriptions.open, ['Cluster/*', 'ClusterLoadAssignment/a']);
    assert.deepEqual(published(), []);
    assert.deepEqual(
      [...store.unreadyTargets()],
      [
        { name: 'Server', targetNames: ['Cluster a'] },
        { name: 'cluster a', targetNames: ['EDS a'] },
      ],
    );
    subscriptions.answer('ClusterLoadAssignment/a', [assignment('a', 1)]);
    assert.deepEqual(published(), ['cluster a', 'endpoints a [0]']);
    subscriptions.answer('Listener/*', [listener('l', 80, 'rds:r'), listener('m', 81)]);
    // m is warm, but no listener opens before all of the first are.
    assert.deepEqual(published(), []);
    assert.equal(initialized, false);
    subscriptions.answer('RouteConfiguration/r', [resource('route', { name: 'r' })]);
    assert.equal(initialized, true);
    assert.deepEqual(published().sort(), ['listener l', 'listener m', 'route r']);
    assert.deepEqual([...store.unreadyTargets()], []);
    store.close();
  });

  test('a listener that goes before the workers start is never published', () => {
    const { store, subscriptions, published } = testStore(DYNAMIC);
    store.loadStatic();
    store.start(() => undefined);
    subscriptions.answer('Cluster/*', []);
    subscriptions.answer('Listener/*', [listener('l', 80), listener('m', 81, 'rds:r')]);
    subscriptions.answer('Listener/*', [], { removed: ['l', 'm'] });
    assert.equal(store.initialized, true);
    assert.deepEqual(published(), []);
    store.close();
  });

  test('a fetch that times out and a refused first answer do not hold the server up, a broken stream does', () => {
    const { store, subscriptions } = testStore(DYNAMIC);
    store.loadStatic();
    store.start(() => undefined);
    subscriptions.fail('Cluster/*', 'connection');
    assert.deepEqual(subscriptions.open, ['Cluster/*']);
    subscriptions.fail('Cluster/*', 'fetch_timeout');
    assert.deepEqual(subscriptions.open, ['Cluster/*', 'Listener/*']);
    subscriptions.fail('Listener/*', 'rejected');
    assert.equal(store.initialized, true);
    store.close();
  });
});

describe('clusters', () => {
  test('a new version serves only when it is warm, and finds its endpoints still there', () => {
    const { store, subscriptions, published } = started();
    subscriptions.answer('Cluster/*', [edsCluster('a')]);
    subscriptions.answer('ClusterLoadAssignment/a', [assignment('a', 1, 2)]);
    published();
    subscriptions.answer('Cluster/*', [edsCluster('a', { alt_stat_name: 'sds:s' })]);
    assert.deepEqual(published(), []);
    assert.equal(store.clusters.warmingCount, 1);
    subscriptions.answer('Secret/s', [
      resource('secret', { name: 's', generic_secret: { secret: { inline_string: 'x' } } }),
    ]);
    assert.deepEqual(published(), ['secret s', 'cluster a', 'endpoints a [0,16]']);
    assert.equal(store.clusters.warmingCount, 0);
    store.close();
  });

  test('equal bytes are no change, and the old bytes again drop what warms', () => {
    const { store, subscriptions, published } = started();
    subscriptions.answer('Cluster/*', [edsCluster('a')]);
    subscriptions.answer('ClusterLoadAssignment/a', [assignment('a', 1)]);
    published();
    subscriptions.answer('Cluster/*', [edsCluster('a')]);
    subscriptions.answer('ClusterLoadAssignment/a', [assignment('a', 1)]);
    assert.deepEqual(published(), []);
    subscriptions.answer('Cluster/*', [edsCluster('a', { alt_stat_name: 'sds:s' })]);
    assert.ok(subscriptions.open.includes('Secret/s'));
    subscriptions.answer('Cluster/*', [edsCluster('a')]);
    assert.equal(store.clusters.warmingCount, 0);
    assert.ok(!subscriptions.open.includes('Secret/s'));
    assert.equal(store.history.versions('cluster', 'a').length, 2);
    store.close();
  });

  test('a refusal names every bad resource, the good ones apply, and taking it back clears the error', () => {
    const { store, subscriptions, published } = started();
    const good = resource('cluster', { name: 'good' });
    const rejected = subscriptions.answer('Cluster/*', [
      resource('cluster', { name: 'bad1' }),
      good,
      resource('cluster', { name: 'bad2' }),
      good,
    ]);
    assert.deepEqual(rejected, [
      { name: 'bad1', path: 'name', reason: 'this one is bad' },
      { name: 'bad2', path: 'name', reason: 'this one is bad' },
      { name: 'good', path: '', reason: 'duplicate cluster good found' },
    ]);
    assert.deepEqual(published(), ['cluster good', 'endpoints good []']);
    assert.equal(store.clusters.get('bad1')?.failure?.reason, 'this one is bad');
    assert.equal(store.history.versions('cluster', 'bad1')[0]?.error?.path, 'name');
    assert.deepEqual(subscriptions.answer('Cluster/*', [good], { full: true }), []);
    assert.equal(store.clusters.get('bad1'), undefined);
    store.close();
  });

  test('delta removes by name, SotW by absence, and endpoints go with their cluster', () => {
    const { store, subscriptions, published } = started();
    subscriptions.answer('Cluster/*', [edsCluster('a'), edsCluster('b'), edsCluster('c')]);
    for (const name of ['a', 'b', 'c'])
      subscriptions.answer(`ClusterLoadAssignment/${name}`, [assignment(name, 1)]);
    published();
    subscriptions.answer('Cluster/*', [], { removed: ['a', 'unknown'] });
    assert.deepEqual(published(), ['remove endpoints a', 'remove cluster a']);
    subscriptions.answer('Cluster/*', [edsCluster('c')], { full: true });
    assert.deepEqual(published(), ['remove endpoints b', 'remove cluster b']);
    assert.ok(!subscriptions.open.includes('ClusterLoadAssignment/a'));
    assert.deepEqual(
      store.snapshot().map((update) => update.kind),
      ['cluster', 'endpoints'],
    );
    store.close();
  });

  test('static clusters never change', () => {
    const { store, subscriptions, published } = testStore({
      ...DYNAMIC,
      static_resources: { clusters: [{ name: 's' }] },
    });
    store.loadStatic();
    store.start(() => undefined);
    subscriptions.answer('Cluster/*', [resource('cluster', { name: 's', alt_stat_name: 'x' })], {
      full: true,
    });
    subscriptions.answer('Cluster/*', [], { removed: ['s'] });
    assert.deepEqual(published(), ['cluster s', 'endpoints s []']);
    store.close();
  });

  test('a host keeps its slot while it stays, and EDS health is written into it', () => {
    const { store, subscriptions, updates, published } = started();
    subscriptions.answer('Cluster/*', [edsCluster('a')]);
    subscriptions.answer('ClusterLoadAssignment/a', [assignment('a', 1, 2)]);
    subscriptions.answer('ClusterLoadAssignment/a', [assignment('a', 3, 2)]);
    store.flush();
    const last = updates.at(-1);
    assert.ok(last?.kind === 'endpoints');
    assert.deepEqual([...last.hostSlots], [32, 16]);
    published();
    const sick = resource('endpoints', {
      cluster_name: 'a',
      endpoints: [
        {
          lb_endpoints: [
            {
              health_status: 'UNHEALTHY',
              endpoint: { address: { socket_address: { address: '10.0.0.2', port_value: 80 } } },
            },
          ],
        },
      ],
    });
    subscriptions.answer('ClusterLoadAssignment/a', [sick]);
    assert.equal(store.hostSlots.table.view(16)[16], HostHealthFlag.FailedEdsHealth);
    subscriptions.answer('ClusterLoadAssignment/a', [assignment('a', 2)]);
    assert.equal(store.hostSlots.table.view(16)[16], 0);
    store.close();
  });

  test('endpoints that cannot be honoured are refused and the old ones serve', () => {
    const { store, subscriptions, published } = started();
    subscriptions.answer('Cluster/*', [edsCluster('a')]);
    subscriptions.answer('ClusterLoadAssignment/a', [assignment('a', 1)]);
    published();
    const named = resource('endpoints', {
      cluster_name: 'a',
      endpoints: [
        {
          lb_endpoints: [
            { endpoint: { address: { socket_address: { address: 'foo.com', port_value: 1 } } } },
          ],
        },
      ],
    });
    const [rejected] = subscriptions.answer('ClusterLoadAssignment/a', [named]);
    assert.equal(rejected?.path, 'endpoints[0].lb_endpoints[0].endpoint.address.socket_address.address');
    assert.match(rejected.reason, /malformed IP address: foo.com. Consider setting resolver_name/);
    subscriptions.answer('ClusterLoadAssignment/a', [], { removed: ['a'] });
    assert.deepEqual(published(), []);
    store.close();
  });
});

describe('listeners', () => {
  test('the old version serves until the new one has its routes; a shared route is kept', () => {
    const { store, subscriptions, published } = started();
    subscriptions.answer('Listener/*', [listener('l', 80, 'rds:r')]);
    subscriptions.answer('RouteConfiguration/r', [resource('route', { name: 'r' })]);
    assert.deepEqual(published(), ['route r', 'listener l']);
    subscriptions.answer('Listener/*', [listener('l', 80, 'rds:r rds:q')]);
    assert.deepEqual(published(), []);
    subscriptions.answer('RouteConfiguration/q', [resource('route', { name: 'q' })]);
    assert.deepEqual(published(), ['route q', 'listener l']);
    subscriptions.answer('Listener/*', [listener('l', 80, 'rds:q')]);
    assert.deepEqual(published(), ['listener l', 'remove route r']);
    store.close();
  });

  test('a route that is refused leaves the old one, and one that is refused first does not hold the listener', () => {
    const { store, subscriptions, published } = started();
    subscriptions.answer('Listener/*', [listener('l', 80, 'rds:r')]);
    const bad = resource('route', { name: 'r', virtual_hosts: [{ name: 'bad', domains: ['*'] }] });
    assert.equal(subscriptions.answer('RouteConfiguration/r', [bad]).length, 1);
    assert.deepEqual(published(), ['listener l']);
    subscriptions.answer('RouteConfiguration/r', [resource('route', { name: 'r' })]);
    assert.deepEqual(published(), ['route r']);
    subscriptions.answer('RouteConfiguration/r', [bad]);
    assert.deepEqual(published(), []);
    const [route] = store.routes.all;
    assert.equal(route?.failure?.reason, 'this one is bad');
    store.close();
  });

  test('two listeners cannot have one address, but one may take the address of one that goes', () => {
    const { store, subscriptions, published } = started();
    subscriptions.answer('Listener/*', [listener('l', 80)], { full: true });
    const [rejected] = subscriptions.answer('Listener/*', [listener('l', 80), listener('m', 80)], {
      full: true,
    });
    assert.match(rejected!.reason, /'m' has duplicate address '0.0.0.0:80' as existing listener/);
    published();
    assert.deepEqual(subscriptions.answer('Listener/*', [listener('m', 80)], { full: true }), []);
    assert.deepEqual(published(), ['listener m', 'remove listener l']);
    store.close();
  });

  test('a listener takes over the routes of one that goes in the same response', () => {
    const { store, subscriptions, published } = started();
    subscriptions.answer('Listener/*', [listener('l', 80, 'rds:r')], { full: true });
    subscriptions.answer('RouteConfiguration/r', [resource('route', { name: 'r' })]);
    published();
    subscriptions.answer('Listener/*', [listener('m', 80, 'rds:r')], { full: true });
    assert.deepEqual(published(), ['listener m', 'remove listener l']);
    assert.equal(store.listeners.warmingCount, 0);
    store.close();
  });

  test('static listeners name what they lack with its path', () => {
    const { store } = testStore({
      static_resources: {
        listeners: [
          {
            name: 'l',
            address: { socket_address: { address: '0.0.0.0', port_value: 1 } },
            stat_prefix: 'cluster:missing',
          },
        ],
      },
    });
    assert.throws(
      () => store.loadStatic(),
      new ConfigError('static_resources.listeners[0]', "unknown cluster 'missing'"),
    );
    store.close();
  });
});

test('the history keeps versions with their differences', () => {
  const { store, subscriptions } = started();
  subscriptions.answer('Cluster/*', [resource('cluster', { name: 'a', connect_timeout: '1s' })]);
  subscriptions.answer('Cluster/*', [resource('cluster', { name: 'a', connect_timeout: '2s' })]);
  subscriptions.answer('Cluster/*', [], { removed: ['a'] });
  const versions = store.history.versions('cluster', 'a');
  assert.deepEqual(
    versions.map(({ bytes, error, source }) => [bytes !== undefined, error, source]),
    [
      [true, undefined, 'cds'],
      [true, undefined, 'cds'],
      [false, undefined, 'cds'],
    ],
  );
  assert.deepEqual(store.history.diff(versions[1]!), [
    { path: 'connect_timeout', before: '1s', after: '2s' },
  ]);
  store.close();
});
