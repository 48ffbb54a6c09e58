// Asks Envoy and Pilotfish, which run from the same bootstrap and have had the same traffic, the same things on their admin
// ports, and compares status, content type and body.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ask } from '../fakes/admin_client.ts';
import { adminBootstrap, adminUpstream, drive } from './admin_bootstrap.ts';
import { type AdminCall, CHANGES, READS } from './admin_calls.ts';
import { ENVOY_BIN, EnvoyProcess, PILOTFISH } from './envoy_process.ts';
import type { ScriptedUpstream } from './scripted_upstream.ts';

const SKIP = ENVOY_BIN === undefined && 'no envoy: set ENVOY_BIN to compare with a real one';
/** For stats to be flushed twice. */
const SETTLE_MS = 600;

describe('the admin port answers as that of Envoy', { skip: SKIP }, () => {
  let upstream: ScriptedUpstream;
  let envoy: EnvoyProcess;
  let pilotfish: EnvoyProcess;

  before(async () => {
    upstream = await adminUpstream();
    const bootstrap = adminBootstrap(upstream.port);
    [envoy, pilotfish] = await Promise.all([
      EnvoyProcess.start(bootstrap),
      EnvoyProcess.start(bootstrap, PILOTFISH),
    ]);
    await Promise.all([drive(envoy), drive(pilotfish)]);
    await sleep(SETTLE_MS);
  });
  after(async () => {
    await Promise.all([envoy?.stop(), pilotfish?.stop()]);
    upstream?.close();
  });

  for (const call of [...READS, ...CHANGES]) {
    test(`${call.method} ${call.target}${call.form === undefined ? '' : ` with ${call.form}`}`, async () => {
      const [expected, actual] = await Promise.all([answer(envoy, call), answer(pilotfish, call)]);
      assert.deepEqual(actual, expected);
    });
  }
});

async function answer(process: EnvoyProcess, call: AdminCall): Promise<object> {
  const target = { host: '127.0.0.1', port: process.adminPort, path: call.target };
  const { status, headers, body } = await ask(target, call);
  const head = {
    status,
    type: headers['content-type'],
    cache: headers['cache-control'],
    server: headers.server,
  };
  switch (call.compared) {
    case 'type':
      return head;
    case 'line':
      return { ...head, line: body.split('\n')[0] };
    case 'shape':
      return { ...head, shape: shape(JSON.parse(body)) };
    case 'lines':
      return { ...head, lines: linesOf(normalised(body, process)) };
    case 'body':
      return { ...head, body: normalised(body, process).split('\n') };
  }
}

/** Without what differs between two processes: ports, times, counts of connections between them. */
function normalised(body: string, { ports }: EnvoyProcess): string {
  let text = body;
  for (const [name, port] of ports) text = text.replaceAll(new RegExp(`\\b${port}\\b`, 'g'), name);
  return (
    text
      .replaceAll(/"(last_updated|valid_from|expiration_time)": "[^"]*"/g, '"$1": "…"')
      // Protobuf chooses among several words, and puts in as many spaces as it likes, so that nobody compares it.
      .replaceAll(/goo\.gle\/debug\w+ +/g, 'goo.gle/debug… ')
      .replaceAll(/^total: \d+$/gm, 'total: …')
  );
}

/** Whatever the order of what they tell of. */
function linesOf(text: string): string[] {
  const lines = text.split('\n').map((line) => line.trimEnd().replace(/,$/, ''));
  return lines.sort();
}

/** The fields of JSON, whatever their values; a list has the fields of all its elements. */
function shape(value: unknown): unknown {
  if (Array.isArray(value)) return [...new Set(value.map((each) => JSON.stringify(shape(each))))].sort();
  if (typeof value !== 'object' || value === null) return typeof value;
  // What is in the maps is each program's own: its extensions and its build.
  const { extensions: _extensions, metadata: _metadata, ...rest } = value as Record<string, unknown>;
  return Object.fromEntries(
    Object.keys(rest)
      .sort()
      .map((key) => [key, shape(rest[key])]),
  );
}
