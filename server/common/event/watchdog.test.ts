import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { StatAggregator } from '../stats/aggregator.ts';
import { ThreadStatStore } from '../stats/store.ts';
import { watchEventLoop } from './watchdog.ts';

test('an event loop that stood still is noticed', async (t) => {
  const aggregator = new StatAggregator();
  const stats = new ThreadStatStore((message) => aggregator.apply('main', message));
  t.after(watchEventLoop(stats, ['workers.', 'server.worker_0.']));
  const block = async (ms: number): Promise<void> => {
    const until = performance.now() + ms;
    while (performance.now() < until);
    await sleep(20);
  };
  await sleep(20);
  stats.flush();
  const misses = (kind: string): number[] =>
    ['workers.', 'server.worker_0.'].map((prefix) => aggregator.value(`${prefix}watchdog_${kind}`) || 0);
  await block(350);
  assert.deepEqual([misses('miss'), misses('mega_miss')], [[1, 1], [0, 0]]); // biome-ignore format: short
  await block(1100);
  assert.deepEqual([misses('miss'), misses('mega_miss')], [[2, 2], [1, 1]]); // biome-ignore format: short
});
