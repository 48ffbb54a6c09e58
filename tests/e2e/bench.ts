// `npm run bench:dashboard`: the dashboard of a large proxy, beside what is wanted of it. How it is measured and what came of it:
// docs/performance.md.

import os from 'node:os';
import type { Browser } from 'playwright-core';
import { buildDashboard } from '../../admin-ui/build.ts';
import { PinnedChild } from '../perf/pinned_child.ts';
import type { UpstreamPorts } from '../perf/upstream.ts';
import { launch, openPage } from './browser.ts';
import { CLUSTERS, LARGE_SCREENS, LargeProxy, type LargeScreen, ROUTES } from './large_proxy.ts';
import { openDashboardCost } from './open_dashboard_cost.ts';
import { found, painted, scrolled, tabMemory } from './page_measures.ts';

/** Visits of each screen, each by somebody who has never been there. */
const VISITS = 3;
const SEARCHES = 5;
/** ms. */
const START_MS = 10_000;
const MB = 1024 * 1024;

/** A line of the table. */
type Cells = readonly string[];

async function lookAt(browser: Browser, origin: string, screen: LargeScreen): Promise<Cells> {
  const paints: number[] = [];
  for (let visit = 1; visit < VISITS; visit++) {
    const { page } = await openPage(browser, origin, 'desktop', 'light');
    paints.push(await painted(page, origin, screen));
    await page.context().close();
  }
  const { page } = await openPage(browser, origin, 'desktop', 'light');
  paints.push(await painted(page, origin, screen));
  const finds: number[] = [];
  for (let search = 0; search < SEARCHES; search++) finds.push(await found(page, screen));
  const { framesPerSecond, oursMs, taskMs } = await scrolled(page);
  const memory = await tabMemory(browser, page);
  await page.context().close();
  const whole = (numbers: readonly number[]): string => numbers.map(Math.round).join(', ');
  return [
    `\`${screen.path}\``,
    whole(paints),
    whole(finds),
    framesPerSecond.toFixed(0),
    `${oursMs.toFixed(1)} of ${taskMs.toFixed(1)}`,
    `${Math.round(memory.heap / MB)} of ${Math.round((memory.private ?? Number.NaN) / MB)}`,
  ];
}

function line(cells: Cells): void {
  console.log(`| ${cells.join(' | ')} |`);
}

async function measure(browser: Browser, large: LargeProxy): Promise<void> {
  const { total } = JSON.parse((await large.proxy.admin('/api/stats?limit=1')).body) as { total: number };
  console.log(
    `${new Date().toISOString().slice(0, 10)}, ${os.cpus()[0]?.model.trim()}, ${os.availableParallelism()} cores`,
  );
  console.log(`${CLUSTERS} clusters, ${ROUTES} routes, ${total} stats\n`);
  line([
    'Screen',
    'rows are there, ms',
    'found after the last key, ms',
    'frames per second',
    'of a frame ours, ms',
    'heap of tab, MB',
  ]);
  line(['---', '---', '---', '---', '---', '---']);
  line(['wanted', '≤ 1500', '≤ 100', '60', '< 16.7', '≤ 300']);
  for (const screen of LARGE_SCREENS) line(await lookAt(browser, large.origin, screen));
  const { closed, open, errors } = await openDashboardCost(browser, large);
  const [before, after] = [median(closed), median(open)];
  const shown = (numbers: readonly number[]): string => numbers.map((ms) => ms.toFixed(2)).join(', ');
  console.log(`\np99 of requests, ms, without a dashboard: ${before.toFixed(2)} (${shown(closed)})`);
  console.log(
    `with one that is open: ${after.toFixed(2)} (${shown(open)}), ${((after / before - 1) * 100).toFixed(0)} %; ${errors} errors`,
  );
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
}

await buildDashboard();
const upstream = new PinnedChild('upstream.ts');
const { http } = await upstream.report<UpstreamPorts>(START_MS);
const large = await LargeProxy.start(http);
const browser = await launch();
try {
  await measure(browser, large);
} finally {
  await browser.close();
  await large.stop();
  upstream.stop();
}
