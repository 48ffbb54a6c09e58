import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { host } from '../../../tests/fakes/hosts.ts';
import { HostSlot } from '../../api/upstream/host.ts';
import {
  BREAKER_SLOTS,
  DEFAULT_THRESHOLDS,
  SharedResourceManager,
  type Thresholds,
} from './resource_manager.ts';

function managerOf(thresholds: Partial<Thresholds>): SharedResourceManager {
  const table = new Int32Array(BREAKER_SLOTS);
  return new SharedResourceManager(
    { ...DEFAULT_THRESHOLDS, ...thresholds },
    table,
    new Int32Array(BREAKER_SLOTS),
    0,
  );
}

describe('SharedResourceManager', () => {
  test('a limit is a limit, and what is released may be taken again', () => {
    const manager = managerOf({ maxConnections: 2 });
    assert.deepEqual(
      [1, 2, 3].map(() => manager.tryAcquireConnection()),
      [true, true, false],
    );
    manager.releaseConnection();
    assert.equal(manager.tryAcquireConnection(), true);
    assert.equal(manager.tryAcquirePendingRequest(), true, 'resources do not share their limits');
  });

  test('a host has a limit of its own', () => {
    const manager = managerOf({ maxConnectionsPerHost: 1 });
    const [one, other] = [host(1), host(2)];
    assert.equal(manager.tryAcquireConnectionTo(one), true);
    one.add(HostSlot.ActiveConnections, 1);
    assert.deepEqual(
      [manager.tryAcquireConnectionTo(one), manager.tryAcquireConnectionTo(other)],
      [false, true],
    );
  });

  test("Istio's MaxUint32 is no limit", () => {
    const manager = managerOf({ maxRequests: 0xffffffff });
    for (let i = 0; i < 5000; i++) assert.equal(manager.tryAcquireRequest(), true);
  });

  test('a retry budget follows the active requests', () => {
    const manager = managerOf({ retryBudgetPercent: 20, minRetryConcurrency: 3 });
    assert.equal(manager.maxRetries, 3);
    for (let i = 0; i < 100; i++) manager.acquireRequest();
    assert.equal(manager.maxRetries, 20);
  });

  test('threads together never hold more than the limit', async () => {
    const limit = 3;
    const memory = new SharedArrayBuffer(4 * (BREAKER_SLOTS + 2));
    const source = `
      const { workerData } = require('node:worker_threads');
      import(workerData.module).then(({ SharedResourceManager, DEFAULT_THRESHOLDS, BREAKER_SLOTS }) => {
        const table = new Int32Array(workerData.memory);
        const held = new Int32Array(BREAKER_SLOTS);
        const manager = new SharedResourceManager({ ...DEFAULT_THRESHOLDS, maxConnections: ${limit} }, table, held, 0);
        for (let i = 0; i < 20000; i++) {
          if (!manager.tryAcquireConnection()) continue;
          const held = Atomics.add(table, BREAKER_SLOTS, 1) + 1;
          if (held > ${limit}) Atomics.add(table, BREAKER_SLOTS + 1, 1);
          Atomics.sub(table, BREAKER_SLOTS, 1);
          manager.releaseConnection();
        }
      });`;
    const module = new URL('./resource_manager.ts', import.meta.url).href;
    await Promise.all(
      Array.from({ length: 4 }, () => {
        const worker = new Worker(source, { eval: true, workerData: { memory, module } });
        return new Promise((resolve, reject) => worker.once('exit', resolve).once('error', reject));
      }),
    );
    const table = new Int32Array(memory);
    assert.equal(table[BREAKER_SLOTS + 1], 0, 'times that the limit was passed');
    assert.equal(table[0], 0, 'connections held at the end');
  });
});
