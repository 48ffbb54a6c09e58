// Whatever a control plane sends about workloads, the workers end with exactly the addresses of those that are there, told
// in batches that wait for one another.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeStatStore } from '../../../tests/fakes/factory_context.ts';
import { FakeSubscriptions } from '../../../tests/fakes/fake_subscriptions.ts';
import type { ConfigSource } from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import type { Workload } from '../../../xds-protos/generated/istio/workload.ts';
import { decode, encode, type Init } from '../../../xds-protos/load.ts';
import { WorkloadIndex } from '../../common/istio/workload_index.ts';
import { ipAddress } from '../../common/network/address.ts';
import { WorkloadDiscovery } from '../../extensions/bootstrap/workload_discovery/config.ts';
import type { ResourceUpdate } from '../../messages.ts';
import type { DiscoveredResource } from '../xds/subscription.ts';
import { ResourceDecoder } from './resource_decoder.ts';
import type { StoreServices } from './services.ts';
import { WorkloadStore } from './workload_store.ts';

const TYPE = 'istio.workload.Workload';
const KEY = 'Workload/*';

function workload(uid: string, ips: readonly string[], more: Init<Workload> = {}): DiscoveredResource {
  const addresses = ips.map((ip) => Buffer.from(ip.split('.').map(Number)));
  const bytes = encode(TYPE, { uid, name: uid, workload_name: uid, addresses, ...more });
  return { name: uid, typeUrl: `type.googleapis.com/${TYPE}`, version: '1', bytes, ttlMs: 0 };
}

/** A store with a worker behind it. */
function harness() {
  const subscriptions = new FakeSubscriptions();
  const stats = new FakeStatStore();
  const index = new WorkloadIndex();
  const batches: number[] = [];
  let settle = Promise.resolve();
  const apply = (updates: readonly ResourceUpdate[], to = index): void => {
    for (const update of updates) {
      assert.ok(update.kind === 'workloads');
      for (const { addresses, bytes } of update.changed) to.set(addresses, decode(TYPE, bytes));
      for (const address of update.removed) to.delete(address);
    }
  };
  const services = { subscriptions, stats, decoder: new ResourceDecoder('ignore', () => {}) };
  const store = new WorkloadStore(services as unknown as StoreServices, {
    publish(updates) {
      apply(updates);
      for (const update of updates) {
        if (update.kind === 'workloads') batches.push(update.changed.length + update.removed.length);
      }
    },
    settled: () => settle,
  });
  store.subscribe(new WorkloadDiscovery({} as ConfigSource, 'p'));
  return {
    store,
    stats,
    batches,
    holdBatches(until: Promise<void>) {
      settle = until;
    },
    answer: (added: DiscoveredResource[], options?: { removed?: string[]; full?: boolean }) =>
      subscriptions.answer(KEY, added, options),
    /** Who is at these addresses, for the worker and for one that starts now. */
    async at(...ips: string[]): Promise<string[]> {
      for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
      const late = new WorkloadIndex();
      apply(store.snapshot(), late);
      return ips.map((ip) => {
        const found = index.getMetadata(ipAddress(ip, 80));
        assert.equal(late.getMetadata(ipAddress(ip, 80))?.key, found?.key);
        return found?.fields.workloadName ?? '';
      });
    },
  };
}

