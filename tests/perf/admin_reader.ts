// Reads the admin port, a child process of the benchmark. Takes an AdminReaderPlan as JSON, and writes what it read as one line of
// JSON: a list of AdminRead.

import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type AdminRead, type AdminReaderPlan, isReading, windowAt } from './admin_plans.ts';

const BUFFER_BYTES = 256 * 1024;

/** Undefined when it was not done at `deadline`, in ms since 1970: it is broken off then. Rejects for any answer but 200. */
function read(port: number, path: string, deadline: number): Promise<AdminRead | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<AdminRead | undefined>();
  const start = performance.now();
  let bytes = 0;
  const take = (length: number, buffer: Uint8Array): boolean => {
    if (bytes === 0 && Buffer.from(buffer.buffer, 0, 13).toString('latin1') !== 'HTTP/1.1 200 ')
      reject(new Error(`${path}: ${Buffer.from(buffer.buffer, 0, length).toString('latin1')}`));
    bytes += length;
    return true;
  };
  const onread = { buffer: Buffer.allocUnsafeSlow(BUFFER_BYTES), callback: take };
  const socket = net.connect({ port, host: '127.0.0.1', onread });
  const late = Number.isFinite(deadline)
    ? setTimeout(() => {
        resolve(undefined);
        socket.destroy();
      }, deadline - Date.now())
    : undefined;
  socket.on('error', reject).on('close', () => {
    clearTimeout(late);
    resolve({ path, ms: performance.now() - start, bytes });
  });
  socket.write(`GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n`);
  return promise;
}

async function readWindows({ port, paths, table }: Extract<AdminReaderPlan, { kind: 'windows' }>) {
  const reads: AdminRead[] = [];
  for (let i = 0; ; ) {
    const window = windowAt(table, Date.now());
    if (window >= table.windows) return reads;
    const end = table.begin + (window + 1) * table.windowMs;
    if (window < 0 || !isReading(window)) {
      await sleep(end - Date.now());
      continue;
    }
    const done = await read(port, paths[i % paths.length] as string, end);
    if (done === undefined) continue;
    reads.push(done);
    i++;
  }
}

async function readCount({ port, paths, count }: Extract<AdminReaderPlan, { kind: 'count' }>) {
  const reads: AdminRead[] = [];
  for (let i = 0; i < count; i++) {
    for (const path of paths) reads.push((await read(port, path, Number.POSITIVE_INFINITY)) as AdminRead);
  }
  return reads;
}

const plan = JSON.parse(process.argv[2]) as AdminReaderPlan;
const reads = plan.kind === 'count' ? await readCount(plan) : await readWindows(plan);
process.stdout.write(`${JSON.stringify(reads)}\n`);
