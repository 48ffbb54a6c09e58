// What a browser fetches before it shows the first screen weighs at most 200 KB; graphs and editors wait until they are wanted.

import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { buildDashboard } from '../../admin-ui/build.ts';

const DIST = path.join(import.meta.dirname, '..', '..', 'admin-ui', 'dist');
const MAX_BYTES = 200 * 1024;
/** Fetched at once by the overview: itself, and its charts. */
const FIRST = ['index.html', 'src/screens/overview/Overview.tsx', 'src/charts/plot.ts'];

/** Of vite's manifest. https://vite.dev/guide/backend-integration */
interface Chunk {
  readonly file: string;
  readonly css?: readonly string[];
  readonly imports?: readonly string[];
}

test('the first load weighs at most 200 KB, compressed', async () => {
  await buildDashboard();
  const manifest = JSON.parse(readFileSync(path.join(DIST, 'manifest.json'), 'utf8')) as Record<
    string,
    Chunk
  >;
  const files = new Set<string>(['index.html']);
  const add = (key: string): void => {
    const chunk = manifest[key];
    assert.ok(chunk !== undefined, `${key} is no chunk of its own`);
    if (files.has(chunk.file)) return;
    for (const file of [chunk.file, ...(chunk.css ?? [])]) files.add(file);
    for (const each of chunk.imports ?? []) add(each);
  };
  for (const key of FIRST) add(key);
  const sizes = [...files].map((file) => [file, statSync(path.join(DIST, `${file}.gz`)).size] as const);
  const total = sizes.reduce((sum, [, size]) => sum + size, 0);
  assert.ok(total <= MAX_BYTES, `${total} bytes: ${JSON.stringify(sizes)}`);
  // It would pass with nothing, too.
  assert.ok(total > 50_000, `only ${total} bytes`);
});
