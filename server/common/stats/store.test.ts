import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Worker } from 'node:worker_threads';
import type { StatBlock } from '../../api/stats.ts';
import { finish } from '../event/steps.ts';
import { StatAggregator } from './aggregator.ts';
import type { StatsMessage } from './messages.ts';
import { statSchema } from './schema.ts';
import { listStats } from './stat_list.ts';
import { ThreadStatStore } from './store.ts';

const TRAFFIC = statSchema('test_traffic', {
  cx_total: 'counter',
  cx_active: 'gauge',
  rq_time: 'histogram:ms',
  rq_2xx: 'counter:unlisted',
});
const { cx_total, cx_active, rq_time, rq_2xx } = TRAFFIC.offset;

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

/** What is collected has been cleaned up after. */
async function collectGarbage(): Promise<void> {
  for (let i = 0; i < 2; i++) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    gc();
  }
  await new Promise((resolve) => setTimeout(resolve, 1));
}

function twoThreads(): {
  aggregator: StatAggregator;
  one: ThreadStatStore;
  two: ThreadStatStore;
  sync: () => void;
} {
  const aggregator = new StatAggregator();
  const one = new ThreadStatStore((message) => aggregator.apply('one', structuredClone(message)));
  const two = new ThreadStatStore((message) => aggregator.apply('two', structuredClone(message)));
  const sync = (): void => {
    one.flush();
    two.flush();
  };
  return { aggregator, one, two, sync };
}

function listed(aggregator: StatAggregator, usedOnly = false): Record<string, number> {
  const kinds = new Set(['counter', 'gauge', 'histogram'] as const);
  const stats = listStats(aggregator, { kinds, usedOnly, accepts: undefined, order: 'name' });
  // Adding 0 makes the -0 of an unused stat equal to 0.
  return Object.fromEntries([...stats].flatMap((stat) => (stat === '' ? [] : [[stat.name, stat.value + 0]])));
}

