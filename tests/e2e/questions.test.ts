// What people ask of a proxy at night, each answered within three clicks from Overview, in words rather than raw JSON.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Browser } from 'playwright-core';
import { buildDashboard } from '../../admin-ui/build.ts';
import { NO_OPENSSL } from '../fakes/public_key_infrastructure.ts';
import { launch, openPage, openScreen, skipWithoutChromium } from './browser.ts';
import { Troubles } from './troubles.ts';

const MAX_CLICKS = 3;
/** ms for an answer to be there after the last click. */
const PATIENCE_MS = 10_000;

interface Question {
  readonly name: string;
  /** What is clicked on, one after the other: first a screen of the navigation, then links and buttons of it by what they say. */
  readonly clicks: readonly [screen: string, ...inIt: readonly string[]];
  /** What is to be read then, all of it. */
  readonly answer: readonly (string | RegExp)[];
}

const QUESTIONS: readonly Question[] = [
  {
    name: 'why is it 503 UF? The certificate has another name',
    clicks: ['Traffic', 'GET shop.example.com/tls'],
    answer: ['UF', 'payments.example.com', 'other.example.com'],
  },
  {
    name: 'why is it 404 NR? No virtual host has that host',
    clicks: ['Traffic', 'GET unheard-of.example.com/cart'],
    answer: ['NR', 'unheard-of.example.com', /virtual host/i],
  },
  {
    name: 'why was the listener refused?',
    clicks: ['xDS', 'refused'],
    answer: ['stream_idle_timeout', /-5s/],
  },
  {
    name: 'why is it 503 UO? A circuit breaker is open',
    clicks: ['Traffic', 'GET shop.example.com/limited'],
    answer: ['UO', 'limited', /max_requests/],
  },
  {
    name: 'which certificate is about to expire?',
    clicks: ['Secrets'],
    answer: ['front.example.com', /in 5h \d+m/, 'https'],
  },
  { name: 'why does one host get more?', clicks: ['Clusters', 'uneven'], answer: [/\b20\b/, /Weight/i] },
  {
    name: 'where do all the requests come from? They are retries',
    clicks: ['Traffic', 'GET shop.example.com/retried'],
    answer: ['URX', /4/, /Attempt 1 /],
  },
  { name: 'which route is never reached?', clicks: ['Routes', 'Never reached'], answer: ['/cart/checkout'] },
  {
    name: 'what does the listener wait for?',
    clicks: ['xDS'],
    answer: ['waiting', 'the-missing-secret'],
  },
  {
    name: 'why was the connection drained? An update changed its filter chain',
    clicks: ['Config', 'echo'],
    answer: [/filter_chains/, 'first', 'second'],
  },
];

describe('questions', { skip: skipWithoutChromium || NO_OPENSSL }, () => {
  let troubles: Troubles;
  let browser: Browser;

  before(async () => {
    await buildDashboard();
    troubles = await Troubles.start();
    browser = await launch();
  });

  after(async () => {
    await browser?.close();
    await troubles?.stop();
  });

  for (const { name, clicks, answer } of QUESTIONS) {
    test(name, async () => {
      assert.ok(clicks.length <= MAX_CLICKS);
      const watched = await openPage(browser, new URL(troubles.url).origin, 'desktop', 'light');
      const { page } = watched;
      try {
        await openScreen(watched, `${troubles.url}/`);
        const [screen, ...inIt] = clicks;
        const named = (name: string) => ({ name, exact: true });
        const navigation = page.getByRole('navigation', { name: 'Screens' });
        await navigation.getByRole('link', named(screen)).click({ timeout: PATIENCE_MS });
        const main = page.locator('main');
        // Overview stays until the screen is loaded, and has links of the same names, to elsewhere.
        await main.getByRole('heading', { ...named(screen), level: 1 }).waitFor({ timeout: PATIENCE_MS });
        for (const what of inIt) {
          const link = main.getByRole('link', named(what)).or(main.getByRole('button', named(what)));
          await link.first().click({ timeout: PATIENCE_MS });
        }
        for (const text of answer) await main.getByText(text).first().waitFor({ timeout: PATIENCE_MS });
        assert.deepEqual(watched.wrongs, []);
      } catch (error) {
        const read = (await page.locator('main').allInnerTexts()).join('\n');
        throw new Error(`${(error as Error).message}\n${read}`);
      } finally {
        await page.context().close();
      }
    });
  }
});
