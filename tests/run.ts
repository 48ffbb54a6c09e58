// `npm test`: types and lint, then every test file. Prints what failed and, as its last line, `N passed, N failed`
// (and how many were skipped, with why above it).

import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { type EventData, run } from 'node:test';

const ROOT = path.join(import.meta.dirname, '..');
const BIN = path.join(ROOT, 'node_modules', '.bin');
/** More at a time would make the tests that measure time measure each other. */
const CONCURRENCY = 2;
/** ms for one file. The slowest take some tens of seconds. */
const FILE_TIMEOUT_MS = 240_000;

/** Of what a failed file has written, this much is shown at most. */
const OUTPUT_CHARS = 20_000;

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
const started = performance.now();

check('protos', process.execPath, [path.join('xds-protos', 'build.ts')]);
check('types', path.join(BIN, 'tsc'), ['-p', 'tsconfig.json']);
check('types of the dashboard', path.join(BIN, 'tsc'), ['-p', 'admin-ui']);
check('dashboard', process.execPath, [path.join('admin-ui', 'build.ts')]);
check('lint', path.join(BIN, 'biome'), ['check', '.']);
await runTests(process.argv.slice(2));

const seconds = Math.round((performance.now() - started) / 1000);
console.log(`\n${seconds} s`);
const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : '';
console.log(`${counts.passed} passed, ${counts.failed} failed${skipped}`);
process.exit(counts.failed > 0 ? 1 : 0);

/** A command that passes or fails as a whole; its output is only shown when it fails. */
function check(name: string, command: string, args: readonly string[]): void {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd: ROOT, encoding: 'utf8' });
  if (status === 0) {
    counts.passed++;
    console.log(`✔ ${name}`);
    return;
  }
  counts.failed++;
  console.log(`✖ ${name}\n${stdout ?? ''}${stderr ?? ''}${error?.message ?? ''}`);
}

/** `only`: files to run instead of all. */
async function runTests(only: readonly string[]): Promise<void> {
  const found = globSync(['server/**/*.test.ts', 'xds-protos/**/*.test.ts', 'tests/**/*.test.ts'], {
    cwd: ROOT,
  });
  const files = (only.length > 0 ? [...only] : found.sort()).map((file) => path.resolve(ROOT, file));
  const stream = run({
    files,
    cwd: ROOT,
    concurrency: Math.min(CONCURRENCY, availableParallelism()),
    timeout: FILE_TIMEOUT_MS,
  });
  const skips = new Map<string, number>();
  const failedFiles = new Set<string>();
  stream.on('test:pass', (data: EventData.TestPass) => {
    if (data.skip !== undefined) {
      counts.skipped++;
      const why = typeof data.skip === 'string' ? data.skip : data.name;
      skips.set(why, (skips.get(why) ?? 0) + 1);
    } else if (data.details.type !== 'suite') counts.passed++;
  });
  stream.on('test:fail', (data: EventData.TestFail) => {
    const { error, type } = data.details;
    // A suite fails because of its tests, and a file because of its suites: each is told once, where it happened.
    const cause = (error as Error & { readonly failureType?: string }).failureType;
    if (cause === 'subtestsFailed') return;
    if (type === 'suite' && cause === undefined) return;
    counts.failed++;
    failedFiles.add(path.relative(ROOT, data.file ?? ''));
    const where = `${path.relative(ROOT, data.file ?? '')}:${data.line ?? 0}`;
    const reason = error.cause instanceof Error ? (error.cause.stack ?? error.cause.message) : error.message;
    console.log(`✖ ${where} ${data.name}\n${reason.replace(/^/gm, '    ')}\n`);
  });
  // What a file that failed has written may say why; the others would only drown it.
  const written = new Map<string, string>();
  for (const event of ['test:stderr', 'test:stdout'] as const) {
    stream.on(event, ({ file, message }: EventData.TestStderr) => {
      written.set(file, (written.get(file) ?? '').slice(-OUTPUT_CHARS) + message);
    });
  }
  for await (const _ of stream);
  for (const [file, text] of written) {
    const name = path.relative(ROOT, file);
    if (failedFiles.has(name)) console.log(`── ${name} wrote:\n${text}`);
  }
  for (const [why, count] of skips) console.log(`﹣ ${count} skipped: ${why}`);
}
