// Load for HTTP/2 by h2load, which costs its core less than any load generator on node: https://nghttp2.org

import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import type { LoadReport } from './load.ts';
import { LOAD_CORE, pinned } from './pinned_child.ts';

export const HAS_H2LOAD = spawnSync('h2load', ['--version']).error === undefined;

const GRPC_HEADERS = ['-H', 'content-type: application/grpc', '-H', 'te: trailers'];

/** `streams` at a time on each of `connections`. `message`: the body of a gRPC call; undefined for GET. */
export async function runH2load(
  url: string,
  connections: number,
  streams: number,
  seconds: number,
  message: Uint8Array | undefined,
): Promise<LoadReport> {
  const flags = ['-t1', `-c${connections}`, `-m${streams}`, `-D${seconds}`];
  const body = message === undefined ? [] : [...GRPC_HEADERS, '-d', inFile(message)];
  const [command, ...args] = pinned(LOAD_CORE, ['h2load', ...flags, ...body, url]);
  const { stdout } = await promisify(execFile)(command, args, { timeout: (seconds + 20) * 1000 });
  const number = (pattern: RegExp): number => Number(pattern.exec(stdout)?.[1] ?? 0);
  const done = number(/(\d+) done/);
  return { count: done, errors: done - number(/status codes: (\d+) 2xx/) };
}

function inFile(bytes: Uint8Array): string {
  const file = path.join(mkdtempSync(path.join(os.tmpdir(), 'pilotfish-bench-')), 'message');
  writeFileSync(file, bytes);
  return file;
}
