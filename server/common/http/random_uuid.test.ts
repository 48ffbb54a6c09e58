import assert from 'node:assert/strict';
import { test } from 'node:test';
import { randomUuid } from './random_uuid.ts';

const VERSION_4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

test('every id is a version 4 UUID, and none comes twice', () => {
  const seen = new Set<string>();
  for (let i = 0; i < 1000; i++) {
    const id = randomUuid();
    assert.match(id, VERSION_4);
    seen.add(id);
  }
  assert.equal(seen.size, 1000);
});

test('all digits but version and variant vary', () => {
  const digits = Array.from({ length: 36 }, () => new Set<string>());
  for (let i = 0; i < 1000; i++) {
    const id = randomUuid();
    for (let at = 0; at < id.length; at++) digits[at].add(id[at]);
  }
  const kinds = digits.map((one) => one.size);
  assert.deepEqual(
    kinds,
    [...'xxxxxxxx-xxxx-vxxx-yxxx-xxxxxxxxxxxx'].map((one) => ({ x: 16, y: 4, v: 1, '-': 1 })[one]),
  );
});
