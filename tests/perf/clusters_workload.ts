// What many clusters cost that come from a file: until the proxy is ready, in memory, and when the file changes.

import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { clustersBootstrap, discoveryResponse } from './bootstraps.ts';
import { freePorts, type PeerName } from './peer_process.ts';
import { residentMb } from './process_cost.ts';
import type { Figure, Stage, Workload } from './workload.ts';

const COUNTS = [1000, 5000, 10_000];
/** Of the figures with the most clusters: a process on node starts larger and later than Envoy. */
const GOAL = 1;
const SETTLED_MS = 1500;
const POLL_MS = 10;
const UPDATE_MS = 30_000;

export const clusters: Workload = async (stage, peer) => {
  const figures: Figure[] = [];
  for (const count of COUNTS) figures.push(...(await measure(count, stage, peer)));
  return figures;
};

async function measure(count: number, stage: Stage, peer: PeerName): Promise<Figure[]> {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'bench-clusters-'));
  const file = path.join(directory, 'cds.json');
  const title = `${count.toLocaleString('en')} clusters`;
  try {
    write(file, count, 'one');
    const [port] = await freePorts(1);
    const admin = `http://127.0.0.1:${port}`;
    const begin = performance.now();
    const proxy = await stage.start(peer, clustersBootstrap(port, file), () => isReady(admin));
    try {
      const ready = performance.now() - begin;
      await sleep(SETTLED_MS);
      const memory = residentMb(proxy.pid);
      const oneMore = await update(admin, file, count + 1, 'two');
      const unchanged = await update(admin, file, count + 1, 'three');
      const goal = count === COUNTS.at(-1) ? GOAL : undefined;
      return [
        { title: `${title}, ready`, unit: 's', goal, value: ready / 1000 },
        { title: `${title}, memory`, unit: 'MB', goal, value: memory },
        { title: `${title}, one more`, unit: 'ms', goal, value: oneMore },
        { title: `${title}, the same again`, unit: 'ms', goal, value: unchanged },
      ];
    } finally {
      await stage.end(proxy);
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

export async function isReady(admin: string): Promise<boolean> {
  try {
    return (await fetch(`${admin}/ready`)).ok;
  } catch {
    return false; // Not listening yet.
  }
}

/** Proxies follow a file that is moved into place: they never see half of it. */
function write(file: string, count: number, version: string): void {
  writeFileSync(`${file}.new`, JSON.stringify(discoveryResponse(count, version)));
  renameSync(`${file}.new`, file);
}

/** ms from the new file until its version is in force. */
async function update(admin: string, file: string, count: number, version: string): Promise<number> {
  write(file, count, version);
  const begin = performance.now();
  for (;;) {
    const response = await fetch(`${admin}/stats?filter=cluster_manager.cds.version_text`);
    const answer = await response.text();
    // After the whole answer: its head may come long before what it says.
    const spent = performance.now() - begin;
    if (answer.includes(`version_text: "${version}"`)) return spent;
    if (spent > UPDATE_MS) throw new Error(`version ${version} was not taken within ${UPDATE_MS} ms`);
    await sleep(POLL_MS);
  }
}
