// Regions of the output: in order with text and bytes, whole when they fill several pages, and not written over while a socket
// still needs them.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import tls from 'node:tls';
import { type SocketPair, socketPair } from '../../../tests/fakes/socket_connection.ts';
import type { SocketConnection } from './connection.ts';
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

const pairs: SocketPair[] = [];
async function pair(): Promise<SocketPair> {
  const made = await socketPair();
  pairs.push(made);
  return made;
}
test.afterEach(() => {
  for (const one of pairs.splice(0)) one.close();
});

/** Writes `text` through `reserve`, asking for more than it takes. */
function write(connection: SocketConnection, text: string): void {
  const region = connection.reserve(text.length + 5);
  region.end += region.buffer.write(text, region.end, 'latin1');
}

async function received({ peer }: SocketPair, length: number): Promise<string> {
  let text = '';
  peer.setEncoding('latin1');
  for await (const piece of peer) {
    text += piece;
    if (text.length >= length) break;
  }
  return text;
}

describe('regions', () => {
  test('keeps regions, text and bytes in order', async () => {
    const one = await pair();
    const { connection } = one;
    write(connection, 'a');
    write(connection, 'b');
    connection.writeLatin1('c');
    write(connection, 'd');
    connection.writeBytes(Buffer.from('e'));
    write(connection, 'f');
    connection.writeLatin1('g');
    assert.equal(connection.wireBytesSent, 7);
    assert.equal(await received(one, 7), 'abcdefg');
    assert.equal(connection.wireBytesSent, 7);
    assert.equal(connection.unsentBytes, 0);
  });

  test('fills several pages, and takes what is bigger than a page', async () => {
    const one = await pair();
    const expected: string[] = [];
    for (let i = 0; i < 300; i++) {
      const text = `${i}:`.padEnd(i === 150 ? 100_000 : (i * 37) % 1000, 'x');
      expected.push(text);
      write(one.connection, text);
    }
    const all = expected.join('');
    assert.equal(one.connection.wireBytesSent, all.length);
    assert.equal(await received(one, all.length), all);
  });

  test('does not write over what is on its way to a peer that reads late', async () => {
    const [slow, fast] = [await pair(), await pair()];
    slow.peer.pause();
    const turn = (i: number): string => String(i % 10).repeat(60_000);
    const expected: string[] = [];
    // More than the kernel takes; the other connection uses the pages in between.
    for (let i = 0; i < 200; i++) {
      expected.push(turn(i));
      write(slow.connection, turn(i));
      write(fast.connection, 'z'.repeat(60_000));
      fast.peer.resume();
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.ok(slow.connection.unsentBytes > 0, 'the kernel took it all, which proves nothing');
    const all = expected.join('');
    slow.peer.resume();
    assert.equal((await received(slow, all.length)) === all, true);
  });

  test('write filters see regions as bytes, and may keep them', async () => {
    const one = await pair();
    const { connection } = one;
    const seen: string[] = [];
    connection.writer = {
      onWrite(bytes) {
        seen.push(Buffer.from(bytes).toString());
        return seen.length !== 2;
      },
    };
    write(connection, 'first');
    connection.writeLatin1('kept');
    write(connection, 'third');
    write(connection, '+');
    assert.equal(await received(one, 11), 'firstthird+');
    assert.deepEqual(seen, ['first', 'kept', 'third+']);
  });

  test('a closed connection takes regions and sends nothing', async () => {
    const { connection } = await pair();
    connection.close('NoFlush');
    write(connection, 'unheard');
    write(connection, 'x'.repeat(100_000));
    assert.equal(connection.wireBytesSent, 0);
  });
});
