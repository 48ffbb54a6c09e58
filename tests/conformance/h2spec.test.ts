// h2spec judges the HTTP/2 of the downstream side. What it misses is listed exactly: a test that starts to fail and one that is
// mended both show. docs/conformance.md says why each is missed.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, suite, test } from 'node:test';
import type { EnvoyProcess } from '../differential/envoy_process.ts';
import { h2spec } from './h2spec.ts';
import { EXPECTED_MISSES } from './h2spec_misses.ts';
import { MODES, startProxy } from './proxied.ts';
import { SUBJECT } from './subject.ts';
import { H2SPEC, missing } from './tools.ts';

/** All cases of h2spec 2.2.1. */
const CASES = 146;
/** Most cases that are missed make h2spec wait for its timeout. */
const TIMEOUT_MS = 150_000;

suite(`h2spec through ${SUBJECT.name}`, { skip: missing(H2SPEC), concurrency: true }, () => {
  // Answers when the request has ended: earlier, the stream is closed before h2spec has sent what it wants to be refused.
  const upstream = http.createServer((request, response) => {
    request.resume().on('end', () => response.end('answer'));
  });
  let proxy: EnvoyProcess;
  before(async () => {
    await once(upstream.listen(0, '127.0.0.1'), 'listening');
    const { port } = upstream.address() as AddressInfo;
    const plain = { port, http2: false, tls: false };
    proxy = await startProxy({ h2c: plain, tls: plain }, SUBJECT.command);
  });
  after(async () => {
    await proxy?.stop();
    upstream.close();
  });
  for (const mode of MODES) {
    test(`${mode}: no other miss than the known ones`, { timeout: TIMEOUT_MS }, async () => {
      const { cases, missed } = await h2spec(proxy.ports.get(mode)!, mode === 'tls');
      assert.equal(cases, CASES);
      assert.deepEqual(missed, EXPECTED_MISSES[SUBJECT.name][mode]);
    });
  }
});
