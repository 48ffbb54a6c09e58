// Slots of the shared tables: pieces, rest before reuse, counters that are still in use.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PIECE_SLOTS } from '../../common/upstream/shared_table.ts';
import { SlotAllocator } from './slot_allocator.ts';

test('runs do not overlap, and a new piece is announced before its first run', () => {
  const pieces: number[] = [];
  const slots = new SlotAllocator('hosts', 16, [1], (_, index) => pieces.push(index));
  const first = slots.allocate();
  assert.deepEqual([first, slots.allocate(), pieces], [0, 16, [0]]);
  for (let i = 2; i < PIECE_SLOTS / 16; i++) slots.allocate();
  assert.deepEqual(pieces, [0]);
  assert.equal(slots.allocate(), PIECE_SLOTS);
  assert.deepEqual(pieces, [0, 1]);
  assert.equal(slots.memory.length, 2);
});

test('a freed run comes back after its rest, zeroed, once nothing counts in it', () => {
  let now = 0;
  const slots = new SlotAllocator(
    'hosts',
    16,
    [1],
    () => undefined,
    () => now,
  );
  const slot = slots.allocate();
  const view = slots.table.view(slot);
  view.set([5, 1, 7], slot);
  slots.free(slot);
  assert.equal(slots.allocate(), 16);
  now = 31_000;
  // A request that began before the removal is still counted.
  assert.equal(slots.allocate(), 32);
  view[slot + 1] = 0;
  assert.equal(slots.allocate(), 48);
  now = 62_000;
  assert.equal(slots.allocate(), slot);
  assert.deepEqual([...view.subarray(slot, slot + 3)], [0, 0, 0]);
});
