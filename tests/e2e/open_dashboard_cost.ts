// What an open dashboard costs the proxy's requests: windows of constant load in pairs, one with it and one without, in turns.
// Worker, load and upstream have one core, the main thread and the browser the other: on a machine of its own the browser takes
// nothing from the proxy.

import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser } from 'playwright-core';
import { CAN_PIN, LOAD_CORE, PROXY_CORE } from '../perf/pinned_child.ts';
import { openPage } from './browser.ts';
import { LARGE_SCREENS, LargeProxy } from './large_proxy.ts';
import type { SteadyLoadPlan, SteadyLoadReport } from './steady_load.ts';

const PAIRS = 5;
const WINDOW_MS = 2_000;
const REQUESTS_PER_SECOND = 500;
/** ms for what a window before has left behind. */
const BETWEEN_MS = 300;

export interface OpenDashboardCost {
  /** ms, of each window. */
  readonly closed: readonly number[];
  readonly open: readonly number[];
  readonly errors: number;
}

/** The 99th percentiles of request times. */
export async function openDashboardCost(browser: Browser, large: LargeProxy): Promise<OpenDashboardCost> {
  const plan: SteadyLoadPlan = {
    ...LargeProxy.request,
    port: await large.proxy.port('in'),
    requestsPerSecond: REQUESTS_PER_SECOND,
  };
  const load = fork(path.join(import.meta.dirname, 'steady_load.ts'), [JSON.stringify(plan)]);
  const { page } = await openPage(browser, large.origin, 'desktop', 'light');
  const result = { closed: [] as number[], open: [] as number[], errors: 0 };
  const window = async (into: number[]): Promise<void> => {
    await sleep(BETWEEN_MS);
    load.send('begin');
    await sleep(WINDOW_MS);
    load.send('end');
    const [report] = (await once(load, 'message')) as [SteadyLoadReport];
    into.push(percentile99(report.times));
    result.errors += report.errors;
  };
  try {
    await page.goto(`${large.origin}/ui/`);
    await pin(browser, load.pid!, large.proxy.pid);
    for (let pair = 0; pair <= PAIRS; pair++) {
      await page.goto('about:blank');
      await window(result.closed);
      // Another screen each time, all of which ask again and again.
      const screen = ['/', ...LARGE_SCREENS.map(({ path }) => path)][pair % (LARGE_SCREENS.length + 1)];
      await page.goto(`${large.origin}/ui${screen}`);
      await window(result.open);
    }
  } finally {
    load.disconnect();
    await page.context().close();
  }
  // The first pair warms up.
  return { ...result, closed: result.closed.slice(1), open: result.open.slice(1) };
}

function percentile99(times: readonly number[]): number {
  return [...times].sort((a, b) => a - b)[Math.floor(times.length * 0.99)] ?? Number.NaN;
}

async function pin(browser: Browser, load: number, proxy: number): Promise<void> {
  if (!CAN_PIN) return;
  const session = await browser.newBrowserCDPSession();
  for (const { id } of (await session.send('SystemInfo.getProcessInfo')).processInfo) tie(id, PROXY_CORE);
  await session.detach();
  tie(load, LOAD_CORE);
  for (const tid of readdirSync(`/proc/${proxy}/task`)) {
    const isWorker = readFileSync(`/proc/${proxy}/task/${tid}/comm`, 'utf8').startsWith('worker_');
    execFileSync('taskset', ['-cp', String(isWorker ? LOAD_CORE : PROXY_CORE), tid]);
  }
}

/** All threads of a process. */
function tie(pid: number, core: number): void {
  execFileSync('taskset', ['-acp', String(core), String(pid)]);
}
