// Connections on real sockets.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type SocketPair, socketPair } from '../../../tests/fakes/socket_connection.ts';
import { until } from '../../../tests/fakes/until.ts';

async function pair(context: TestContext, bufferLimit?: number): Promise<SocketPair> {
  const result = await socketPair(bufferLimit);
  context.after(() => result.close());
  return result;
}

/** All that the peer gets until the end. */
async function drain(peer: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  peer.on('data', (chunk: Buffer) => chunks.push(chunk));
  if (!peer.closed && !peer.readableEnded) await Promise.race([once(peer, 'end'), once(peer, 'close')]);
  return Buffer.concat(chunks);
}

describe('SocketConnection', () => {
  test('what is written in one turn leaves in order', async (context) => {
    const { connection, peer } = await pair(context);
    connection.writeLatin1('a\xe9');
    connection.writeBytes(Buffer.from('b'));
    assert.equal(connection.writeThrough(Buffer.from('c')), true);
    connection.writeLatin1('d');
    connection.close('FlushWrite');
    assert.equal((await drain(peer)).toString('latin1'), 'a\xe9bcd');
  });

  test('nothing is read before it starts, nor while reading is disabled', async (context) => {
    const { connection, readable, peer, recorder } = await pair(context);
    connection.readDisable(true);
    peer.write('one');
    await sleep(20);
    assert.equal(recorder.received, '');
    readable.start();
    connection.readDisable(false);
    await until(() => recorder.received === 'one');
    connection.readDisable(true);
    connection.readDisable(true);
    peer.write('two');
    connection.readDisable(false);
    await sleep(20);
    assert.equal(recorder.received, 'one', 'calls nest');
    connection.readDisable(false);
    await until(() => recorder.received === 'onetwo');
  });

  test('bytes that come while reading is disabled are held, and the FIN behind them', async (context) => {
    const { connection, peer, recorder } = await pair(context);
    connection.enableHalfClose(true);
    connection.readDisable(true);
    connection.onRead(Buffer.from('held '), 0, 5);
    connection.onRead(Buffer.from('back'), 0, 4);
    peer.end();
    await sleep(20);
    assert.equal(recorder.received, '');
    connection.readDisable(false);
    await until(() => recorder.ended);
    assert.equal(recorder.received, 'held back');
  });

  test('the peer ends: without half-close that is the end', async (context) => {
    const { readable, peer, recorder } = await pair(context);
    readable.start();
    peer.end('bye');
    await until(() => recorder.events.length > 0);
    assert.deepEqual([recorder.received, recorder.ended, recorder.events], ['bye', false, ['RemoteClose']]);
  });

  test('with half-close each side ends on its own: ours last', async (context) => {
    const { connection, readable, peer, recorder } = await pair(context);
    connection.enableHalfClose(true);
    readable.start();
    peer.end('question');
    await until(() => recorder.ended);
    assert.equal(connection.state, 'open');
    connection.writeLatin1('answer');
    connection.endWrite();
    assert.equal((await drain(peer)).toString(), 'answer');
    await until(() => connection.state === 'closed');
    assert.deepEqual(recorder.events, ['LocalClose']);
  });

  test('with half-close each side ends on its own: theirs last', async (context) => {
    const { connection, readable, peer, recorder } = await pair(context);
    connection.enableHalfClose(true);
    readable.start();
    connection.writeLatin1('answer');
    connection.endWrite();
    assert.equal((await drain(peer)).toString(), 'answer');
    assert.equal(connection.state, 'open');
    peer.end('late');
    await until(() => connection.state === 'closed');
    assert.deepEqual([recorder.received, recorder.events], ['late', ['RemoteClose']]);
  });

  test('a reset is known as one', async (context) => {
    const { connection, readable, peer, recorder } = await pair(context);
    readable.start();
    peer.resetAndDestroy();
    await until(() => recorder.events.length > 0);
    assert.deepEqual([recorder.events, connection.remoteReset], [['RemoteClose'], true]);
    assert.equal(connection.transportFailureReason, '', 'Envoy gives no reason for it');
  });

  test('AbortReset resets', async (context) => {
    const { connection, peer, recorder } = await pair(context);
    const error = once(peer, 'error');
    peer.resume();
    connection.close('AbortReset');
    assert.equal(((await error)[0] as NodeJS.ErrnoException).code, 'ECONNRESET');
    assert.deepEqual(recorder.events, ['LocalClose']);
  });

  test('FlushWrite sends everything to a peer that reads late', async (context) => {
    const { connection, peer, recorder } = await pair(context);
    const size = 16 << 20;
    connection.writeBytes(Buffer.alloc(size));
    connection.close('FlushWrite');
    connection.writeLatin1('too late');
    assert.equal(connection.state, 'closing');
    await sleep(50);
    assert.equal((await drain(peer)).length, size);
    await until(() => connection.state === 'closed');
    assert.deepEqual(recorder.events.at(-1), 'LocalClose');
  });

  test('FlushWriteAndDelay waits for the peer to end', async (context) => {
    const { connection, peer, recorder } = await pair(context);
    connection.delayedCloseTimeoutMs = 5000;
    connection.writeLatin1('bye');
    connection.close('FlushWriteAndDelay', 'reason');
    assert.equal((await drain(peer)).toString(), 'bye');
    assert.deepEqual([connection.state, recorder.events], ['closing', []]);
    peer.end();
    await until(() => connection.state === 'closed');
    assert.deepEqual(recorder.events, ['LocalClose']);
    assert.equal(connection.info.localCloseReason, 'reason');
  });

  test('FlushWriteAndDelay waits so long and no longer', async (context) => {
    const { connection, peer } = await pair(context);
    connection.delayedCloseTimeoutMs = 50;
    connection.close('FlushWriteAndDelay');
    await drain(peer);
    assert.equal(connection.state, 'closing');
    await until(() => connection.state === 'closed');
  });

  test('the delayed close gives a slow reader time as long as bytes move', async (context) => {
    const { connection, peer } = await pair(context);
    const size = 16 << 20;
    connection.delayedCloseTimeoutMs = 250;
    peer.pause();
    connection.writeBytes(Buffer.alloc(size));
    connection.close('FlushWriteAndDelay');
    let got = 0;
    while (got < size) {
      await sleep(3);
      for (let chunk = peer.read(); chunk !== null; chunk = peer.read()) got += (chunk as Buffer).length;
      assert.ok(!peer.readableEnded || got === size, `cut after ${got} bytes`);
      if (peer.closed) break;
    }
    assert.equal(got, size);
  });

  test('watermarks: above when the peer does not read, below when it has', async (context) => {
    const { connection, peer, recorder } = await pair(context, 32_768);
    while (!recorder.events.includes('above')) {
      connection.writeBytes(Buffer.alloc(65_536));
      connection.flush();
    }
    assert.deepEqual(recorder.events, ['above'], 'told once');
    peer.resume();
    await until(() => recorder.events.length > 1);
    assert.deepEqual(recorder.events, ['above', 'below']);
  });

  test('writeThrough says whether its memory is free, and else tells when it is', async (context) => {
    const { connection, peer, recorder } = await pair(context);
    let sent = 0;
    const buffer = Buffer.alloc(262_144, 'x');
    do sent += buffer.length;
    while (connection.writeThrough(buffer));
    assert.deepEqual(recorder.events, ['above']);
    const received = drain(peer);
    await until(() => recorder.events.includes('below'));
    buffer.fill('y');
    connection.close('FlushWrite');
    const bytes = await received;
    assert.equal(bytes.length, sent);
    assert.equal(bytes.indexOf('y'), -1);
  });

  test('a reader that throws costs its connection only', async (context) => {
    const { connection, readable, peer, recorder } = await pair(context);
    const write = context.mock.method(process.stderr, 'write', () => true);
    connection.reader = {
      onData() {
        throw new Error('a bug');
      },
    };
    readable.start();
    peer.write('x');
    await until(() => connection.state === 'closed');
    assert.deepEqual(recorder.events, ['LocalClose']);
    assert.equal(connection.info.localCloseReason, 'internal_error');
    write.mock.restore();
  });

  test('callbacks that are taken out hear nothing more', async (context) => {
    const { connection, recorder } = await pair(context);
    connection.removeConnectionCallbacks(recorder);
    connection.close('NoFlush');
    assert.deepEqual(recorder.events, []);
  });
});
