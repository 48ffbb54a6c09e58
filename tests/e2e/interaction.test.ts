// What people do on the dashboard: keys, the palette, the filter, links that are sent on, a file that is opened, a proxy that is
// lost and comes back.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { buildDashboard } from '../../admin-ui/build.ts';
import { ANY_ADMIN_PORT, ProxyProcess } from '../integration/proxy_process.ts';
import { launch, openPage, skipWithoutChromium } from './browser.ts';
import { DemoUnderTraffic } from './demo_under_traffic.ts';

describe('on the dashboard', { skip: skipWithoutChromium }, () => {
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

  /** A page at a screen; closed when `use` is done. */
  async function on(screen: string, use: (page: Page) => Promise<void>): Promise<void> {
    const { page } = await openPage(browser, new URL(demo.url).origin, 'desktop', 'light');
    try {
      await page.goto(`${demo.url}${screen}`);
      await page.locator('main h1').waitFor();
      await use(page);
    } finally {
      await page.context().close();
    }
  }

  const heading = (page: Page, text: string): Promise<void> =>
    page.locator('main h1', { hasText: text }).waitFor();

  test('keys lead to screens and from row to row', () =>
    on('/', async (page) => {
      await page.keyboard.press('g');
      await page.keyboard.press('c');
      await heading(page, 'Clusters');
      await page.locator('.row-link').first().focus();
      await page.keyboard.press('ArrowDown');
      await page.locator('.row-link:focus', { hasText: 'hello-v1' }).waitFor();
      await page.keyboard.press('Enter');
      await heading(page, 'hello-v1');
      await page.goBack();
      await heading(page, 'Clusters');
      await page.keyboard.press('?');
      await page.getByRole('dialog').waitFor();
      await page.keyboard.press('Escape');
      await page.getByRole('dialog').waitFor({ state: 'detached' });
    }));

  test('the palette finds a resource and a response flag', () =>
    on('/', async (page) => {
      await page.keyboard.press('/');
      await page.locator('[cmdk-input]:focus').waitFor();
      await page.keyboard.type('hello-v2');
      // Not the first that says so: names of stats have the word, too, and may be there before.
      await page.locator('[cmdk-item][data-value^="cluster hello-v2"]').click();
      await heading(page, 'hello-v2');
      await page.keyboard.press('/');
      await page.locator('[cmdk-input]:focus').waitFor();
      await page.keyboard.type('NR');
      await page.locator('[cmdk-item]', { hasText: 'NoRouteFound' }).waitFor();
    }));

  test('a filter is in the address, and survives a reload', () =>
    on('/clusters', async (page) => {
      await page.keyboard.press('f');
      await page.keyboard.type('v2');
      await page.waitForURL(/search=v2/);
      await page.locator('.row-link').filter({ hasText: 'hello-v1' }).waitFor({ state: 'detached' });
      await page.reload();
      assert.equal(await page.locator('[data-search]').inputValue(), 'v2');
      assert.deepEqual(await page.locator('.row-link').allTextContents(), ['hello-v2']);
    }));

  test('a chart is a table, too', () =>
    on('/', async (page) => {
      await page.getByRole('button', { name: 'Table of Requests' }).click();
      const rows = page.getByRole('table', { name: 'Requests' }).locator('tbody tr');
      await rows.nth(1).waitFor();
      const [first, second] = await Promise.all([rows.nth(0).boundingBox(), rows.nth(1).boundingBox()]);
      assert.ok(second!.y >= first!.y + first!.height, 'one row below the other');
    }));

  test('a chosen theme stays', () =>
    on('/', async (page) => {
      await page.getByRole('button', { name: 'Dark' }).click();
      await page.reload();
      assert.equal(await page.locator('html').getAttribute('data-theme'), 'dark');
    }));

  test('a config_dump file of another proxy is looked into, and nothing is sent', () =>
    on('/listeners', async (page) => {
      const { body } = await demo.proxy.admin('/config_dump?include_eds');
      const text = body.replaceAll('hello-v1', 'of-the-file');
      await page
        .getByLabel('A config_dump file')
        .first()
        .setInputFiles({ name: 'dump.json', mimeType: 'application/json', buffer: Buffer.from(text) });
      await page.getByText('FILE', { exact: true }).waitFor();
      const requests: string[] = [];
      page.on('request', (request) => requests.push(request.url()));
      for (const [screen, name] of [
        ['Clusters', 'of-the-file'],
        ['Routes', 'of-the-file'],
        ['Listeners', 'http'],
      ] as const) {
        await page.getByRole('link', { name: screen, exact: true }).click();
        await page.locator('.table tbody tr', { hasText: name }).first().waitFor();
      }
      await page.locator('.row-link', { hasText: 'http' }).click();
      await page.locator('main', { hasText: 'of-the-file' }).waitFor();
      assert.deepEqual(
        requests.filter((url) => url.includes('/api/')),
        [],
      );
      await page.getByRole('button', { name: 'Back to the proxy' }).click();
      await page.getByText('LIVE', { exact: true }).waitFor();
    }));

  test('a proxy that is lost is told of, with the age of what is shown, until it is back', () =>
    on('/clusters', async (page) => {
      await page.locator('.row-link').first().waitFor();
      await page.context().setOffline(true);
      await page.getByText('The proxy does not answer.').waitFor();
      await page.getByText(/What you see is \d+s old/).waitFor();
      assert.ok((await page.locator('.row-link').count()) > 0, 'what was there is still shown');
      await page.context().setOffline(false);
      await page.getByText('The proxy does not answer.').waitFor({ state: 'detached' });
    }));

  test('one tab of a browser reads the events, and others hear of them', () =>
    on('/xds', async (page) => {
      const streams: string[] = [];
      const second = await page.context().newPage();
      second.on('request', (request) => request.url().endsWith('/api/events') && streams.push(request.url()));
      await second.goto(`${demo.url}/config`);
      await second.locator('main h1').waitFor();
      demo.append('clusters.yaml', CLUSTER);
      // This screen asks once, and again when it hears of an event.
      await second.locator('.table', { hasText: 'brand-new' }).waitFor();
      assert.deepEqual(streams, []);
    }));

  test('who has no credentials is asked for the token, and sees all with it', async (t) => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'pilotfish-token-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const file = path.join(folder, 'token');
    writeFileSync(file, 'a-token-of-the-admin-role');
    const flags = ['--config-yaml', JSON.stringify(ANY_ADMIN_PORT), '--admin-token-file', file];
    const proxy = await ProxyProcess.start(...flags, '--concurrency', '1');
    t.after(() => proxy.stop());
    const page = await browser.newPage();
    t.after(() => page.close());
    await page.goto(`http://${proxy.adminAddress}/`);
    assert.equal(new URL(page.url()).pathname, '/ui/');
    const token = page.getByLabel('This proxy wants a token.');
    await token.fill('a-wrong-token');
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByLabel('The proxy does not take this token.').fill('a-token-of-the-admin-role');
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByText('LIVE', { exact: true }).waitFor();
    await page.getByText('Nothing is wrong').waitFor();
  });
});

const CLUSTER = `
- "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
  name: brand-new
`;
