// That `npm run bench` still runs; what it measures depends on the machine.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';
import { HAS_THREAD_TIMES } from '../integration/thread_times.ts';

function bench(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const command = [path.join(import.meta.dirname, 'bench.ts'), ...args];
  return spawnSync(process.execPath, command, { encoding: 'utf8', timeout: 60_000 });
}

test('measures', { skip: !HAS_THREAD_TIMES && 'no thread times in /proc' }, () => {
  const flags = ['--workloads', 'h1get', '--rounds', '1', '--seconds', '1.5', '--peers', 'pilotfish'];
  const { status, stdout, stderr } = bench(...flags);
  assert.equal(status, 0, stderr);
  const figure = /^\| HTTP\/1\.1 GET, .* \| CPU µs per request \| ([\d.]+) \|$/m.exec(stdout);
  assert.ok(Number(figure?.[1]) > 0, stdout);
});

test('refuses a workload that does not exist', () => {
  const { status, stderr } = bench('--workloads', 'h9');
  assert.equal(status, 1);
  assert.match(stderr, /no 'h9'; there are h1get, h1post/);
});
