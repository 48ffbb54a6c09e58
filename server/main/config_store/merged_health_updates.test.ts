import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MergedHealthUpdates } from './merged_health_updates.ts';

test('the first change at once, those that follow together at the end of the window', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const published: number[] = [];
  const updates = new MergedHealthUpdates(() => published.push(Date.now()), 1000, Date.now);
  t.mock.timers.tick(5000);
  updates.changed();
  t.mock.timers.tick(300);
  updates.changed();
  t.mock.timers.tick(600);
  updates.changed();
  assert.deepEqual(published, [5000]);
  t.mock.timers.tick(400);
  assert.deepEqual(published, [5000, 6300]);
  t.mock.timers.tick(4600);
  updates.changed();
  assert.deepEqual(published, [5000, 6300, 10_900]);
  // New hosts tell the workers everything.
  updates.changed();
  updates.superseded();
  t.mock.timers.tick(5000);
  assert.equal(published.length, 3);
});

test('no window: every change at once', () => {
  let published = 0;
  const updates = new MergedHealthUpdates(() => published++, 0);
  for (let i = 0; i < 3; i++) updates.changed();
  assert.equal(published, 3);
});
