// Whatever order a control plane sends things in, a worker that applies what is published never sees a listener without
// its routes and secrets or an EDS cluster without endpoints, and always ends with what the snapshot says.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  assignment,
  DYNAMIC,
  edsCluster,
  listener,
  resource,
  type TestStore,
  testStore,
} from '../../../tests/fakes/config_store.ts';
import { decode } from '../../../xds-protos/load.ts';
import type { ResourceUpdate } from '../../messages.ts';

const CLUSTERS = ['a', 'b'];
const LISTENERS = ['l', 'm'];
const NAMES = ['r', 'q'];

/** Applies updates as a worker would, and checks that what each refers to is there. */
class ModelWorker {
  readonly state = new Map<string, Uint8Array | undefined>();

  apply(updates: readonly ResourceUpdate[]): void {
    for (const update of updates) {
      if (update.kind === 'remove') this.#remove(update.resource, update.name);
      else {
        if (update.kind === 'listener' || update.kind === 'cluster') this.#expectReferences(update);
        const bytes = 'bytes' in update ? update.bytes : undefined;
        this.state.set(`${update.kind} ${update.name}`, bytes);
      }
    }
    for (const key of this.state.keys()) {
      if (key.startsWith('cluster ')) assert.ok(this.state.has(key.replace('cluster', 'endpoints')), key);
    }
  }

  #expectReferences({ kind, bytes }: { kind: 'listener' | 'cluster'; bytes: Uint8Array }): void {
    for (const [type, name] of references(kind, bytes))
      assert.ok(this.state.has(`${type} ${name}`), `${type} ${name}`);
  }

  #remove(kind: string, name: string): void {
    assert.ok(this.state.delete(`${kind} ${name}`), `remove ${kind} ${name}`);
    for (const [key, bytes] of this.state) {
      const [user] = key.split(' ');
      if ((user !== 'listener' && user !== 'cluster') || bytes === undefined) continue;
      const used = references(user, bytes).some(([type, other]) => type === kind && other === name);
      assert.ok(!used, `${kind} ${name} went while ${key} uses it`);
    }
  }
}

function references(kind: 'listener' | 'cluster', bytes: Uint8Array): [type: string, name: string][] {
  const text =
    kind === 'listener'
      ? decode('envoy.config.listener.v3.Listener', bytes).stat_prefix
      : decode('envoy.config.cluster.v3.Cluster', bytes).alt_stat_name;
  return text
    .split(' ')
    .filter(Boolean)
    .map((wanted) => [wanted.startsWith('rds:') ? 'route' : 'secret', wanted.slice(4)]);
}

type Step = (parts: TestStore) => void;

/** A step that answers a subscription, when there is one. */
function answer(
  key: string,
  ...rest: Parameters<TestStore['subscriptions']['answer']> extends [string, ...infer R] ? R : never
): Step {
  return ({ subscriptions }) => {
    if (subscriptions.open.includes(key)) subscriptions.answer(key, ...rest);
  };
}

const dependencies = fc.subarray(['rds:r', 'rds:q', 'sds:r', 'sds:q']).map((all) => all.join(' '));

const steps = fc.oneof(
  fc
    .array(fc.tuple(fc.constantFrom(...CLUSTERS), fc.constantFrom('', 'sds:r', 'sds:q')), { maxLength: 3 })
    .chain((all) =>
      fc.boolean().map((full) => {
        const resources = all.map(([name, alt_stat_name]) => edsCluster(name, { alt_stat_name }));
        return answer('Cluster/*', resources, { full });
      }),
    ),
  fc
    .array(fc.tuple(fc.constantFrom(...LISTENERS), fc.constantFrom(80, 81), dependencies), { maxLength: 3 })
    .chain((all) =>
      fc.boolean().map((full) => {
        const resources = all.map(([name, port, wanted]) => listener(name, port, wanted));
        return answer('Listener/*', resources, { full });
      }),
    ),
  fc.constantFrom(...CLUSTERS).map((name) => answer('Cluster/*', [], { removed: [name] })),
  fc.constantFrom(...LISTENERS).map((name) => answer('Listener/*', [], { removed: [name] })),
  fc
    .tuple(fc.constantFrom(...CLUSTERS), fc.subarray([1, 2, 3]))
    .map(([name, hosts]) => answer(`ClusterLoadAssignment/${name}`, [assignment(name, ...hosts)])),
  fc.tuple(fc.constantFrom(...NAMES), fc.nat(2)).map(([name, version]) => {
    const virtual_hosts = [{ name: `v${version}`, domains: ['*'] }];
    return answer(`RouteConfiguration/${name}`, [resource('route', { name, virtual_hosts })]);
  }),
  fc.tuple(fc.constantFrom(...NAMES), fc.nat(2)).map(([name, version]) => {
    const generic_secret = { secret: { inline_string: `${version}` } };
    return answer(`Secret/${name}`, [resource('secret', { name, generic_secret })]);
  }),
  fc.constant<Step>(({ store }) => store.flush()),
);

test('a worker never lacks what it was told to use, and ends with the snapshot', () => {
  fc.assert(
    fc.property(fc.boolean(), fc.array(steps, { minLength: 10, maxLength: 60 }), (isUp, sequence) => {
      const parts = testStore(DYNAMIC);
      const worker = new ModelWorker();
      parts.store.loadStatic();
      parts.store.start(() => undefined);
      if (isUp) for (const type of ['Cluster', 'Listener']) parts.subscriptions.answer(`${type}/*`, []);
      for (const step of sequence) {
        step(parts);
        worker.apply(parts.updates.splice(0));
      }
      parts.store.flush();
      worker.apply(parts.updates.splice(0));
      const late = new ModelWorker();
      late.apply(parts.store.snapshot());
      assert.deepEqual(new Map([...worker.state].sort()), new Map([...late.state].sort()));
      parts.store.close();
    }),
    { numRuns: 500 },
  );
});
