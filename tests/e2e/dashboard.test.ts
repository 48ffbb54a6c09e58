// The dashboard in a real browser against a real proxy under traffic: every screen, both themes, wide and narrow. Nothing that
// axe finds serious, no violation of the content security policy, no error in the console, no request to elsewhere.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { buildDashboard } from '../../admin-ui/build.ts';
import { launch, openPage, openScreen, SIZES, skipWithoutChromium } from './browser.ts';
import { DemoUnderTraffic } from './demo_under_traffic.ts';
import { WALKS } from './screens.ts';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** 320 px: WCAG's reflow. */
const VIEWS = [
  ['light', 'desktop'],
  ['dark', 'desktop'],
  ['dark', 'phone'],
  ['light', 'phone'],
  ['light', 'least'],
] as const;
/** ms for charts to be drawn in the new colours and width. */
const REPAINT_MS = 150;

interface Violation {
  readonly id: string;
  readonly impact: string;
  readonly help: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
}

/** WCAG 2.2 AA. */
async function violations(page: Page): Promise<string[]> {
  // By the debugger's way: the page's policy lets no inline script in.
  await page.evaluate(AXE);
  const found = (await page.evaluate(
    `axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }).then((result) => result.violations)`,
  )) as Violation[];
  return found
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, help, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${help}\n  ${html}\n  ${failureSummary}`),
    );
}

describe('the dashboard', { skip: skipWithoutChromium }, () => {
  let demo: DemoUnderTraffic;
  let browser: Browser;

  before(async () => {
    await buildDashboard();
    demo = await DemoUnderTraffic.start();
    browser = await launch();
  });

  after(async () => {
    await browser?.close();
    await demo?.stop();
  });

  for (const { name, path } of WALKS) {
    test(name, async () => {
      const watched = await openPage(browser, new URL(demo.url).origin, 'desktop', 'light');
      const { page, wrongs } = watched;
      try {
        await openScreen(watched, `${demo.url}${path}`);
        // One load for all: what changes is the theme and the width.
        for (const [scheme, size] of VIEWS) {
          await page.emulateMedia({ colorScheme: scheme });
          await page.setViewportSize(SIZES[size]);
          await page.waitForTimeout(REPAINT_MS);
          assert.deepEqual(await violations(page), [], `${scheme}, ${size}`);
          const width = (await page.evaluate('document.documentElement.scrollWidth')) as number;
          assert.ok(width <= SIZES[size].width, `${width} px wide, ${size}`);
        }
        assert.deepEqual(wrongs, []);
      } finally {
        await page.context().close();
      }
    });
  }
});
