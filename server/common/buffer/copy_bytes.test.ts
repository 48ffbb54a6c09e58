// Copies stay what they were when their source is overwritten, whatever their size and however many there are.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { copyBytes } from './copy_bytes.ts';

test('copies do not change with their source or with one another', () => {
  const source = Buffer.alloc(100_000);
  const copies: [Uint8Array, number][] = [];
  for (let i = 0; i < 200; i++) {
    const length = (i * 7919) % 99_000;
    source.fill(i);
    copies.push([copyBytes(source, 500, 500 + length), length]);
  }
  source.fill(0);
  copies.forEach(([copy, length], i) => {
    assert.equal(copy.length, length);
    assert.ok(copy.every((byte) => byte === i));
  });
});
