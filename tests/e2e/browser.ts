// A real Chromium for the tests of the dashboard, and pages that remember everything that must not happen.

import { existsSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';

const CANDIDATES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

const executable = process.env['CHROMIUM_BIN'] ?? CANDIDATES.find((file) => existsSync(file));

/** For `test({skip})`. */
export const skipWithoutChromium: string | false =
  executable === undefined ? 'no chromium (apt-get install chromium)' : false;

export function launch(): Promise<Browser> {
  const isRoot = process.getuid?.() === 0;
  return chromium.launch({ executablePath: executable!, args: isRoot ? ['--no-sandbox'] : [] });
}

export type Scheme = 'light' | 'dark';

export const SIZES = {
  desktop: { width: 1440, height: 900 },
  phone: { width: 390, height: 844 },
  least: { width: 320, height: 640 },
} as const;

/** A page with what went wrong on it: errors of the console and of scripts, CSP violations, requests to elsewhere. */
export interface WatchedPage {
  readonly page: Page;
  readonly wrongs: readonly string[];
}

export async function openPage(
  browser: Browser,
  origin: string,
  size: keyof typeof SIZES,
  colorScheme: Scheme,
): Promise<WatchedPage> {
  const context = await browser.newContext({ viewport: SIZES[size], colorScheme });
  const page = await context.newPage();
  const wrongs: string[] = [];
  // Violations of the content security policy are errors of the console.
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') wrongs.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => wrongs.push(`script: ${error.stack ?? error.message}`));
  page.on('request', (request) => {
    if (!request.url().startsWith(`${origin}/`)) wrongs.push(`request to ${request.url()}`);
  });
  return { page, wrongs };
}

/** Opens a screen and waits until it shows what it has to show. */
export async function openScreen({ page }: WatchedPage, url: string): Promise<void> {
  await page.goto(url);
  await page.waitForSelector('main h1');
  await page.locator('main [aria-busy=true]').first().waitFor({ state: 'detached' });
  await page.waitForTimeout(SETTLED_MS);
}

/** ms for what comes after the first answer: charts, later pages. */
const SETTLED_MS = 400;
