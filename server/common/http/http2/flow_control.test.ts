// Windows in both directions, what waits for them, and the backpressure that this makes.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  data,
  GET,
  headers,
  POST,
  rstStream,
  settings,
  windowUpdate,
} from '../../../../tests/fakes/http2_frames.ts';
import { http2Settings, ServerRecorder } from '../../../../tests/fakes/http2_recorder.ts';
import { until } from '../../../../tests/fakes/until.ts';
import { ResponseHeaders, Trailers } from '../header_map.ts';
import * as h2 from './frame.ts';

const WINDOW = 65_535;
const NARROW = {
  initial_stream_window_size: { value: WINDOW },
  initial_connection_window_size: { value: WINDOW },
};

function server(options: Parameters<typeof http2Settings>[0] = {}): ServerRecorder {
  const recorder = new ServerRecorder(http2Settings(options)).greet();
  recorder.answers = false;
  return recorder;
}

class Watermarks {
  above = 0;
  below = 0;
  onAboveWriteBufferHighWatermark(): void {
    this.above++;
  }
  onBelowWriteBufferLowWatermark(): void {
    this.below++;
  }
}

/** DATA bytes sent on a stream, and whether it ended. */
function sentOn(peer: ServerRecorder, stream: number): [bytes: number, ended: boolean] {
  peer.flush();
  const frames = peer.sent.frames.filter((frame) => frame.stream === stream && frame.type === 'DATA');
  const bytes = frames.reduce((sum, { payload }) => sum + payload.length, 0);
  return [bytes, frames.some(({ flags }) => (flags & h2.FLAG_END_STREAM) !== 0)];
}

