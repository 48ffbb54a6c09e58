// The dashboard of a proxy with ten thousand clusters and fifty thousand routes: when it shows something, how fast it finds, and
// whether scrolling is smooth.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { buildDashboard } from '../../admin-ui/build.ts';
import { staticCluster } from '../integration/control_plane.ts';
import { ANY_ADMIN_PORT, ProxyProcess } from '../integration/proxy_process.ts';
import { httpFilter } from '../integration/resources.ts';
import { launch, openPage, skipWithoutChromium } from './browser.ts';

const CLUSTERS = 10_000;
const VIRTUAL_HOSTS = 5_000;
const ROUTES_EACH = 10;
/**
 * ms. What is wanted of a machine that does nothing else is 1.5 s and 100 ms; tests share theirs with others, and what they are to
 * find is a list that is fetched whole or drawn whole, which takes many times as long.
 */
const MAX_PAINT_MS = 4_000;
const MAX_SEARCH_MS = 1_000;
const MAX_ROWS = 120;

function bootstrap(): object {
  const clusters = Array.from({ length: CLUSTERS }, (_, i) =>
    staticCluster(`outbound|80||service-${i}.default`, 9),
  );
  const virtualHosts = Array.from({ length: VIRTUAL_HOSTS }, (_, host) => ({
    name: `host-${host}`,
    domains: [`host-${host}.example`],
    routes: Array.from({ length: ROUTES_EACH }, (_, route) => ({
      match: { prefix: `/path-${route}/` },
      route: { cluster: `outbound|80||service-${(host * ROUTES_EACH + route) % CLUSTERS}.default` },
    })),
  }));
  const routes = { name: 'many', virtual_hosts: virtualHosts };
  const filter = httpFilter('', { rds: undefined, route_config: routes });
  const address = { socket_address: { address: '127.0.0.1', port_value: 0 } };
  const listeners = [{ name: 'in', address, filter_chains: [{ filters: [filter] }] }];
  return { ...ANY_ADMIN_PORT, static_resources: { clusters, listeners } };
}

/** ms from `action` until the table shows `text`. */
async function shownAfter(page: Page, text: string, action: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await action();
  await page.locator('.table tbody tr', { hasText: text }).first().waitFor();
  return performance.now() - started;
}

describe('the dashboard of a large proxy', { skip: skipWithoutChromium, timeout: 120_000 }, () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'pilotfish-large-'));
  let proxy: ProxyProcess;
  let browser: Browser;
  let origin: string;

  before(async () => {
    await buildDashboard();
    const file = path.join(folder, 'bootstrap.json');
    writeFileSync(file, JSON.stringify(bootstrap()));
    proxy = await ProxyProcess.start('-c', file, '--concurrency', '1');
    origin = `http://${proxy.adminAddress}`;
    browser = await launch();
  });

  after(async () => {
    await browser?.close();
    await proxy?.stop();
    rmSync(folder, { recursive: true });
  });

  test('shows, finds and scrolls', async (t) => {
    const { page, wrongs } = await openPage(browser, origin, 'desktop', 'light');
    for (const [screen, first, found] of [
      ['clusters', 'service-0.default', 'service-7777.default'],
      ['routes', 'host-0.example', 'host-4321.example'],
    ] as const) {
      const painted = await shownAfter(page, first, () => page.goto(`${origin}/ui/${screen}`));
      const searched = await shownAfter(page, found, () =>
        page.locator('[data-search]').fill(screen === 'clusters' ? 'service-7777' : 'host-4321'),
      );
      await page.locator('[data-search]').fill('');
      await page.locator('.table tbody tr', { hasText: first }).first().waitFor();
      const { frames, rows, ms } = (await page.evaluate(SCROLL)) as {
        frames: number;
        rows: number;
        ms: number;
      };
      t.diagnostic(
        `${screen}: ${Math.round(painted)} ms until it shows rows, ${Math.round(searched)} ms to find, ${Math.round((frames * 1000) / ms)} frames/s while scrolling`,
      );
      assert.ok(painted < MAX_PAINT_MS, `${painted} ms until ${screen} are shown`);
      assert.ok(searched < MAX_SEARCH_MS, `${searched} ms to find one of the ${screen}`);
      assert.ok(rows <= MAX_ROWS, `${rows} rows are drawn`);
    }
    const heap = (await page.evaluate('performance.memory.usedJSHeapSize')) as number;
    t.diagnostic(`${Math.round(heap / 1024 / 1024)} MB of heap in the tab`);
    assert.ok(heap < 300 * 1024 * 1024, `${heap} bytes of heap`);
    assert.deepEqual(wrongs, []);
    await page.context().close();
  });
});

/** Scrolls for two seconds; gives how many frames were drawn, and the rows that there are then. */
const SCROLL = `new Promise((resolve) => {
  const scroller = document.querySelector('.table-scroll');
  const started = performance.now();
  let frames = 0;
  const step = (now) => {
    frames++;
    scroller.scrollTop += 200;
    if (now - started < 2000) return requestAnimationFrame(step);
    resolve({ frames, ms: now - started, rows: document.querySelectorAll('.table tbody tr').length });
  };
  requestAnimationFrame(step);
})`;
