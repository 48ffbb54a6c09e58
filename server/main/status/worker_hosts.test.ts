import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { HOST_SLOTS, HostSlot } from '../../api/upstream/host.ts';
import { ipAddress } from '../../common/network/address.ts';
import { HostLatency } from '../../common/upstream/host_latency.ts';
import type { WorkerHost } from '../../common/upstream/worker_host.ts';
import { WorkerHosts } from './worker_hosts.ts';

const host = (times: readonly number[], more: Partial<WorkerHost> = {}): WorkerHost => {
  const latency = new HostLatency();
  for (const ms of times) latency.record(ms);
  const address = ipAddress('127.0.0.1', 80);
  return { cluster: 'c', address, hostname: '', latency: latency.counts, numbers: undefined, ...more };
};
const own = (hostname: string, requests: number): WorkerHost => {
  const numbers = new Int32Array(HOST_SLOTS);
  numbers[HostSlot.RequestTotal] = requests;
  return host([], { hostname, numbers, latency: undefined });
};
const percentiles = (...workers: (readonly number[])[]) =>
  new WorkerHosts(workers.map((times) => [host(times)])).latency('c', '127.0.0.1:80')!;

describe('percentiles of hosts', () => {
  test('are within 6 %, or 8 us, of what they are', () => {
    for (let ms = 0.001; ms < 30_000; ms *= 1.07) {
      const { p50, p99 } = percentiles([ms]);
      assert.equal(p50, p99);
      assert.ok(Math.abs(p50 - ms) <= Math.max(ms * 0.0625, 0.008) + 0.001, `${p50} for ${ms}`);
    }
    assert.ok(percentiles([1e9]).p50 > 30_000);
    assert.ok(percentiles([0]).p50 < 0.01);
  });

  test('are of all workers together', () => {
    const { p50, p99 } = percentiles(Array(50).fill(1), [...Array(47).fill(10), 500, 500, 500]);
    assert.ok(Math.abs(p50 - 1) < 0.07, `${p50}`);
    assert.ok(Math.abs(p99 - 500) < 32, `${p99}`);
    assert.equal(new WorkerHosts([]).latency('c', '127.0.0.1:80'), undefined);
  });

  test('forget what is long ago', () => {
    const { p50 } = percentiles([...Array(100_000).fill(1), ...Array(1500).fill(20)]);
    assert.ok(p50 > 18, `${p50}`);
  });
});

test('hosts that workers have found are told apart by address and name', () => {
  const hosts = new WorkerHosts([[own('a', 1), own('b', 2)], [own('a', 4)], []]);
  assert.deepEqual(
    [...hosts.own('c')].map(({ hostname, numbers }) => [hostname, numbers[HostSlot.RequestTotal]]),
    [
      ['a', 5],
      ['b', 2],
    ],
  );
  assert.deepEqual([...hosts.own('d')], []);
});
