// How a page of the dashboard does, told by the page itself: when it shows something, how soon it has found, how it scrolls.

import { readFileSync } from 'node:fs';
import type { Browser, CDPSession, Page } from 'playwright-core';
import type { LargeScreen } from './large_proxy.ts';

/** ms between two keys of somebody who types quickly. */
const KEY_MS = 120;
const SCROLL_MS = 2_000;

/** ms from the navigation to the frame after the first row is there. */
export async function painted(page: Page, origin: string, { path, first }: LargeScreen): Promise<number> {
  await page.addInitScript(`window.paintedAt = ${rowShows(first)}`);
  await page.goto(`${origin}/ui${path}`);
  return (await page.evaluate('window.paintedAt')) as number;
}

/** ms from the last key to the frame after the row that was searched for is there. The field is empty before and after. */
export async function found(page: Page, { first, search, found }: LargeScreen): Promise<number> {
  const field = page.locator('[data-search]');
  await page.evaluate(`addEventListener('input', () => { window.typedAt = performance.now(); }, true)`);
  const shown = page.evaluate(rowShows(found));
  await field.pressSequentially(search, { delay: KEY_MS });
  const at = (await shown) as number;
  const typedAt = (await page.evaluate('window.typedAt')) as number;
  await field.fill('');
  await page.evaluate(rowShows(first));
  return at - typedAt;
}

export interface Scrolled {
  readonly framesPerSecond: number;
  /** Rows that are drawn at the end. */
  readonly rows: number;
  /** ms of the page's main thread per frame, for script, styles and layout: what the dashboard does, before anything is painted. */
  readonly oursMs: number;
  /** ms of the page's main thread per frame, with what the browser does to paint. */
  readonly taskMs: number;
}

/** Scrolls the table by 200 px a frame. */
export async function scrolled(page: Page): Promise<Scrolled> {
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable');
  const before = await metrics(session);
  const { frames, rows, ms } = (await page.evaluate(`(${SCROLL})(${SCROLL_MS})`)) as Record<
    'frames' | 'rows' | 'ms',
    number
  >;
  const after = await metrics(session);
  await session.detach();
  const perFrame = (...names: readonly string[]): number =>
    (names.reduce((sum, name) => sum + after.get(name)! - before.get(name)!, 0) * 1000) / frames;
  return {
    framesPerSecond: (frames * 1000) / ms,
    rows,
    oursMs: perFrame('ScriptDuration', 'LayoutDuration', 'RecalcStyleDuration'),
    taskMs: perFrame('TaskDuration'),
  };
}

export interface TabMemory {
  /** Bytes of JavaScript's heap after a collection. */
  readonly heap: number;
  /** Bytes of the tab's process that are nobody else's; undefined where that is not known. */
  readonly private: number | undefined;
}

/** Of the only tab of `browser`. */
export async function tabMemory(browser: Browser, page: Page): Promise<TabMemory> {
  const session = await page.context().newCDPSession(page);
  await session.send('HeapProfiler.enable');
  await session.send('HeapProfiler.collectGarbage');
  const heap = (await session.send('Runtime.getHeapUsage')).usedSize;
  await session.detach();
  const processes = (await (await browser.newBrowserCDPSession()).send('SystemInfo.getProcessInfo'))
    .processInfo;
  const tabs = processes.filter(({ type }) => type === 'renderer').map(({ id }) => privateBytes(id));
  return { heap, private: tabs.length === 0 ? undefined : Math.max(...tabs) };
}

/** proc(5): /proc/[pid]/smaps_rollup. */
function privateBytes(pid: number): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const kb = [...text.matchAll(/^Private_(?:Clean|Dirty): +(\d+) kB$/gm)];
  return kb.reduce((sum, [, size]) => sum + Number(size) * 1024, 0);
}

async function metrics(session: CDPSession): Promise<ReadonlyMap<string, number>> {
  const { metrics } = await session.send('Performance.getMetrics');
  return new Map(metrics.map(({ name, value }) => [name, value]));
}

/** A promise of when the first row of the table says `text`: the time of the frame after. */
function rowShows(text: string): string {
  return `new Promise((resolve) => {
    const look = () => {
      const row = document.querySelector('.table tbody tr[data-row="0"]');
      if (row === null || !row.textContent.includes(${JSON.stringify(text)})) return requestAnimationFrame(look);
      requestAnimationFrame(() => resolve(performance.now()));
    };
    requestAnimationFrame(look);
  })`;
}

const SCROLL = `(most) => new Promise((resolve) => {
  const scroller = document.querySelector('.table-scroll');
  const started = performance.now();
  let frames = 0;
  const step = (now) => {
    frames++;
    scroller.scrollTop += 200;
    if (now - started < most) return requestAnimationFrame(step);
    resolve({ frames, ms: now - started, rows: document.querySelectorAll('.table tbody tr').length });
  };
  requestAnimationFrame(step);
})`;