describe('sending', () => {
  test('stops at the stream’s window and goes on when it opens', () => {
    const peer = server().feed(windowUpdate(0, 1_000_000), headers(1, GET));
    const { encoder } = peer.requests[0];
    encoder.encodeHeaders(new ResponseHeaders(200), false);
    encoder.encodeData(Buffer.alloc(100_000), 0, 100_000, true);
    assert.deepEqual(sentOn(peer, 1), [WINDOW, false]);
    assert.equal(peer.stat('pending_send_bytes'), 100_000 - WINDOW);
    peer.feed(windowUpdate(1, 10_000));
    assert.deepEqual(sentOn(peer, 1), [WINDOW + 10_000, false]);
    peer.feed(windowUpdate(1, 100_000));
    assert.deepEqual(sentOn(peer, 1), [100_000, true]);
    assert.equal(peer.stat('pending_send_bytes'), 0);
  });

  test('content is in order, whatever the pieces', () => {
    const peer = server().feed(headers(1, GET));
    const { encoder } = peer.requests[0];
    encoder.encodeHeaders(new ResponseHeaders(200), false);
    const body = Buffer.from(Array.from({ length: 200_000 }, (_, i) => i % 251));
    for (let from = 0, size = 1; from < body.length; size = (size * 7) % 9973) {
      const end = Math.min(from + size, body.length);
      const copy = Buffer.from(body.subarray(from, end));
      encoder.encodeData(copy, 0, copy.length, end === body.length);
      copy.fill(0);
      from = end;
    }
    for (let i = 0; i < 500; i++) peer.feed(windowUpdate(1, 777), windowUpdate(0, 500));
    const received = Buffer.concat(
      peer.sent.frames.filter(({ type }) => type === 'DATA').map(({ payload }) => payload),
    );
    assert.equal(received.compare(body), 0);
    assert.equal(peer.codec.activeStreams, 0);
  });

  test('streams take turns when the connection’s window opens', () => {
    const peer = server({}).feed(settings([[h2.SETTINGS_INITIAL_WINDOW_SIZE, 1_000_000]]));
    for (const id of [1, 3, 5]) peer.feed(headers(id, GET));
    for (const { encoder } of peer.requests) {
      encoder.encodeHeaders(new ResponseHeaders(200), false);
      encoder.encodeData(Buffer.alloc(200_000), 0, 200_000, true);
    }
    assert.deepEqual(sentOn(peer, 1), [WINDOW, false]);
    peer.feed(windowUpdate(0, 6 * 16_384));
    assert.deepEqual(
      [1, 3, 5].map((id) => sentOn(peer, id)[0]),
      [WINDOW + 2 * 16_384, 2 * 16_384, 2 * 16_384],
    );
  });

  test('trailers wait behind data, and an empty end needs no window', () => {
    const peer = server().feed(
      settings([[h2.SETTINGS_INITIAL_WINDOW_SIZE, 0]]),
      headers(1, GET),
      headers(3, GET),
    );
    const [first, second] = peer.requests.map(({ encoder }) => encoder);
    first.encodeHeaders(new ResponseHeaders(200), false);
    first.encodeData(Buffer.from('abc'), 0, 3, false);
    first.encodeTrailers(new Trailers(['x', 'y']));
    second.encodeHeaders(new ResponseHeaders(200), false);
    second.encodeData(Buffer.alloc(0), 0, 0, true);
    assert.deepEqual(peer.answersSent, ['HEADERS 1 :status: 200', 'HEADERS 3 :status: 200', 'DATA 3 end 0']);
    peer.feed(settings([[h2.SETTINGS_INITIAL_WINDOW_SIZE, 10]]));
    assert.deepEqual(peer.answersSent.slice(3), ['DATA 1 3', 'HEADERS 1 end x: y']);
  });

  test('a smaller initial window makes windows negative', () => {
    const peer = server().feed(headers(1, GET));
    const { encoder } = peer.requests[0];
    encoder.encodeHeaders(new ResponseHeaders(200), false);
    encoder.encodeData(Buffer.alloc(60_000), 0, 60_000, false);
    peer.feed(settings([[h2.SETTINGS_INITIAL_WINDOW_SIZE, 100]]));
    encoder.encodeData(Buffer.alloc(10), 0, 10, true);
    peer.feed(windowUpdate(1, 59_900));
    assert.deepEqual(sentOn(peer, 1), [60_000, false]);
    peer.feed(windowUpdate(1, 10));
    assert.deepEqual(sentOn(peer, 1), [60_010, true]);
  });

  test('a full buffer pauses its owner until it is half empty', () => {
    const peer = server(NARROW).feed(headers(1, GET));
    const { encoder } = peer.requests[0];
    const watermarks = new Watermarks();
    encoder.setStreamCallbacks?.(watermarks);
    encoder.encodeHeaders(new ResponseHeaders(200), false);
    encoder.encodeData(Buffer.alloc(2 * WINDOW), 0, 2 * WINDOW, false);
    assert.equal(watermarks.above, 0);
    encoder.encodeData(Buffer.alloc(1), 0, 1, false);
    assert.equal(watermarks.above, 1);
    peer.feed(windowUpdate(0, WINDOW), windowUpdate(1, 30_000));
    assert.equal(watermarks.below, 0);
    peer.feed(windowUpdate(1, 10_000));
    assert.equal(watermarks.below, 1);
  });

  test('a window beyond 2^31 − 1 costs the stream', () => {
    const peer = server().feed(headers(1, GET), windowUpdate(1, 0x7fff_ffff));
    assert.deepEqual(peer.answersSent, ['RST_STREAM 1 FLOW_CONTROL_ERROR']);
    const zero = server().feed(headers(1, GET), windowUpdate(1, 0));
    assert.deepEqual(zero.answersSent, ['RST_STREAM 1 PROTOCOL_ERROR']);
  });

  test('what waits is dropped with its stream', () => {
    const peer = server().feed(headers(1, GET));
    peer.requests[0].encoder.encodeHeaders(new ResponseHeaders(200), false);
    peer.requests[0].encoder.encodeData(Buffer.alloc(100_000), 0, 100_000, true);
    peer.feed(rstStream(1, h2.CANCEL), windowUpdate(0, 100_000));
    assert.deepEqual(sentOn(peer, 1), [WINDOW, false]);
    assert.equal(peer.stat('pending_send_bytes'), 0);
  });

  test('a peer that never takes the rest loses the stream in time', async () => {
    const peer = server();
    peer.codec.flushTimeoutMs = 20;
    peer.feed(headers(1, GET));
    peer.requests[0].encoder.encodeHeaders(new ResponseHeaders(200), false);
    peer.requests[0].encoder.encodeData(Buffer.alloc(100_000), 0, 100_000, true);
    await until(() => peer.codec.activeStreams === 0);
    assert.equal(peer.answersSent.at(-1), 'RST_STREAM 1 INTERNAL_ERROR');
    assert.equal(peer.stat('tx_flush_timeout'), 1);
    assert.equal(peer.codec.activeStreams, 0);
  });
});

