// What a process and its children cost, read from outside. Linux only: proc(5).

import { readdirSync, readFileSync } from 'node:fs';
import { threadTimes } from '../integration/thread_times.ts';

/** Source: proc(5), /proc/[pid]/stat; USER_HZ is 100. */
const MS_PER_TICK = 10;
/** ms by which ticks may be ahead of exact times only because they are coarse. */
const TICKS_ERROR_MS = 50;
const KB_PER_MB = 1024;

/** ms of CPU time since the start. */
export interface CpuTime {
  /** Exact, but a thread that ends takes its part with it. */
  readonly threads: number;
  /** Coarse, with threads that have ended. */
  readonly ticks: number;
}

export function cpuTime(root: number): CpuTime {
  let threads = 0;
  let ticks = 0;
  for (const pid of processTree(root)) {
    threads += threadTimes(pid).all;
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name of the program may hold spaces: fields are counted from its closing bracket. utime and stime.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    ticks += (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
  }
  return { threads, ticks };
}

/** ms spent between the two. */
export function cpuBetween(before: CpuTime, after: CpuTime): number {
  const threads = after.threads - before.threads;
  const ticks = after.ticks - before.ticks;
  return ticks - threads > TICKS_ERROR_MS ? ticks : threads;
}

/** MB of memory that the process and its children hold (RSS). */
export function residentMb(root: number): number {
  let kb = 0;
  for (const pid of processTree(root)) {
    kb += Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  }
  return kb / KB_PER_MB;
}

function processTree(root: number): number[] {
  const pids = [root];
  for (const tid of readdirSync(`/proc/${root}/task`)) {
    const children = readFileSync(`/proc/${root}/task/${tid}/children`, 'utf8').trim();
    if (children !== '') pids.push(...children.split(' ').flatMap((pid) => processTree(Number(pid))));
  }
  return pids;
}
