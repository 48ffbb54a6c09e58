// Load for HTTP by wrk, which costs its core less than any load generator on node: https://github.com/wg/wrk

import { execFile, spawnSync } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import type { LoadReport } from './load.ts';
import { LOAD_CORE, pinned } from './pinned_child.ts';

export const HAS_WRK = spawnSync('wrk', ['--version']).error === undefined;

/** `post`: 16 KB a request. */
export async function runWrk(
  url: string,
  connections: number,
  seconds: number,
  post: boolean,
): Promise<LoadReport> {
  const script = post ? ['-s', path.join(import.meta.dirname, 'post.lua')] : [];
  const flags = ['-t1', `-c${connections}`, `-d${seconds}s`];
  const [command, ...args] = pinned(LOAD_CORE, ['wrk', ...flags, ...script, url]);
  const { stdout } = await promisify(execFile)(command, args, { timeout: (seconds + 20) * 1000 });
  const number = (pattern: RegExp): number => Number(pattern.exec(stdout)?.[1] ?? 0);
  const sockets = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(stdout);
  const failed = (sockets ?? []).slice(1).reduce((sum, text) => sum + Number(text), 0);
  return { count: number(/(\d+) requests in/), errors: number(/Non-2xx or 3xx responses: (\d+)/) + failed };
}
