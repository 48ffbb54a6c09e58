// A /config_dump of a real Envoy (1.40; without the list of its extensions) that is opened on the dashboard: its requests are
// explained by the code that the proxy runs, its certificates are shown, and nothing leaves the browser.

import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { buildDashboard } from '../../admin-ui/build.ts';
import { certificatesOfPem } from '../../admin-ui/src/config/x509.ts';
import { configDumpSource } from '../../server/main/explain/config_dump_source.ts';
import { CompiledConfiguration } from '../../server/main/explain/configuration.ts';
import { explain } from '../../server/main/explain/explain.ts';
import { describeQuestion } from '../../server/main/explain/question.ts';
import { NO_OPENSSL, PublicKeyInfrastructure } from '../fakes/public_key_infrastructure.ts';
import { ANY_ADMIN_PORT, ProxyProcess } from '../integration/proxy_process.ts';
import { launch, openPage, skipWithoutChromium, type WatchedPage } from './browser.ts';

const FILE = path.join(import.meta.dirname, '..', 'fixtures', 'admin', 'envoy_config_dump.json');

describe('a config_dump file of Envoy', { skip: skipWithoutChromium }, () => {
  let proxy: ProxyProcess;
  let browser: Browser;
  let watched: WatchedPage;
  const requests: string[] = [];

  before(async () => {
    await buildDashboard();
    proxy = await ProxyProcess.start('--config-yaml', JSON.stringify(ANY_ADMIN_PORT), '--concurrency', '1');
    browser = await launch();
    const origin = `http://${proxy.adminAddress}`;
    watched = await openPage(browser, origin, 'desktop', 'light');
    const { page } = watched;
    await page.goto(`${origin}/ui/`);
    await page.locator('main h1').waitFor();
    await page.getByLabel('A config_dump file').first().setInputFiles(FILE);
    await page.getByText('FILE', { exact: true }).waitFor();
    page.on('request', (request) => requests.push(`${request.method()} ${new URL(request.url()).pathname}`));
  });

  after(async () => {
    await browser?.close();
    await proxy?.stop();
  });

  async function open(screen: string): Promise<Page> {
    const { page } = watched;
    await page
      .getByRole('navigation', { name: 'Screens' })
      .getByRole('link', { name: screen, exact: true })
      .click();
    await page.locator('main').getByRole('heading', { name: screen, exact: true, level: 1 }).waitFor();
    return page;
  }

  for (const [curl, listener] of [
    ['curl http://shop.example.com/items/5', 'http'],
    ['curl http://shop.example.com:18180/cart/7', ''],
    ['curl https://shop.example.com/elsewhere', 'https'],
    ['curl https://shop.example.com/cart', 'inline'],
    ['curl http://other.example.com/', 'http'],
  ] as const) {
    test(`explains ${curl} ${listener}`, async () => {
      const connection = listener === '' ? {} : { listener };
      const source = configDumpSource(JSON.parse(readFileSync(FILE, 'utf8')));
      const { summary } = await explain(
        new CompiledConfiguration(source),
        describeQuestion({ curl, connection }),
      );
      const page = await open('Explain');
      await page.getByLabel('Request, as curl would send it').fill(curl);
      await page.getByLabel('Listener, if not the one').fill(listener);
      await page.locator('main').getByRole('button', { name: 'Explain' }).click();
      await page.locator('main').getByText(summary).first().waitFor();
    });
  }

  test('shows certificates, and who uses them', async () => {
    const page = await open('Secrets');
    const row = page.locator('.table tbody tr', { hasText: 'certificate' }).first();
    await row.filter({ hasText: 'shop.example.com' }).filter({ hasText: 'https' }).waitFor();
    await row.getByRole('link', { name: 'shop.example.com' }).click();
    const main = page.locator('main');
    await main.getByText('shop.example.com, *.shop.example.com').first().waitFor();
    await main.getByText('O=Pilotfish, CN=root').first().waitFor();
    assert.doesNotMatch((await main.textContent())!.toLowerCase(), /private|redacted/);
  });

  test('of which nothing was sent anywhere, and nothing went wrong', () => {
    assert.deepEqual(
      requests.filter((each) => !/^GET \/ui\//.test(each)),
      [],
    );
    assert.deepEqual(watched.wrongs, []);
  });
});

test('certificates are read as node reads them', { skip: NO_OPENSSL }, (t) => {
  const pki = new PublicKeyInfrastructure();
  t.after(() => pki.remove());
  pki.root('root');
  pki.issue('leaf', 'root', {
    names: 'DNS:a.example.com,IP:10.0.0.1,IP:2001:db8::1,URI:spiffe://cluster.local/ns/a/sa/b',
  });
  const [leaf, root, ...more] = certificatesOfPem(`${pki.pem('leaf')}nothing\n${pki.pem('root')}`);
  assert.deepEqual(more, []);
  assert.deepEqual(leaf?.subjectAltNames, [
    'a.example.com',
    '10.0.0.1',
    '2001:db8::1',
    'spiffe://cluster.local/ns/a/sa/b',
  ]);
  for (const [read, pem] of [
    [leaf, pki.pem('leaf')],
    [root, pki.pem('root')],
  ] as const) {
    const expected = new X509Certificate(pem);
    assert.equal(read?.subject, expected.subject?.replaceAll('\n', ', '));
    assert.equal(read?.issuer, expected.issuer?.replaceAll('\n', ', '));
    assert.equal(read?.serialNumber, expected.serialNumber?.toLowerCase());
    assert.equal(read?.validFrom, expected.validFromDate.getTime());
    assert.equal(read?.expiresAt, expected.validToDate.getTime());
  }
  assert.deepEqual(certificatesOfPem('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'), []);
});
