// Runtime values: layers as Envoy flattens them, and what code reads from them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromJson } from '../../../xds-protos/json.ts';
import { flattenLayer } from './layer.ts';
import { RuntimeSnapshot } from './runtime.ts';

const layer = (json: object) => flattenLayer(fromJson('google.protobuf.Struct', json), 'layer');

test('objects flatten to dotted keys, fractions stay whole', () => {
  const values = layer({
    'x.y': { z: 1, w: 'foo' },
    f: { numerator: 5, denominator: 'TEN_THOUSAND' },
    b: true,
  });
  assert.deepEqual(Object.fromEntries(values), {
    'x.y.z': 1,
    'x.y.w': 'foo',
    f: '{"numerator":5,"denominator":"TEN_THOUSAND"}',
    b: true,
  });
  for (const json of [{ l: [1] }, { n: null }]) {
    assert.throws(() => layer(json), /Invalid runtime entry value for [ln]/);
  }
});

test('values are read by type', () => {
  const runtime = new RuntimeSnapshot({ i: 5, t: '12', d: 1.5, n: -1, b: 'TRUE', s: 'foo' });
  assert.deepEqual(
    ['i', 't', 'd', 'n', 's', 'x'].map((key) => runtime.getInteger(key, 99)),
    [5, 12, 99, 99, 99, 99],
  );
  assert.deepEqual(
    ['i', 'd', 'n', 's'].map((key) => runtime.getDouble(key, 9)),
    [5, 1.5, -1, 9],
  );
  assert.deepEqual(
    ['b', 'i', 'x'].map((key) => runtime.getBoolean(key, false)),
    [true, false, false],
  );
});

test('features: a number is a percentage, a fraction has its own denominator, else the default', () => {
  const runtime = new RuntimeSnapshot({ p: 30, f: '{"numerator":5,"denominator":"TEN_THOUSAND"}', bad: '{' });
  assert.deepEqual(
    [29, 30, 129].map((random) => runtime.featureEnabled('p', 0, 10_000, random)),
    [true, false, true],
  );
  assert.deepEqual(
    [4, 5, 10_004].map((random) => runtime.featureEnabled('f', 0, 100, random)),
    [true, false, true],
  );
  assert.deepEqual(
    [9, 10].map((random) => runtime.featureEnabled('bad', 10, 100, random)),
    [true, false],
  );
  runtime.update({});
  assert.equal(runtime.featureEnabled('p', 100, 100, 99), true);
});
