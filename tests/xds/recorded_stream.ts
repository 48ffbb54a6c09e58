// Streams between a client and istiod as they were recorded: a folder of wire messages and an index.jsonl that orders them.
// tests/fixtures/istiod holds two; PILOTFISH_ISTIOD_STREAMS may name a folder with more.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { TestContext } from 'node:test';

export interface RecordedMessage {
  readonly seq: number;
  readonly dir: 'send' | 'recv';
  /** `CDS`, `EDS`, … */
  readonly type: string;
  /** The live change that led to it. */
  readonly step: string;
  readonly nack: boolean;
  readonly bytes: Uint8Array;
}

export interface RecordedStream {
  readonly name: string;
  readonly dialect: 'sotw' | 'delta';
  readonly messages: readonly RecordedMessage[];
}

const FIXTURES = path.join(import.meta.dirname, '..', 'fixtures', 'istiod');

/** Reads `<folder>/<name>-<sotw|delta>`. */
export function readRecordedStream(folder: string): RecordedStream {
  const lines = readFileSync(path.join(folder, 'index.jsonl'), 'utf8').trim().split('\n');
  const messages = lines.map((line): RecordedMessage => {
    const { seq, dir, type, step, nack } = JSON.parse(line) as Omit<RecordedMessage, 'bytes'>;
    const file = `${String(seq).padStart(3, '0')}-${dir === 'send' ? 'req-' : ''}${type}.pb`;
    return { seq, dir, type, step, nack: nack === true, bytes: readFileSync(path.join(folder, file)) };
  });
  const name = path.basename(folder);
  return { name, dialect: name.endsWith('-delta') ? 'delta' : 'sotw', messages };
}

/** The streams of the fixtures, then those of PILOTFISH_ISTIOD_STREAMS that are not among them. */
export function recordedStreams(): RecordedStream[] {
  const folders = [FIXTURES, process.env['PILOTFISH_ISTIOD_STREAMS']].filter(
    (folder) => folder !== undefined,
  );
  const byName = new Map<string, RecordedStream>();
  for (const folder of folders) {
    for (const name of readdirSync(folder).sort()) {
      if (!byName.has(name) && existsSync(path.join(folder, name, 'index.jsonl'))) {
        byName.set(name, readRecordedStream(path.join(folder, name)));
      }
    }
  }
  return [...byName.values()];
}

/** True, and the test is skipped with a message, when only the fixtures are there. */
export function skipWithoutRecordings(context: TestContext): boolean {
  if (process.env['PILOTFISH_ISTIOD_STREAMS'] !== undefined) return false;
  context.skip('set PILOTFISH_ISTIOD_STREAMS to the folder of recorded istiod streams');
  return true;
}
