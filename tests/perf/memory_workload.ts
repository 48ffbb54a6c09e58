// What a proxy and its idle connections hold in memory: connections that have each made one request.

import { setTimeout as sleep } from 'node:timers/promises';
import type { LoadReport } from './load.ts';
import { PinnedChild } from './pinned_child.ts';
import { residentMb } from './process_cost.ts';
import type { Figure, Workload } from './workload.ts';

const COUNTS = [1000, 5000];
/** Of the figure with the most connections; by itself no process on node is smaller than Envoy. */
const GOAL = 1;
/** ms after which a process has done what it does when it starts, or when connections have come. */
const SETTLED_MS = 1500;
/** ms in which all connections must be there. */
const OPEN_MS = 60_000;

export const mem: Workload = async (stage, peer) => {
  const { proxy, ports } = await stage.startServing(peer);
  try {
    await sleep(SETTLED_MS);
    const figures = [figure('no connection', residentMb(proxy.pid))];
    for (const count of COUNTS) {
      const goal = count === COUNTS.at(-1) ? GOAL : undefined;
      const title = `${count.toLocaleString('en')} idle connections`;
      figures.push(figure(title, await memoryWith(count, ports.http, proxy.pid), goal));
    }
    return figures;
  } finally {
    await stage.end(proxy);
  }
};

function figure(title: string, value: number, goal?: number): Figure {
  return { title: `Memory, ${title}`, unit: 'MB', value, goal };
}

async function memoryWith(connections: number, port: number, pid: number): Promise<number> {
  const plan = { kind: 'idle', port, connections };
  const clients = new PinnedChild('load.ts', JSON.stringify(plan));
  try {
    const { errors, reason } = await clients.report<LoadReport>(OPEN_MS);
    if (errors > 0) throw new Error(`${errors} of ${connections} connections failed: ${reason}`);
    await sleep(SETTLED_MS);
    return residentMb(pid);
  } finally {
    clients.stop();
  }
}
