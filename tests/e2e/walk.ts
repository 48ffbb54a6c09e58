// Walks through screens in a real browser, in both themes, wide and narrow. Nothing that axe finds serious, no violation of the
// content security policy, no error in the console, no request to elsewhere, nothing wider than the display.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { buildDashboard } from '../../admin-ui/build.ts';
import { launch, openPage, openScreen, SIZES, skipWithoutChromium } from './browser.ts';
import type { Walk } from './screens.ts';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** Each once by axe in every theme, and in every width. */
const VIEWS = [
  ['light', 'desktop'],
  ['dark', 'desktop'],
  ['dark', 'phone'],
] as const;
/** ms for charts to be drawn in the new colours and width. */
const REPAINT_MS = 150;

interface Violation {
  readonly id: string;
  readonly impact: string;
  readonly help: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
}

/** What is looked at: a proxy with its dashboard. */
export interface Subject {
  /** Of the dashboard. */
  readonly url: string;
  stop(): Promise<void>;
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

async function assertFits(page: Page, size: keyof typeof SIZES): Promise<void> {
  await page.setViewportSize(SIZES[size]);
  await page.waitForTimeout(REPAINT_MS);
  const width = (await page.evaluate('document.documentElement.scrollWidth')) as number;
  assert.ok(width <= SIZES[size].width, `${width} px wide, ${size}`);
}

/** Declares a test for each of `walks`, against what `start` starts. */
export function walkThrough(title: string, start: () => Promise<Subject>, walks: readonly Walk[]): void {
  describe(title, { skip: skipWithoutChromium }, () => {
    let subject: Subject;
    let browser: Browser;

    before(async () => {
      await buildDashboard();
      subject = await start();
      browser = await launch();
    });

    after(async () => {
      await browser?.close();
      await subject?.stop();
    });

    for (const { name, path } of walks) {
      test(name, async () => {
        const watched = await openPage(browser, new URL(subject.url).origin, 'desktop', 'light');
        const { page, wrongs } = watched;
        try {
          await openScreen(watched, `${subject.url}${path}`);
          // One load for all: what changes is the theme and the width.
          for (const [colorScheme, size] of VIEWS) {
            await page.emulateMedia({ colorScheme });
            await assertFits(page, size);
            assert.deepEqual(await violations(page), [], `${colorScheme}, ${size}`);
          }
          // WCAG's reflow.
          await assertFits(page, 'least');
          assert.deepEqual(wrongs, []);
        } finally {
          await page.context().close();
        }
      });
    }
  });
}