describe('receiving', () => {
  const half = Math.ceil(WINDOW / 2);
  const updates = (peer: ServerRecorder): string[] =>
    peer.answersSent.filter((answer) => answer.startsWith('WINDOW_UPDATE'));
  /** A server with the smallest windows announces no more at the beginning, so that nothing is to be left out. */
  function narrow(): ServerRecorder {
    const peer = server(NARROW);
    peer.sent.frames.unshift(peer.sent.frames[0]);
    return peer;
  }

  test('half of a window is given back at once', () => {
    const peer = narrow().feed(headers(1, POST, 0));
    peer.feed(data(1, Buffer.alloc(16_384)));
    assert.deepEqual(updates(peer), []);
    peer.feed(data(1, Buffer.alloc(half - 16_384)));
    assert.deepEqual(updates(peer), [`WINDOW_UPDATE ${half}`, `WINDOW_UPDATE 1 ${half}`]);
  });

  test('a stream that is not read gives nothing back, until it is', () => {
    const peer = narrow().feed(headers(1, POST, 0), headers(3, POST, 0));
    const { encoder } = peer.requests[0];
    encoder.readDisable(true);
    encoder.readDisable(true);
    for (let i = 0; i < 3; i++) peer.feed(data(1, Buffer.alloc(16_384)));
    encoder.readDisable(false);
    assert.deepEqual(updates(peer), []);
    assert.equal(peer.messages[0].body.length, 3 * 16_384, 'what is here is passed on');
    encoder.readDisable(false);
    assert.deepEqual(updates(peer), [`WINDOW_UPDATE ${3 * 16_384}`, `WINDOW_UPDATE 1 ${3 * 16_384}`]);
  });

  test('the end of a stream gives back what it held', () => {
    const peer = narrow().feed(headers(1, POST, 0));
    peer.requests[0].encoder.readDisable(true);
    for (let i = 0; i < 3; i++) peer.feed(data(1, Buffer.alloc(16_384)));
    peer.feed(rstStream(1, h2.CANCEL));
    assert.deepEqual(updates(peer), [`WINDOW_UPDATE ${3 * 16_384}`]);
  });

  test('DATA for a stream that is gone still counts', () => {
    const peer = narrow().feed(headers(1, POST, 0));
    peer.requests[0].encoder.resetStream('LocalReset');
    for (let i = 0; i < 2; i++) peer.feed(data(1, Buffer.alloc(16_384)));
    assert.deepEqual(updates(peer), [`WINDOW_UPDATE ${2 * 16_384}`]);
    assert.equal(peer.error, undefined);
  });

  test('more than a stream’s window costs the stream, more than the connection’s the connection', () => {
    const peer = server({ initial_stream_window_size: { value: WINDOW } }).feed(headers(1, POST, 0));
    peer.requests[0].encoder.readDisable(true);
    for (let i = 0; i < 4; i++) peer.feed(data(1, Buffer.alloc(16_384)));
    assert.deepEqual(peer.answersSent, ['RST_STREAM 1 FLOW_CONTROL_ERROR']);
    const both = narrow().feed(headers(1, POST, 0), headers(3, POST, 0));
    for (const { encoder } of both.requests) encoder.readDisable(true);
    for (let i = 0; i < 4; i++) both.feed(data(i % 2 === 0 ? 1 : 3, Buffer.alloc(16_384)));
    assert.equal(both.answersSent.at(-1), 'GOAWAY 3 FLOW_CONTROL_ERROR');
  });
});
