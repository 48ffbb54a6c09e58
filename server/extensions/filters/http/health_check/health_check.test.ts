import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HealthCheckCache } from './health_check.ts';

test('a remembered answer is forgotten with the next tick of the clock, however new it is', () => {
  const cache = new HealthCheckCache(1000, 0);
  assert.equal(cache.isFresh(0), false);
  cache.set(503, true, 100);
  assert.deepEqual([cache.isFresh(999), cache.status, cache.degraded], [true, 503, true]);
  assert.equal(cache.isFresh(1000), false);
  cache.set(200, false, 2999);
  assert.deepEqual([cache.isFresh(2999), cache.isFresh(3000)], [true, false]);
});
