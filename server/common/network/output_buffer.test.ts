import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import tls from 'node:tls';
import { OutputBuffer } from './output_buffer.ts';

const CERTS = new URL('../../../tests/fixtures/certs/', import.meta.url);
const pem = (name: string) => readFileSync(new URL(name, CERTS));

test('pages are not written to again while a TLS socket still needs them', async () => {
  const server = tls.createServer({ cert: pem('server.pem'), key: pem('server.key') });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const client = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  const [accepted] = (await once(server, 'secureConnection')) as [tls.TLSSocket];

  const output = new OutputBuffer();
  const length = 16_000;
  // More than the kernel takes of a peer that does not read: what comes last waits in the socket.
  const writes = 1000;
  for (let i = 0; i < writes; i++) {
    const region = output.reserve(length);
    region.buffer.fill(i % 251, region.end, region.end + length);
    region.end += length;
    output.flushTo(accepted, true);
    if (i % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(accepted.writableLength > 0, 'the test must have filled the socket');

  let received = 0;
  let wrong = 0;
  client.on('data', (chunk: Buffer) => {
    for (const byte of chunk) if (byte !== Math.trunc(received++ / length) % 251) wrong++;
    if (received === writes * length) client.destroy();
  });
  await once(client, 'close');
  accepted.destroy();
  server.close();
  assert.equal(received, writes * length);
  assert.equal(wrong, 0);
});