describe('ThreadStatStore and StatAggregator', () => {
  test('sums what threads count', () => {
    const { aggregator, one, two, sync } = twoThreads();
    const a = one.block(TRAFFIC, 'cluster.x.');
    const b = two.block(TRAFFIC, 'cluster.x.');
    a.values[a.base + cx_total]! += 3;
    b.values[b.base + cx_total]! += 4;
    a.values[a.base + cx_active]!++;
    b.values[b.base + cx_active]!--;
    sync();
    assert.equal(aggregator.value('cluster.x.cx_total'), 7);
    assert.deepEqual(listed(aggregator), {
      'cluster.x.cx_active': 0,
      'cluster.x.cx_total': 7,
      'cluster.x.rq_time': 0,
    });
  });

  test('values written after publishing are seen without another message', async () => {
    const aggregator = new StatAggregator();
    const worker = new Worker(
      `import { parentPort } from 'node:worker_threads';
       import { ThreadStatStore } from ${JSON.stringify(import.meta.resolve('./store.ts'))};
       const counter = new ThreadStatStore((message) => parentPort.postMessage(message)).counter('hits');
       parentPort.once('message', () => { counter.add(41); parentPort.postMessage('added'); });`,
      { eval: true },
    );
    const next = (): Promise<unknown> => new Promise((resolve) => worker.once('message', resolve));
    aggregator.apply('worker', (await next()) as StatsMessage);
    assert.equal(aggregator.value('hits'), 0);
    worker.postMessage('go');
    assert.equal(await next(), 'added');
    assert.equal(aggregator.value('hits'), 41);
    await worker.terminate();
  });

  test('a gauge back at zero counts as used, an untouched one does not', () => {
    const { aggregator, one, sync } = twoThreads();
    const block = one.block(TRAFFIC, 'x.');
    one.gauge('server.state').set(0);
    block.values[block.base + cx_active]!++;
    block.values[block.base + cx_active]!--;
    sync();
    assert.deepEqual(listed(aggregator, true), { 'server.state': 0, 'x.cx_active': 0 });
  });

  test('unlisted stats appear with their first value', () => {
    const { aggregator, one, sync } = twoThreads();
    const block = one.block(TRAFFIC, 'x.');
    sync();
    assert.equal('x.rq_2xx' in listed(aggregator), false);
    block.values[block.base + rq_2xx]!++;
    assert.equal(listed(aggregator)['x.rq_2xx'], 1);
  });

  test('the same arguments give the same block, released once for each', () => {
    const { aggregator, one, sync } = twoThreads();
    const first = one.block(TRAFFIC, 'x.');
    assert.equal(one.block(TRAFFIC, 'x.'), first);
    assert.equal(one.counter('named'), one.counter('named'));
    one.release(first);
    sync();
    assert.equal(aggregator.value('x.cx_total'), 0);
    one.release(first);
    one.release(first);
    sync();
    assert.equal(aggregator.value('x.cx_total'), undefined);
  });

  test('slots of a released block come back clean', async () => {
    const { aggregator, one, sync } = twoThreads();
    let old: StatBlock | undefined = one.block(TRAFFIC, 'old.');
    const { values, base } = old;
    old.values[old.base + cx_total]! += 9;
    old.record(rq_time, 12);
    sync();
    one.release(old);
    // Whoever still holds it may count in it.
    await collectGarbage();
    const other = one.block(TRAFFIC, 'other.');
    assert.notEqual(other.base, base);
    old.values[old.base + cx_total]! += 9;
    old = undefined;
    await collectGarbage();
    one.release(other);
    const reused = one.block(TRAFFIC, 'new.');
    assert.deepEqual([reused.values, reused.base], [values, base]);
    reused.record(rq_time, 34);
    sync();
    finish(aggregator.flushHistograms());
    assert.deepEqual(listed(aggregator), { 'new.cx_active': 0, 'new.cx_total': 0, 'new.rq_time': 0 });
    const [family] = aggregator.families();
    assert.deepEqual(family?.histogram(rq_time)?.cumulative.buckets, [{ low: 34, width: 1, count: 1 }]);
  });

  test('a thread that ended leaves its counts and takes its gauges', () => {
    const { aggregator, one, two, sync } = twoThreads();
    const a = one.block(TRAFFIC, 'x.');
    const b = two.block(TRAFFIC, 'x.');
    for (const block of [a, b]) {
      block.values[block.base + cx_total]! += 5;
      block.values[block.base + cx_active]! += 2;
      block.record(rq_time, 10);
    }
    two.block(TRAFFIC, 'only two.');
    sync();
    aggregator.removeThread('two');
    finish(aggregator.flushHistograms());
    assert.deepEqual(listed(aggregator), { 'x.cx_active': 2, 'x.cx_total': 10, 'x.rq_time': 0 });
    assert.equal([...aggregator.families()][0]?.histogram(rq_time)?.cumulative.sampleCount, 2);
  });

  test('reset_counters takes counters to zero, keeps them used and counts on', () => {
    const { aggregator, one, sync } = twoThreads();
    const block = one.block(TRAFFIC, 'x.');
    block.values[block.base + cx_total]! += 5;
    block.values[block.base + cx_active]! += 2;
    sync();
    finish(aggregator.resetCounters());
    assert.deepEqual(listed(aggregator, true), { 'x.cx_active': 2, 'x.cx_total': 0 });
    block.values[block.base + cx_total]! += 1;
    assert.equal(aggregator.value('x.cx_total'), 1);
  });

  test('declared families are listed at zero until nobody wants them', () => {
    const { aggregator, one, sync } = twoThreads();
    aggregator.declare(TRAFFIC, 'x.');
    assert.equal(aggregator.value('x.cx_total'), 0);
    const block = one.block(TRAFFIC, 'x.');
    block.values[block.base + cx_total]!++;
    sync();
    assert.equal(aggregator.value('x.cx_total'), 1);
    one.release(block);
    sync();
    assert.equal(aggregator.value('x.cx_total'), 0);
    aggregator.undeclare(TRAFFIC, 'x.');
    assert.equal(aggregator.value('x.cx_total'), undefined);
  });

  test('two families with a stat of the same name are one stat', () => {
    const { aggregator, one, sync } = twoThreads();
    one.block(statSchema('test_other', { cx_total: 'counter' }), 'x.');
    const block = one.block(TRAFFIC, 'x.');
    block.values[block.base + cx_total]! += 2;
    sync();
    assert.deepEqual(Object.keys(listed(aggregator)), ['x.cx_active', 'x.cx_total', 'x.rq_time']);
    assert.equal(listed(aggregator)['x.cx_total'], 2);
  });

  test('a stat with tags has them in its full name', () => {
    const { aggregator, one, sync } = twoThreads();
    const tags = [{ name: 'reporter', value: 'source' }];
    one.counter('istiocustom.istio_requests_total', tags).add(1);
    sync();
    assert.equal(aggregator.value('istiocustom.istio_requests_total.reporter.source'), 1);
    assert.deepEqual([...aggregator.families()][0]?.tagged?.tags, tags);
  });

  test('texts come, change and go', () => {
    const { aggregator, one, sync } = twoThreads();
    one.textReadout('version_text', 'v1');
    one.textReadout('version_text', 'v2');
    sync();
    assert.deepEqual([...aggregator.textReadouts], [['version_text', 'v2']]);
    one.textReadout('version_text', undefined);
    sync();
    assert.equal(aggregator.textReadouts.size, 0);
  });
});
