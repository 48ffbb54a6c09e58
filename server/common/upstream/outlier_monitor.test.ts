import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { HOST_SLOTS, HostSlot } from '../../api/upstream/host.ts';

test('errors in a row are counted over all threads, and one of them reports', async () => {
  const threads = 4;
  const errors = 5000;
  const memory = new SharedArrayBuffer(4 * (HOST_SLOTS + 1));
  const source = `
    const { workerData } = require('node:worker_threads');
    Promise.all(workerData.modules.map((each) => import(each))).then(([{ OutlierMonitor }, { compileOutlierDetection }]) => {
      const table = new Int32Array(workerData.memory);
      const config = compileOutlierDetection({ consecutive_5xx: { value: ${threads * errors} } }, '');
      const runtime = { getInteger: (_key, fallback) => fallback };
      const monitor = new OutlierMonitor(config, runtime, (_host, error) => {
        if (error === 'CONSECUTIVE_5XX') Atomics.add(table, ${HOST_SLOTS}, 1);
      });
      for (let i = 0; i < ${errors}; i++) monitor.putHttpResponseCode({ table, slot: 0 }, 500);
    });`;
  const modules = ['./outlier_monitor.ts', './outlier_detection_config.ts'].map(
    (each) => new URL(each, import.meta.url).href,
  );
  await Promise.all(
    Array.from({ length: threads }, () => {
      const worker = new Worker(source, { eval: true, workerData: { memory, modules } });
      return new Promise((resolve, reject) => worker.once('exit', resolve).once('error', reject));
    }),
  );
  const table = new Int32Array(memory);
  assert.equal(table[HOST_SLOTS], 1, 'reports');
  assert.equal(table[HostSlot.ExternalTotal], threads * errors);
  assert.equal(table[HostSlot.ExternalSuccess], 0);
});
