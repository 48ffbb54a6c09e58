// The clocks of an event: read when it begins, the same until it ends.

import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { enter, leave, monotonicNow, systemNow } from './dispatcher.ts';

test('the clocks stand still during an event', () => {
  enter();
  const [monotonic, system] = [monotonicNow(), systemNow()];
  while (performance.now() < monotonic + 5);
  assert.deepEqual([monotonicNow(), systemNow()], [monotonic, system]);
  leave();
  assert.ok(monotonicNow() >= monotonic + 5);
});

test("the system's clock is followed when it is set", async () => {
  const hour = 3_600_000;
  const before = Date.now();
  assert.ok(systemNow() >= before - 1 && systemNow() <= Date.now() + 1);
  const clock = Date.now;
  mock.method(Date, 'now', () => clock() - hour);
  try {
    await sleep(150);
    const later = systemNow();
    assert.ok(later < before - hour + 60_000, `${later - before}`);
    assert.equal(Number.isInteger(later), true);
  } finally {
    mock.restoreAll();
  }
});
