import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { NumberTable } from './number_table.ts';

test('finds what a Map finds', () => {
  const key = fc.oneof(fc.nat(), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }));
  fc.assert(
    fc.property(fc.uniqueArray(key), fc.array(key), (present, asked) => {
      const map = new Map(present.map((each, i) => [each, i]));
      const table = new NumberTable(present.length);
      for (const [each, i] of map) table.add(each, i);
      assert.equal(table.size, map.size);
      for (const each of [...present, ...asked]) assert.equal(table.get(each), map.get(each) ?? -1);
      const entries: [number, number][] = [];
      table.forEach((each, i) => {
        entries.push([each, i]);
      });
      assert.deepEqual(new Map(entries), map);
    }),
  );
});

test('addresses that follow each other do not crowd', () => {
  const table = new NumberTable(50_000);
  const start = performance.now();
  for (let i = 0; i < 50_000; i++) table.add((0x7f00_0000 + i) * 65_536 + 8080, i);
  for (let i = 0; i < 50_000; i++) assert.equal(table.get((0x7f00_0000 + i) * 65_536 + 8080), i);
  // A table in which they crowd takes minutes.
  assert.ok(performance.now() - start < 5000);
});
