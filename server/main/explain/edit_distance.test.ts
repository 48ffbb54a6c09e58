import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { editDistance, nearestOf } from './edit_distance.ts';

test('counts characters that were added, left out, changed and swapped', () => {
  assert.equal(editDistance('reviews', 'reviews'), 0);
  assert.equal(editDistance('reviews', 'review'), 1);
  assert.equal(editDistance('reviews', 'reveiws'), 1);
  assert.equal(editDistance('shop.example.com', 'shpo.exmaple.com'), 2);
  assert.equal(editDistance('kitten', 'sitting'), 3);
  assert.equal(editDistance('', 'abc'), 3);
  assert.equal(editDistance('abcdef', 'uvwxyz', 2), 3);
});

test('is the same both ways, and no more than the longer text', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 8 });
  fc.assert(
    fc.property(text, text, (a, b) => {
      const distance = editDistance(a, b);
      assert.equal(distance, editDistance(b, a));
      assert.ok(distance <= Math.max(a.length, b.length));
      assert.equal(distance === 0, a === b);
    }),
  );
});

test('finds the nearest name', () => {
  const names = ['reviews', 'ratings', 'details'];
  assert.deepEqual(
    nearestOf('retings', names, (name) => name),
    { found: 'ratings', distance: 1 },
  );
  assert.equal(
    nearestOf('x', [], (name: string) => name),
    undefined,
  );
});
