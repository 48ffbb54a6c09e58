// The dashboard of a proxy with ten thousand clusters, fifty thousand routes and a million stats: when it shows something, how
// soon it has found, and how it scrolls. bench.ts measures the same on a machine that does nothing else.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Browser } from 'playwright-core';
import { buildDashboard } from '../../admin-ui/build.ts';
import { launch, openPage, skipWithoutChromium } from './browser.ts';
import { LARGE_SCREENS, LargeProxy } from './large_proxy.ts';
import { found, painted, scrolled, tabMemory } from './page_measures.ts';

/**
 * ms. What is wanted of a machine that does nothing else is 1.5 s and 100 ms; tests share theirs with others, and what they are to
 * find is a list that is fetched whole or drawn whole, which takes many times as long.
 */
const MAX_PAINT_MS = 10_000;
const MAX_SEARCH_MS = 3_000;
const MAX_ROWS = 120;
const MAX_HEAP_BYTES = 300 * 1024 * 1024;

describe('the dashboard of a large proxy', { skip: skipWithoutChromium, timeout: 120_000 }, () => {
  let large: LargeProxy;
  let browser: Browser;

  before(async () => {
    await buildDashboard();
    large = await LargeProxy.start();
    browser = await launch();
  });

  after(async () => {
    await browser?.close();
    await large?.stop();
  });

  for (const screen of LARGE_SCREENS) {
    test(screen.path, async (t) => {
      const { page, wrongs } = await openPage(browser, large.origin, 'desktop', 'light');
      const paint = await painted(page, large.origin, screen);
      const search = await found(page, screen);
      const { framesPerSecond, rows, oursMs } = await scrolled(page);
      const { heap } = await tabMemory(browser, page);
      t.diagnostic(
        `${Math.round(paint)} ms until it shows rows, ${Math.round(search)} ms to find, ${Math.round(framesPerSecond)} frames/s while scrolling, ${oursMs.toFixed(1)} ms of each ours, ${Math.round(heap / 1024 / 1024)} MB of heap`,
      );
      assert.ok(paint < MAX_PAINT_MS, `${paint} ms until rows are shown`);
      assert.ok(search < MAX_SEARCH_MS, `${search} ms to find`);
      assert.ok(rows <= MAX_ROWS, `${rows} rows are drawn`);
      assert.ok(heap < MAX_HEAP_BYTES, `${heap} bytes of heap`);
      assert.deepEqual(wrongs, []);
      await page.context().close();
    });
  }
});
