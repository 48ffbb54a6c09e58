// Builds generated/ (descriptors and TypeScript types) from the .proto files of @grpc/grpc-js-xds and of overlay/.
// Runs from `npm run check`, and from load.ts on a first start; does nothing when its inputs have not changed.

import { createHash } from 'node:crypto';
import { existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { threadId } from 'node:worker_threads';
import { describe } from './build_descriptors.ts';
import { parseProtos } from './build_parse.ts';
import { typeFiles } from './build_types.ts';

const here = import.meta.dirname;
const generated = path.join(here, 'generated');

export const DESCRIPTORS_FILE = path.join(generated, 'descriptors.txt');
const STAMP_FILE = path.join(generated, 'inputs.sha256');

/** The .proto files of the npm package (Envoy v3, xds, udpa, googleapis, validate), without its test data. */
export function packagedProtos(): string[] {
  const require = createRequire(import.meta.url);
  const deps = path.join(path.dirname(require.resolve('@grpc/grpc-js-xds/package.json')), 'deps');
  return globSync('*/{envoy,google,validate,udpa,xds}/**/*.proto', { cwd: deps })
    .filter((file) => !file.startsWith('protoc-gen-validate') || file.includes('/validate/'))
    .sort()
    .map((file) => path.join(deps, file));
}

/** Our own declarations of what the package lacks; a message that exists already gets the fields it is missing. */
export function overlayProtos(): string[] {
  return globSync('overlay/**/*.proto', { cwd: here })
    .sort()
    .map((file) => path.join(here, file));
}

function hashOf(files: readonly string[]): string {
  const hash = createHash('sha256');
  for (const file of files) hash.update(path.basename(file)).update(readFileSync(file));
  return hash.digest('hex');
}

/** Writes generated/ unless it is up to date; true when it was written. */
export function build(): boolean {
  const packaged = packagedProtos();
  const overlay = overlayProtos();
  const stamp = hashOf([...packaged, ...overlay, ...globSync(path.join(here, 'build*.ts')).sort()]);
  if (existsSync(STAMP_FILE) && readFileSync(STAMP_FILE, 'utf8') === stamp) return false;

  const descriptors = describe(parseProtos(packaged, overlay));
  const lines = [...descriptors].map(([name, descriptor]) => `${name}\t${JSON.stringify(descriptor)}\n`);
  const files = typeFiles(descriptors);
  files.set(path.basename(DESCRIPTORS_FILE), lines.join(''));
  for (const stale of globSync('**/*.ts', { cwd: generated })) {
    if (!files.has(stale.replaceAll(path.sep, '/'))) rmSync(path.join(generated, stale), { force: true });
  }
  for (const [file, text] of files) write(file, text);
  write(path.basename(STAMP_FILE), stamp);
  return true;
}

// Several processes may build at once on a first start, and others read: no file is ever seen half written.
function write(file: string, text: string): void {
  const target = path.join(generated, file);
  const scratch = `${target}.${process.pid}-${threadId}`;
  mkdirSync(path.dirname(target), { recursive: true });
  writeFileSync(scratch, text);
  renameSync(scratch, target);
}

if (import.meta.main) console.log(build() ? `wrote ${generated}` : 'xds-protos/generated is up to date');
