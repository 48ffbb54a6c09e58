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

/**
 * So few files that fail are tried once more, alone: what a busy machine upset passes then, and is told all the same. More than
 * that is no accident.
 */
const TRIED_AGAIN = 5;

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
  const results = await runFiles(files, Math.min(CONCURRENCY, availableParallelism()));
  const failed = [...results].filter(([, result]) => result.failed > 0).map(([file]) => file);
  if (failed.length > 0 && failed.length <= TRIED_AGAIN) {
    for (const [file, result] of await runFiles(failed, 1)) {
      results.set(file, result);
      if (result.failed === 0)
        console.log(`↻ ${path.relative(ROOT, file)} failed beside others and passes alone: see above\n`);
    }
  }
  const skips = new Map<string, number>();
  for (const result of results.values()) {
    counts.passed += result.passed;
    counts.failed += result.failed;
    counts.skipped += result.skips.length;
    for (const why of result.skips) skips.set(why, (skips.get(why) ?? 0) + 1);
  }
  for (const [why, count] of skips) console.log(`﹣ ${count} skipped: ${why}`);
}

/** What came of a file's tests. */
interface FileResult {
  passed: number;
  failed: number;
  /** Why each skipped test was. */
  readonly skips: string[];
  /** What it wrote, the end of it. */
  output: string;
}

/** Runs files, so many at a time, and prints what fails. By absolute path. */
async function runFiles(files: readonly string[], concurrency: number): Promise<Map<string, FileResult>> {
  const results = new Map<string, FileResult>();
  const resultOf = (file = ''): FileResult => {
    let result = results.get(file);
    if (result === undefined) results.set(file, (result = { passed: 0, failed: 0, skips: [], output: '' }));
    return result;
  };
  const stream = run({ files, cwd: ROOT, concurrency, timeout: FILE_TIMEOUT_MS });
  stream.on('test:pass', ({ file, skip, name, details }: EventData.TestPass) => {
    if (skip !== undefined) resultOf(file).skips.push(typeof skip === 'string' ? skip : name);
    else if (details.type !== 'suite') resultOf(file).passed++;
  });
  stream.on('test:fail', ({ file, line, name, details: { error, type } }: EventData.TestFail) => {
    // A suite fails because of its tests, and a file because of its suites: each is told once, where it happened.
    const cause = (error as Error & { readonly failureType?: string }).failureType;
    if (cause === 'subtestsFailed') return;
    if (type === 'suite' && cause === undefined) return;
    resultOf(file).failed++;
    const where = `${path.relative(ROOT, file ?? '')}:${line ?? 0}`;
    const reason = error.cause instanceof Error ? (error.cause.stack ?? error.cause.message) : error.message;
    console.log(`✖ ${where} ${name}\n${reason.replace(/^/gm, '    ')}\n`);
  });
  for (const event of ['test:stderr', 'test:stdout'] as const) {
    stream.on(event, ({ file, message }: EventData.TestStderr) => {
      const result = resultOf(file);
      result.output = result.output.slice(-OUTPUT_CHARS) + message;
    });
  }
  for await (const _ of stream);
  // What a file that failed has written may say why; the others would only drown it.
  for (const [file, { failed, output }] of results)
    if (failed > 0 && output !== '') console.log(`── ${path.relative(ROOT, file)} wrote:\n${output}`);
  return results;
}
