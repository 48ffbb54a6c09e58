// Takes a picture of every screen, wide and narrow, in both themes: `node tests/e2e/screenshots.ts DIRECTORY [SCREEN…]`. Those of
// what is most looked at are kept in docs/screenshots.

import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildDashboard } from '../../admin-ui/build.ts';
import { launch, openPage, openScreen, type Scheme } from './browser.ts';
import { DemoUnderTraffic } from './demo_under_traffic.ts';
import { RecordedMesh } from './recorded_mesh.ts';
import { WALKS } from './screens.ts';
import { smallPng } from './small_png.ts';
import { Troubles } from './troubles.ts';

/** ms of traffic before the first picture, so that charts have a past. */
const PAST_MS = Number(process.env['PAST_MS'] ?? 60_000);

/** ms. */
const RATES_MS = 2_500;

/** `THEMES=light` is half of the pictures. */
const THEMES = (process.env['THEMES'] ?? 'light,dark').split(',') as Scheme[];

const [directory = 'docs/screenshots', ...only] = process.argv.slice(2);
mkdirSync(directory, { recursive: true });
await buildDashboard();
const [demo, mesh, troubles] = await Promise.all([
  DemoUnderTraffic.start(),
  RecordedMesh.start(),
  Troubles.start(),
]);
const browser = await launch();
try {
  await sleep(PAST_MS);
  for (const { name, path: screen, mesh: ofMesh, troubled, waitMs = RATES_MS } of WALKS) {
    if (only.length > 0 && !only.includes(name)) continue;
    for (const scheme of THEMES) {
      for (const size of ['desktop', 'phone'] as const) {
        const { url } = ofMesh ? mesh : troubled ? troubles : demo;
        const watched = await openPage(browser, new URL(url).origin, size, scheme);
        await openScreen(watched, `${url}${screen}`);
        // A second look: rates need two.
        await sleep(waitMs);
        const file = `${name}-${size}${scheme === 'dark' ? '-dark' : ''}.png`;
        writeFileSync(path.join(directory, file), smallPng(await watched.page.screenshot()));
        for (const wrong of watched.wrongs) console.log(`${file}: ${wrong}`);
        await watched.page.context().close();
      }
    }
  }
} finally {
  await browser.close();
  await Promise.all([demo.stop(), mesh.stop(), troubles.stop()]);
}
