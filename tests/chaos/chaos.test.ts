// Half a minute of chaos (see chaos.ts). CHAOS_SEED repeats a run.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { chaos } from './chaos.ts';

const SECONDS = 30;
const seed = Number(process.env.CHAOS_SEED ?? Date.now() % 2 ** 31);

const skip = !existsSync('/proc/self/fd') && 'no /proc, and addresses 127.x.y.z only on Linux';
test(`${SECONDS} seconds of chaos (CHAOS_SEED=${seed})`, { skip, timeout: 120_000 }, async (t) => {
  const { requests, outcomes, violations } = await chaos({ seconds: SECONDS, seed });
  t.diagnostic(`${requests} requests: ${[...outcomes].map((one) => one.join(' ')).join(', ')}`);
  assert.deepEqual(violations, []);
  assert.ok(requests > 1000, `${requests} requests`);
});
