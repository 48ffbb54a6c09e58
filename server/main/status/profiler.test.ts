import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { type ProfiledThread, V8Profiler, validJson } from './profiler.ts';

/** Burns CPU time and allocates in a function of a name that profiles must show. */
const BUSY = `
  let kept = [];
  function burnInTheWorker() {
    const until = performance.now() + 5;
    while (performance.now() < until) kept.push({ value: Math.random() });
    if (kept.length > 100_000) kept = kept.slice(-50_000);
  }
  setInterval(burnInTheWorker, 6);
  require('node:worker_threads').parentPort.postMessage('busy');
`;

async function busyThread(t: TestContext): Promise<ProfiledThread> {
  const worker = new Worker(BUSY, { eval: true });
  t.after(() => worker.terminate());
  await once(worker, 'message');
  return {
    name: 'worker_0',
    startCpuProfile: () => worker.startCpuProfile(),
    startHeapProfile: (options) => worker.startHeapProfile(options),
    heapStatistics: () => worker.getHeapStatistics(),
  };
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('V8 profiles', () => {
  test('show what each thread did', async (t) => {
    const thread = await busyThread(t);
    const profiler = new V8Profiler(() => [thread], '');
    for (const kind of ['cpu', 'heap', 'allocation'] as const) {
      assert.equal(await profiler.start(kind), true);
      await sleep(300);
      const profiles = await profiler.stop(kind);
      assert.deepEqual([...profiles!.keys()], ['main_thread', 'worker_0']);
      assert.match(profiles!.get('worker_0')!, /burnInTheWorker/, kind);
      assert.ok(JSON.parse(profiles!.get('main_thread')!));
      assert.equal(await profiler.stop(kind), undefined);
    }
  });

  test('one of the CPU at a time, and one of the heap', async (t) => {
    const thread = await busyThread(t);
    const profiler = new V8Profiler(() => [thread], '');
    assert.equal(await profiler.start('cpu'), true);
    assert.equal(await profiler.start('cpu'), false);
    assert.equal(await profiler.start('heap'), true);
    assert.equal(await profiler.start('heap'), true);
    assert.equal(await profiler.start('allocation'), false);
    await profiler.stop('heap');
    assert.equal(await profiler.start('allocation'), true);
    await profiler.stop('allocation');
    await profiler.stop('cpu');
  });

  test('go to files at profile_path', async (t) => {
    const directory = mkdtempSync(path.join(os.tmpdir(), 'profile-'));
    t.after(() => rmSync(directory, { recursive: true }));
    const thread = await busyThread(t);
    const profiler = new V8Profiler(() => [thread], path.join(directory, 'pilotfish'));
    assert.equal(await profiler.start('cpu'), true);
    await sleep(50);
    assert.equal(await profiler.stop('cpu'), undefined);
    assert.deepEqual(readdirSync(directory).sort(), [
      'pilotfish.main_thread.cpuprofile',
      'pilotfish.worker_0.cpuprofile',
    ]);
    assert.ok(
      JSON.parse(readFileSync(path.join(directory, 'pilotfish.main_thread.cpuprofile'), 'utf8')).nodes,
    );
    const nowhere = new V8Profiler(() => [thread], path.join(directory, 'missing/pilotfish'));
    assert.equal(await nowhere.start('cpu'), false);
    // Nothing was left running.
    assert.equal(await profiler.start('cpu'), true);
    await profiler.stop('cpu');
  });

  test('a thread that ends takes only its own profile with it', async (t) => {
    const worker = new Worker(BUSY, { eval: true });
    await once(worker, 'message');
    const dying: ProfiledThread = {
      name: 'worker_0',
      startCpuProfile: () => worker.startCpuProfile(),
      startHeapProfile: (options) => worker.startHeapProfile(options),
      heapStatistics: () => worker.getHeapStatistics(),
    };
    const profiler = new V8Profiler(() => [dying], '');
    t.after(() => worker.terminate());
    assert.equal(await profiler.start('cpu'), true);
    await worker.terminate();
    assert.deepEqual([...(await profiler.stop('cpu'))!.keys()], ['main_thread']);
  });

  test('the heaps of all threads', async (t) => {
    const thread = await busyThread(t);
    const heaps = await new V8Profiler(() => [thread], '').heaps();
    assert.deepEqual([...heaps.keys()], ['main_thread', 'worker_0']);
    for (const heap of heaps.values()) assert.ok(heap.used > 100_000 && heap.used <= heap.committed);
  });
});

test('names of regular expressions in a profile become valid JSON', () => {
  const written = String.raw`{"functionName":"RegExp: ^a\.\d\u{1}\"\\"}`;
  assert.throws(() => JSON.parse(written));
  assert.deepEqual(JSON.parse(validJson(written)), {
    functionName: String.raw`RegExp: ^a\.\d\u{1}"\ `.trimEnd(),
  });
});
