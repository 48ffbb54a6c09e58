// Builds the dashboard into dist/ when its sources or libraries have changed. `npm start` runs it first; it never keeps the
// proxy from starting: where it cannot build, it says so, and /ui/ says so too.

import { createHash } from 'node:crypto';
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';

const ROOT = import.meta.dirname;
const STAMP_FILE = path.join(ROOT, 'dist', 'inputs.sha256');
const INPUTS = [
  'src/**/*.{ts,tsx,css}',
  'public/*',
  'index.html',
  'vite.config.ts',
  'server_code.ts',
  'tsconfig.json',
  'package.json',
  // What explains requests by a /config_dump file.
  '../server/{api,common,extensions}/**/*.ts',
  '../server/main/{config_store,explain}/*.ts',
  '../xds-protos/*.ts',
  '../xds-protos/overlay/*.proto',
];
const DESCRIPTORS_FILE = path.join(ROOT, '..', 'xds-protos', 'generated', 'descriptors.txt');

/** Of all that goes into the build: the sources, and the versions of the libraries. */
function inputsHash(): string {
  const hash = createHash('sha256');
  for (const file of globSync(INPUTS, { cwd: ROOT }).sort()) {
    if (file.endsWith('.test.ts')) continue;
    hash.update(file).update(readFileSync(path.join(ROOT, file)));
  }
  return hash.digest('hex');
}

/** True when it built, false when dist/ was up to date. Throws when it cannot. */
export async function buildDashboard(): Promise<boolean> {
  const hash = inputsHash();
  if (existsSync(STAMP_FILE) && readFileSync(STAMP_FILE, 'utf8') === hash) return false;
  if (!existsSync(DESCRIPTORS_FILE)) (await import('../xds-protos/build.ts')).build();
  const { build } = await import('vite');
  await build({ root: ROOT, configFile: path.join(ROOT, 'vite.config.ts'), logLevel: 'warn' });
  for (const file of globSync('dist/**/*.{html,js,css,svg}', { cwd: ROOT })) compress(path.join(ROOT, file));
  writeFileSync(STAMP_FILE, hash);
  return true;
}

/** Beside the file, so that the proxy need not do it with each answer. */
function compress(file: string): void {
  const gzip = gzipSync(readFileSync(file), { level: 9 });
  if (gzip.length < readFileSync(file).length) writeFileSync(`${file}.gz`, gzip);
}

if (import.meta.main) {
  try {
    if (await buildDashboard()) console.log('The dashboard is built.');
  } catch (error) {
    console.error(`The dashboard could not be built: ${(error as Error).message}`);
    if (!process.argv.includes('--or-go-on')) process.exit(1);
  }
}