describe('WorkloadStore', () => {
  test('adds, changes and removes workloads, each with all its addresses', async () => {
    const mesh = harness();
    mesh.answer([workload('a', ['10.0.0.1', '10.0.0.2']), workload('b', ['10.0.0.3'])]);
    assert.deepEqual(await mesh.at('10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4'), ['a', 'a', 'b', '']);
    assert.equal(mesh.stats.value('workload_discovery.total'), 3);
    mesh.answer([workload('a', ['10.0.0.2', '10.0.0.4'], { workload_name: 'a2' })], { removed: ['b'] });
    assert.deepEqual(await mesh.at('10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4'), ['', 'a2', '', 'a2']);
    assert.equal(mesh.stats.value('workload_discovery.total'), 2);
  });

  test('an address that was taken over stays when its old owner goes', async () => {
    const mesh = harness();
    mesh.answer([workload('old', ['10.0.0.1'])]);
    mesh.answer([workload('new', ['10.0.0.1'])]);
    mesh.answer([], { removed: ['old'] });
    assert.deepEqual(await mesh.at('10.0.0.1'), ['new']);
  });

  test('the state of the world has no others', async () => {
    const mesh = harness();
    mesh.answer([workload('a', ['10.0.0.1']), workload('b', ['10.0.0.2'])], { full: true });
    mesh.answer([workload('b', ['10.0.0.2'])], { full: true });
    assert.deepEqual(await mesh.at('10.0.0.1', '10.0.0.2'), ['', 'b']);
  });

  test('what does not decode is refused by name, and its last version stays', async () => {
    const mesh = harness();
    mesh.answer([workload('a', ['10.0.0.1'])]);
    const garbage = { ...workload('a', []), bytes: Buffer.from([0xff]) };
    const short = workload('c', ['1.2.3']);
    const refused = mesh.answer([garbage, workload('b', ['10.0.0.2']), short]);
    assert.deepEqual(
      refused.map(({ name, path }) => [name, path]),
      [
        ['a', ''],
        ['c', 'addresses[0]'],
      ],
    );
    assert.deepEqual(await mesh.at('10.0.0.1', '10.0.0.2'), ['a', 'b']);
  });

  test('equal workloads are told once; only what a peer shows counts', async () => {
    const mesh = harness();
    mesh.answer([workload('a', ['10.0.0.1'])]);
    await mesh.at();
    mesh.answer([workload('a', ['10.0.0.1'], { node: 'another', status: 'UNHEALTHY' })]);
    await mesh.at();
    assert.deepEqual(mesh.batches, [1]);
  });

  test('the next batch waits until the workers have applied the last', async () => {
    const mesh = harness();
    const { promise, resolve } = Promise.withResolvers<void>();
    mesh.holdBatches(promise);
    const many = Array.from({ length: 1200 }, (_, i) => workload(`w${i}`, [`10.1.${i >> 8}.${i & 255}`]));
    mesh.answer(many);
    await mesh.at();
    assert.deepEqual(mesh.batches, [500]);
    resolve();
    assert.deepEqual(await mesh.at('10.1.0.0', '10.1.4.175'), ['w0', 'w1199']);
    assert.deepEqual(mesh.batches, [500, 500, 200]);
    mesh.store.close();
  });
});

test('a workload tells what Istio says of it, with the defaults of what it leaves out', () => {
  const index = new WorkloadIndex();
  index.set(['fd00::3'], decode(TYPE, encode(TYPE, { name: 'p' })));
  assert.deepEqual(index.getMetadata(ipAddress('fd00::3', 1))?.serializeAsJson(), {
    type: 'deployment',
    name: 'p',
    namespace: 'default',
    identity: 'spiffe://cluster.local/ns/default/sa/default',
  });
  const all = encode(TYPE, {
    name: 'p',
    namespace: 'n',
    trust_domain: 'td',
    service_account: 'sa',
    canonical_name: 'c',
    canonical_revision: 'r',
    workload_type: 'CRONJOB',
    workload_name: 'w',
    cluster_id: 'k',
    locality: { region: 'eu', zone: 'a' },
  });
  index.set(['10.0.0.1'], decode(TYPE, all));
  assert.equal(
    index.getMetadata(ipAddress('10.0.0.1', 1))?.key,
    'type=cronjob,workload=w,name=p,cluster=k,namespace=n,service=c,revision=r,app=c,version=r,' +
      'identity=spiffe://td/ns/n/sa/sa,region=eu,availability_zone=a',
  );
});
