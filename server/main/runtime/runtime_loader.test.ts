// The layers of the main thread: order, the admin layer, disk and RTDS.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { FakeStatStore } from '../../../tests/fakes/factory_context.ts';
import { FakeSubscriptions } from '../../../tests/fakes/fake_subscriptions.ts';
import { fromJson } from '../../../xds-protos/json.ts';
import { encode } from '../../../xds-protos/load.ts';
import type { RuntimeValues } from '../../common/runtime/runtime.ts';
import { RuntimeLoader } from './runtime_loader.ts';

function loader(layers: object[], stats = new FakeStatStore()) {
  const published: RuntimeValues[] = [];
  const bootstrap = fromJson('envoy.config.bootstrap.v3.Bootstrap', { layered_runtime: { layers } });
  return {
    runtime: new RuntimeLoader(bootstrap, stats, (values) => published.push(values)),
    published,
    stats,
  };
}

test('later layers win, and the admin layer can be changed and taken back', () => {
  const { runtime, published, stats } = loader([
    { name: 'base', static_layer: { a: 1, b: 2 } },
    { name: 'over', static_layer: { b: 3 } },
    { name: 'admin', admin_layer: {} },
  ]);
  assert.deepEqual(runtime.values, { a: 1, b: 3 });
  assert.equal(runtime.modify(new Map([['a', '7']])), true);
  assert.equal(runtime.snapshot.getInteger('a', 0), 7);
  assert.deepEqual(runtime.entries[0], { name: 'a', layerValues: ['1', '', '7'], finalValue: '7' });
  assert.equal(stats.value('runtime.admin_overrides_active'), 1);
  runtime.modify(new Map([['a', '']]));
  assert.deepEqual(published.at(-1), { a: 1, b: 3 });
  assert.equal(loader([]).runtime.modify(new Map()), false);
});

test('layers that contradict each other are refused', () => {
  assert.throws(
    () =>
      loader([
        { name: 'a', admin_layer: {} },
        { name: 'a', admin_layer: {} },
      ]),
    /Duplicate layer name: a/,
  );
  assert.throws(
    () =>
      loader([
        { name: 'a', admin_layer: {} },
        { name: 'b', admin_layer: {} },
      ]),
    /Too many admin layers/,
  );
});

test('a disk layer is a tree of files behind a link, read again when the link is replaced', async (t) => {
  const folder = mkdtempSync('/tmp/pilotfish-');
  t.after(() => rmSync(folder, { recursive: true }));
  for (const [tree, value] of [
    ['one', '1'],
    ['two', '2'],
  ] as const) {
    mkdirSync(path.join(folder, tree, 'envoy', 'x'), { recursive: true });
    writeFileSync(path.join(folder, tree, 'envoy', 'x', 'y'), `# a comment\n${value}\n`);
  }
  const link = path.join(folder, 'current');
  symlinkSync('one', link);
  const { runtime, published } = loader([
    { name: 'disk', disk_layer: { symlink_root: link, subdirectory: 'envoy' } },
  ]);
  t.after(() => runtime.close());
  assert.deepEqual(runtime.values, { 'x.y': '1' });
  symlinkSync('two', path.join(folder, 'new'));
  renameSync(path.join(folder, 'new'), link);
  while (published.at(-1)?.['x.y'] !== '2') await new Promise((resolve) => setTimeout(resolve, 5));
});

test('RTDS layers hold the start up until they answer, and refuse what is no layer', () => {
  const source = { ads: {}, resource_api_version: 'V3' };
  const { runtime } = loader([{ name: 'remote', rtds_layer: { name: 'r', rtds_config: source } }]);
  const subscriptions = new FakeSubscriptions();
  let ready = false;
  runtime.startRtds(subscriptions, () => {
    ready = true;
  });
  const answer = (layer: object) => {
    const type = 'envoy.service.runtime.v3.Runtime';
    const bytes = encode(type, fromJson(type, { name: 'r', layer }));
    return subscriptions.answer('Runtime/r', [{ name: 'r', typeUrl: type, version: '1', bytes, ttlMs: 0 }]);
  };
  assert.match(answer({ a: [1] })[0]?.reason ?? '', /Invalid runtime entry value for a/);
  assert.equal(ready, false);
  assert.deepEqual(answer({ a: 1 }), []);
  assert.equal(ready, true);
  assert.deepEqual(runtime.values, { a: 1 });
});
