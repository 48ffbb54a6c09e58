// Builds generated/ (descriptors and TypeScript types) from the .proto files of @grpc/grpc-js-xds and of overlay/.
// Runs from `npm run check`, and from load.ts on a first start; does nothing when its inputs have not changed.

import { createHash } from 'node:crypto';
import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
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

/** Writes generated/ unless it is up to date; true when it was written. A reader never sees half of it. */
export function build(): boolean {
  const packaged = packagedProtos();
  const overlay = overlayProtos();
  const stamp = hashOf([...packaged, ...overlay, ...globSync(path.join(here, 'build*.ts')).sort()]);
  if (existsSync(STAMP_FILE) && readFileSync(STAMP_FILE, 'utf8') === stamp) return false;

  const descriptors = describe(parseProtos(packaged, overlay));
  const lines = [...descriptors].map(([name, descriptor]) => `${name}\t${JSON.stringify(descriptor)}\n`);
  const scratch = mkdtempSync(path.join(here, '.generated-'));
  try {
    for (const [file, text] of typeFiles(descriptors)) write(scratch, file, text);
    write(scratch, path.basename(DESCRIPTORS_FILE), lines.join(''));
    write(scratch, path.basename(STAMP_FILE), stamp);
    replaceGenerated(scratch);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return true;
}

// Several processes may build at once on a first start: the first to finish wins, and all wrote the same.
function replaceGenerated(scratch: string): void {
  rmSync(generated, { recursive: true, force: true });
  try {
    renameSync(scratch, generated);
  } catch (error) {
    if (!existsSync(STAMP_FILE)) throw error;
  }
}

function write(folder: string, file: string, text: string): void {
  const target = path.join(folder, file);
  mkdirSync(path.dirname(target), { recursive: true });
  writeFileSync(target, text);
}

if (import.meta.main) console.log(build() ? `wrote ${generated}` : 'xds-protos/generated is up to date');
