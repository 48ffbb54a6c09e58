// One run of h2spec against a port, read from its JUnit report.

import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { H2SPEC } from './tools.ts';

/** s that h2spec waits for an answer. What it waits for in vain costs this much. */
const ANSWER_S = 2;
/** ms for all cases, when every second one waits in vain. */
const RUN_MS = 150_000;

export interface Report {
  readonly cases: number;
  /** As `section: description`, in the order of h2spec. */
  readonly missed: readonly string[];
}

/** Runs all cases, those of `--strict` too. Rejects when there is no report. */
export async function h2spec(port: number, tls: boolean): Promise<Report> {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'h2spec-'));
  try {
    const file = path.join(directory, 'report.xml');
    const flags = ['--strict', '--port', String(port), '--timeout', String(ANSWER_S), '--junit-report', file];
    const output = await run([...flags, ...(tls ? ['--tls', '--insecure'] : [])]);
    return read(readFileSync(file, 'utf8'), output);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Resolves with what it wrote: its exit status says no more than the report. */
function run(flags: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    execFile(H2SPEC, flags, { timeout: RUN_MS }, (_error, stdout, stderr) => resolve(stdout + stderr));
  });
}

function read(xml: string, output: string): Report {
  const missed: string[] = [];
  let cases = 0;
  for (const [, attributes, rest] of xml.matchAll(/<testcase ([^>]*?)(?:\/>|>(.*?)<\/testcase>)/gs)) {
    cases++;
    if (!/<(failure|error|skipped)/.test(rest ?? '')) continue;
    missed.push(`${attribute(attributes, 'package')}: ${attribute(attributes, 'classname')}`);
  }
  if (cases === 0) throw new Error(`h2spec reported nothing:\n${output}`);
  return { cases, missed };
}

function attribute(attributes: string, name: string): string {
  const value = new RegExp(`\\b${name}="([^"]*)"`).exec(attributes)?.[1] ?? '';
  return value
    .replaceAll('&#34;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&gt;', '>')
    .replaceAll('&lt;', '<')
    .replaceAll('&amp;', '&');
}
