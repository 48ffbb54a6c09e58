// Back-off, token bucket and time to live, with their clocks in hand.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JitteredExponentialBackOff } from './backoff.ts';
import { TokenBucket } from './token_bucket.ts';
import { TtlManager } from './ttl.ts';

test('the back-off is anywhere below 500 ms first, and never above 30 s', () => {
  const longest = new JitteredExponentialBackOff(undefined, undefined, () => 1);
  assert.deepEqual(
    Array.from({ length: 9 }, () => longest.nextMs()),
    [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000],
  );
  longest.reset();
  assert.equal(longest.nextMs(), 500);
  assert.equal(new JitteredExponentialBackOff(undefined, undefined, () => 0).nextMs(), 0);
});

test('a token bucket gives what it holds, then what flows in', () => {
  let now = 0;
  const bucket = new TokenBucket(2, 10, () => now);
  assert.deepEqual([bucket.consume(), bucket.consume(), bucket.consume()], [true, true, false]);
  assert.equal(bucket.nextTokenMs(), 100);
  now = 99;
  assert.equal(bucket.consume(), false);
  now = 100;
  assert.equal(bucket.consume(), true);
  now = 60_000;
  assert.deepEqual([bucket.consume(), bucket.consume(), bucket.consume()], [true, true, false]);
});

test('what is not renewed expires, each at its time', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let now = 0;
  t.mock.method(performance, 'now', () => now);
  const expired: string[] = [];
  const ttl = new TtlManager((names) => expired.push(...names));
  const pass = (ms: number): void => {
    now += ms;
    t.mock.timers.tick(ms);
  };
  ttl.set('a', 100);
  ttl.set('b', 200);
  ttl.set('c', 150);
  pass(90);
  ttl.set('a', 100);
  ttl.set('c', 0);
  pass(50);
  assert.deepEqual(expired, []);
  pass(50);
  assert.deepEqual(expired, ['a']);
  pass(20);
  assert.deepEqual(expired, ['a', 'b']);
  ttl.set('d', 10);
  ttl.close();
  pass(1_000);
  assert.deepEqual(expired, ['a', 'b']);
});
