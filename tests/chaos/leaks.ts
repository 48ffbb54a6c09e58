// What must be gone when the traffic is over: connections and streams that are active, what waits, and what the process holds.

import { readdirSync } from 'node:fs';
import { eventually, type ProxyProcess } from '../integration/proxy_process.ts';
import { type MemoryReport, memoryReportsIn } from './memory_report.ts';

const MB = 1024 * 1024;
/** Gauges that say what is there, not what goes on; and the connection to the control plane, which stays. */
const NOT_TRAFFIC =
  /^(cluster\.xds\.|cluster_manager\.active_clusters|listener_manager\.|listener\.admin\.|http\.admin\.|server\.|thread_local)/;
const ACTIVE = /(_active|pending_send_bytes)$/;
/** Pools go a second after their last request. */
const SETTLED_MS = 8000;
/** What a thread's heap may grow by: caches fill, and code is compiled. */
const GROWTH_BYTES = 6 * MB;
/** Of each kind of handle, and of files: timers come and go. */
const GROWTH_HANDLES = 6;

/** What a process holds at rest. */
export interface Holdings {
  readonly threads: readonly MemoryReport[];
  readonly files: number;
}

/** Active gauges that are not 0 when they should all be. */
export async function activeGauges(proxy: ProxyProcess): Promise<string[]> {
  let active: string[] = [];
  const settled = async (): Promise<boolean> => {
    const { body } = await proxy.admin('/stats');
    active = body.split('\n').filter((line) => {
      const [name, value] = line.split(': ');
      return ACTIVE.test(name) && !NOT_TRAFFIC.test(name) && value !== '0';
    });
    return active.length === 0;
  };
  await eventually(settled, 'nothing is active', SETTLED_MS).catch(() => undefined);
  return active;
}

export async function holdingsOf(proxy: ProxyProcess): Promise<Holdings> {
  const before = memoryReportsIn(proxy.stderr).length;
  proxy.signal('SIGWINCH');
  const reports = (): MemoryReport[] => memoryReportsIn(proxy.stderr).slice(before);
  await eventually(async () => reports().length >= 3, 'each thread reports what it holds');
  return { threads: reports(), files: readdirSync(`/proc/${proxy.pid}/fd`).length };
}

/** What has grown between two times at rest. */
export function grown(before: Holdings, after: Holdings): string[] {
  const leaks: string[] = [];
  if (after.files > before.files + GROWTH_HANDLES)
    leaks.push(`open files: ${before.files}, then ${after.files}`);
  for (const { thread, heapBytes, handles } of after.threads) {
    const then = before.threads.find((one) => one.thread === thread);
    if (then === undefined) continue;
    if (heapBytes > then.heapBytes + GROWTH_BYTES)
      leaks.push(`heap of ${thread}: ${mb(then.heapBytes)}, then ${mb(heapBytes)}`);
    for (const [kind, count] of Object.entries(handles)) {
      const had = then.handles[kind] ?? 0;
      if (count > had + GROWTH_HANDLES) leaks.push(`${kind} of ${thread}: ${had}, then ${count}`);
    }
  }
  return leaks;
}

function mb(bytes: number): string {
  return `${(bytes / MB).toFixed(1)} MB`;
}
