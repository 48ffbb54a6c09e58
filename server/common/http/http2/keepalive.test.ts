// PINGs at their interval, what answers them, and what happens when nothing does.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GET, headers, ping } from '../../../../tests/fakes/http2_frames.ts';
import { ClientRecorder, http2Settings, ServerRecorder } from '../../../../tests/fakes/http2_recorder.ts';
import { durationOf } from '../../../../xds-protos/well_known.ts';

function keepalive(intervalMs: number, timeoutMs: number, idleMs = 0): ReturnType<typeof http2Settings> {
  return http2Settings({
    connection_keepalive: {
      interval: intervalMs === 0 ? undefined : durationOf(intervalMs),
      timeout: durationOf(timeoutMs),
      interval_jitter: { value: 0 },
      connection_idle_interval: idleMs === 0 ? undefined : durationOf(idleMs),
    },
  });
}
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('keepalive', () => {
  test('asks again after each answer', async () => {
    const peer = new ServerRecorder(keepalive(20, 1000)).greet();
    for (let i = 1; i <= 3; i++) {
      await wait(35);
      assert.equal(peer.answersSent.length, i);
      assert.equal(peer.answersSent.at(-1), 'PING');
      peer.feed(ping(true));
    }
    assert.equal(peer.closed, false);
    peer.codec.onConnectionClosed();
    await wait(40);
    assert.equal(peer.answersSent.length, 3);
  });

  test('no answer ends the connection', async () => {
    const peer = new ServerRecorder(keepalive(10, 30)).greet();
    await wait(80);
    assert.equal(peer.closed, true);
    assert.equal(peer.stat('keepalive_timeout'), 1);
  });

  test('any frame is a sign of life', async () => {
    const peer = new ServerRecorder(keepalive(10, 60)).greet();
    for (let id = 1; id < 13; id += 2) {
      await wait(25);
      peer.feed(headers(id, GET));
    }
    assert.equal(peer.closed, false);
    await wait(120);
    assert.equal(peer.closed, true);
  });

  test('a client asks before the first stream after a silence', async () => {
    const client = new ClientRecorder(keepalive(0, 1000, 20)).greet();
    client.request();
    assert.deepEqual(client.answersSent.length, 1);
    await wait(40);
    client.request();
    assert.equal(client.answersSent[1], 'PING');
    client.request();
    assert.equal(client.answersSent.filter((answer) => answer === 'PING').length, 1);
    client.codec.onConnectionClosed('ConnectionTermination', '');
  });
});
