// What the threads of a process cost, from outside and without asking it. Linux only: proc(5), /proc/[pid]/task/[tid]/schedstat.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** Can they be read here? */
export const HAS_THREAD_TIMES = existsSync('/proc/self/task') && existsSync('/proc/self/schedstat');

/** ms of CPU time since the start: of the main thread, of all workers, of the whole process. */
export interface ThreadTimes {
  readonly main: number;
  readonly workers: number;
  readonly all: number;
}

export function threadTimes(pid: number): ThreadTimes {
  const times = { main: 0, workers: 0, all: 0 };
  const tasks = `/proc/${pid}/task`;
  for (const tid of readdirSync(tasks)) {
    const read = (file: string): string => readFileSync(path.join(tasks, tid, file), 'utf8');
    const ms = Number(read('schedstat').split(' ')[0]) / 1e6;
    times.all += ms;
    if (Number(tid) === pid) times.main += ms;
    else if (read('comm').startsWith('worker_')) times.workers += ms;
  }
  return times;
}

export function between(before: ThreadTimes, after: ThreadTimes): ThreadTimes {
  return {
    main: after.main - before.main,
    workers: after.workers - before.workers,
    all: after.all - before.all,
  };
}
