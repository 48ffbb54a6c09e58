// What reading the admin port costs, with ten thousand clusters: how long the two big answers take, what they leave in memory, and
// what they do to the traffic meanwhile.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type AdminRead,
  type AdminReaderPlan,
  isReading,
  type PacedLoadPlan,
  type PacedLoadReport,
  type TimeTable,
} from './admin_plans.ts';
import { adminBootstrap, discoveryResponse } from './bootstraps.ts';
import { isReady } from './clusters_workload.ts';
import { freePorts, type PeerProcess } from './peer_process.ts';
import { PinnedChild } from './pinned_child.ts';
import { residentMb } from './process_cost.ts';
import { median } from './report.ts';
import type { Figure, Workload } from './workload.ts';

const CLUSTERS = 10_000;
const CONFIG_DUMP = '/config_dump';
const PROMETHEUS = '/stats/prometheus';
/** s that each may take, and how much longer the slowest requests may take meanwhile. */
const LIMITS = { [CONFIG_DUMP]: 0.5, [PROMETHEUS]: 2, p99: 1.1 };
/** MB that may stay behind. */
const MEMORY_LIMIT = 30;
/** Of each answer, after the first. */
const READS = 10;
const REQUESTS_PER_SECOND = 1000;
/** Windows with and without reading in a round: three rounds make twelve. */
const PAIRS = 4;
const SETTLED_MS = 1500;
/** ms until load and reader have started. */
const START_MS = 1500;
const READ_MS = 120_000;

export const admin: Workload = async (stage, peer, seconds) => {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'bench-admin-'));
  const file = path.join(directory, 'cds.json');
  try {
    writeFileSync(file, JSON.stringify(discoveryResponse(CLUSTERS, 'one')));
    const [adminPort, port] = await freePorts(2);
    const bootstrap = adminBootstrap(adminPort, port, (await stage.upstreamPorts).http, file);
    const url = `http://127.0.0.1:${adminPort}`;
    const proxy = await stage.start(peer, bootstrap, () => isReady(url));
    try {
      await sleep(SETTLED_MS);
      const alone = await readAlone(proxy, adminPort);
      const figures = [...alone, ...(await readUnderLoad(adminPort, port, seconds))];
      const prefix = `${CLUSTERS.toLocaleString('en')} clusters`;
      return figures.map((figure) => ({ ...figure, title: `${prefix}, ${figure.title}` }));
    } finally {
      await stage.end(proxy);
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
};

async function readAlone(proxy: PeerProcess, port: number): Promise<Figure[]> {
  const before = residentMb(proxy.pid);
  const figures: Figure[] = [];
  for (const each of [CONFIG_DUMP, PROMETHEUS] as const) {
    const [first] = await read({ kind: 'count', port, paths: [each], count: 1 });
    figures.push({ title: `${each}, the first`, unit: 's', value: first!.ms / 1000 });
    const reads = await read({ kind: 'count', port, paths: [each], count: READS });
    const value = median(reads.map(({ ms }) => ms / 1000));
    figures.push({ title: each, unit: 's', limit: LIMITS[each], value });
  }
  await sleep(SETTLED_MS);
  const value = residentMb(proxy.pid) - before;
  figures.push({
    title: `memory that ${READS + 1} of each leave behind`,
    unit: 'MB',
    limit: MEMORY_LIMIT,
    value,
  });
  return figures;
}

async function readUnderLoad(adminPort: number, port: number, seconds: number): Promise<Figure[]> {
  const table: TimeTable = { begin: Date.now() + START_MS, windowMs: seconds * 1000, windows: 2 * PAIRS };
  const plan: PacedLoadPlan = { table, port, adminPort, requestsPerSecond: REQUESTS_PER_SECOND };
  const load = new PinnedChild('paced_load.ts', JSON.stringify(plan));
  try {
    const [reads, { p99, ready, errors, reason }] = await Promise.all([
      read({ kind: 'windows', port: adminPort, paths: [CONFIG_DUMP, PROMETHEUS], table }),
      load.report<PacedLoadReport>(READ_MS),
    ]);
    if (errors > 0) throw new Error(`${errors} errors: ${reason}`);
    return [...timesUnderLoad(reads), ...pairs(p99, ready)];
  } finally {
    load.stop();
  }
}

function timesUnderLoad(reads: readonly AdminRead[]): Figure[] {
  return [CONFIG_DUMP, PROMETHEUS].flatMap((each) => {
    const times = reads.filter((read) => read.path === each).map(({ ms }) => ms / 1000);
    // Windows may be shorter than the answer takes.
    if (times.length === 0) return [];
    return { title: `${each} with traffic`, unit: 's', value: median(times) };
  });
}

/** A figure of each pair of neighbouring windows. */
function pairs(p99: readonly number[], ready: readonly number[]): Figure[] {
  const figures: Figure[] = [];
  for (let i = 0; i < p99.length; i += 2) {
    const [reading, quiet] = isReading(i) ? [i, i + 1] : [i + 1, i];
    const [busy, idle] = [p99[reading] as number, p99[quiet] as number];
    figures.push(
      { title: 'p99 of requests', unit: 'ms', value: idle },
      { title: 'p99 of requests while both are read', unit: 'ms', value: busy },
      { title: 'p99 while both are read, of p99 without', unit: '', limit: LIMITS.p99, value: busy / idle },
      { title: 'longest /ready', unit: 'ms', value: ready[quiet] as number },
      { title: 'longest /ready while both are read', unit: 'ms', value: ready[reading] as number },
    );
  }
  return figures;
}

async function read(plan: AdminReaderPlan): Promise<AdminRead[]> {
  // It gets what the others leave: it must not be what the load waits for.
  const child = new PinnedChild('admin_reader.ts', JSON.stringify(plan), 'idle');
  try {
    return await child.report<AdminRead[]>(READ_MS);
  } finally {
    child.stop();
  }
}
