// Waiting for what must come true, for tests of what happens later: never for a time, which a busy machine needs twice.

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

/** ms after which it will not come true any more: a machine that is many times slower than usual gets there before. */
const PATIENCE_MS = 45_000;
/** ms between two looks. */
const PAUSE_MS = 5;

/** Resolves when the condition holds; rejects after `patienceMs` milliseconds. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  patienceMs = PATIENCE_MS,
): Promise<void> {
  const deadline = performance.now() + patienceMs;
  while (!(await condition())) {
    assert.ok(performance.now() < deadline, `it never came to that: ${condition}`);
    await sleep(PAUSE_MS);
  }
}
