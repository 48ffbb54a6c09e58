// Attacks by frames that cost their sender nothing: each ends the connection with ENHANCE_YOUR_CALM and its stat, at the limit
// and not before, and nothing grows until then.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  block,
  data,
  frame,
  GET,
  headers,
  POST,
  ping,
  priority,
  rstStream,
  settings,
  windowUpdate,
} from '../../../../tests/fakes/http2_frames.ts';
import { ClientRecorder, http2Settings, ServerRecorder } from '../../../../tests/fakes/http2_recorder.ts';
import { ResponseHeaders } from '../header_map.ts';
import * as h2 from './frame.ts';
import { OutboundFrames } from './protocol_constraints.ts';

function server(options: Parameters<typeof http2Settings>[0] = {}, limits = {}): ServerRecorder {
  const recorder = new ServerRecorder(http2Settings(options, limits)).greet();
  recorder.answers = false;
  return recorder;
}

function times(count: number, bytes: Uint8Array): Buffer {
  return Buffer.concat(Array.from({ length: count }, () => bytes));
}

/** Outbound floods end when whoever writes is done. */
async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

function assertFlooded(peer: ServerRecorder, stat: string): void {
  assert.equal(peer.error?.flood, true);
  assert.equal(peer.stat(stat), 1);
  assert.match(peer.answersSent.at(-1) ?? '', /^GOAWAY \d+ ENHANCE_YOUR_CALM$/);
}

describe('inbound', () => {
  test('empty frames in a row', () => {
    const calm = server().feed(headers(1, POST, 0), data(1, ''), data(1, 'x'), data(1, ''), data(1, '', 1));
    assert.equal(calm.messages[0].complete, true);
    const peer = server().feed(headers(1, POST, 0), data(1, ''), data(1, ''));
    assertFlooded(peer, 'inbound_empty_frames_flood');
    assert.equal(peer.messages[0].reset, 'ProtocolError http2.inbound_empty_frames_flood');
    const none = server({ max_consecutive_inbound_frames_with_empty_payload: { value: 0 } });
    assertFlooded(none.feed(headers(1, POST, 0), data(1, '')), 'inbound_empty_frames_flood');
  });

  test('padding does not make a frame less empty', () => {
    const padded = frame(h2.FRAME_DATA, h2.FLAG_PADDED, 1, [3, 0, 0, 0]);
    assertFlooded(server().feed(headers(1, POST, 0), padded, padded), 'inbound_empty_frames_flood');
  });

  test('empty CONTINUATIONs', () => {
    const peer = server().feed(
      frame(h2.FRAME_HEADERS, 0, 1, block(GET)),
      times(2, frame(h2.FRAME_CONTINUATION, 0, 1)),
    );
    assertFlooded(peer, 'inbound_empty_frames_flood');
  });

  test('CONTINUATIONs without an end', () => {
    const peer = server({}, { maxHeadersKb: 8 }).feed(frame(h2.FRAME_HEADERS, 0, 1, block(GET)));
    const piece = frame(h2.FRAME_CONTINUATION, 0, 1, block([['x', 'y'.repeat(1000)]]));
    let pieces = 0;
    while (peer.error === undefined && pieces < 1000) {
      peer.feed(piece);
      pieces++;
    }
    assert.ok(pieces < 50, `${pieces} kB were taken`);
    assert.equal(peer.stat('header_overflow'), 1);
    assert.equal(peer.answersSent.at(-1), 'GOAWAY 0 ENHANCE_YOUR_CALM');
  });

  test('PRIORITY', () => {
    const options = { max_inbound_priority_frames_per_stream: { value: 10 } };
    const peer = server(options).feed(times(10, priority(3)));
    assert.equal(peer.error, undefined);
    assertFlooded(peer.feed(priority(3)), 'inbound_priority_frames_flood');
    const busy = server(options).feed(headers(1, GET), times(20, priority(3)));
    assert.equal(busy.error, undefined, 'each stream allows more');
  });

  test('WINDOW_UPDATE', () => {
    const peer = server().feed(times(5, windowUpdate(0, 1)));
    assert.equal(peer.error, undefined);
    assertFlooded(peer.feed(windowUpdate(0, 1)), 'inbound_window_update_frames_flood');
    const busy = server().feed(headers(1, GET));
    busy.requests[0].encoder.encodeHeaders(new ResponseHeaders(200), false);
    for (let i = 0; i < 100; i++) busy.requests[0].encoder.encodeData(Buffer.alloc(1), 0, 1, false);
    busy.feed(times(5 + 2 * (1 + 10 * 100), windowUpdate(0, 1)));
    assert.equal(busy.error, undefined, 'each DATA frame allows more');
    assertFlooded(busy.feed(windowUpdate(0, 1)), 'inbound_window_update_frames_flood');
  });

  test('a header list whose fields are all references to one big entry', () => {
    const peer = server();
    const entry = Buffer.concat([Buffer.from([0x40]), block([['x', 'y'.repeat(3900)]]).subarray(1)]);
    const bomb = Buffer.concat([entry, Buffer.alloc(12_000, 0xbe)]);
    const before = process.memoryUsage().heapUsed;
    for (let id = 1; id < 200; id += 2)
      peer.feed(frame(h2.FRAME_HEADERS, h2.FLAG_END_HEADERS | h2.FLAG_END_STREAM, id, bomb));
    assert.equal(peer.stat('header_list_size_too_large'), 100);
    assert.equal(peer.messages[0].reset, 'RemoteReset http2.header_list_size_too_large');
    assert.ok(process.memoryUsage().heapUsed - before < 50e6);
  });

  test('streams that are reset as soon as they are opened', () => {
    const peer = server();
    for (let id = 1; id < 10_000; id += 2)
      peer.feed(Buffer.concat([headers(id, POST, 0), rstStream(id, h2.CANCEL)]));
    // How many of these are too many the connection manager decides. Here nothing may be left of them.
    assert.equal(peer.codec.activeStreams, 0);
    assert.equal(peer.stat('streams_active'), 0);
    assert.equal(peer.error, undefined);
  });
});

describe('outbound, to a peer that does not read', () => {
  for (const [what, attack] of [
    ['PING', ping()],
    ['SETTINGS', settings()],
  ] as const) {
    test(what, async () => {
      const peer = server({ max_outbound_control_frames: { value: 100 } });
      peer.feed(times(90, attack), times(90, attack));
      await settle();
      assert.equal(peer.error, undefined, 'a peer that reads may ask');
      peer.sink.stick();
      peer.feed(times(100, attack));
      await settle();
      assert.equal(peer.error, undefined);
      peer.feed(attack);
      await settle();
      assertFlooded(peer, 'outbound_control_flood');
    });
  }

  test('RST_STREAM', async () => {
    const peer = server({
      max_outbound_control_frames: { value: 100 },
      override_stream_error_on_invalid_http_message: { value: true },
    });
    peer.sink.stick();
    const bad = (id: number): Buffer => headers(id, [...GET, ['X', 'y']]);
    for (let id = 1; id <= 2 * 101; id += 2) peer.feed(bad(id));
    await settle();
    assertFlooded(peer, 'outbound_control_flood');
  });

  test('frames of any kind', async () => {
    const peer = server({ max_outbound_frames: { value: 1000 } });
    peer.sink.stick();
    for (let id = 1; id <= 2001 && peer.error === undefined; id += 2) {
      peer.feed(headers(id, GET));
      peer.requests.at(-1)?.encoder.encodeHeaders(new ResponseHeaders(204), true);
      await Promise.resolve();
    }
    assertFlooded(peer, 'outbound_flood');
    assert.ok(peer.messages.length >= 990 && peer.messages.length <= 1001, `${peer.messages.length} answers`);
  });

  test('bytes that trickle away make room', () => {
    const sink = {
      wireBytesSent: 0,
      unsentBytes: 0,
      writeLatin1() {},
      writeBytes() {},
      reserve: () => ({}) as never,
    };
    const frames = new OutboundFrames(sink, 1000);
    let flooded = false;
    // 500 frames are always on their way.
    for (let i = 0; i < 20_000; i++) {
      sink.wireBytesSent += 20;
      sink.unsentBytes = Math.min(sink.wireBytesSent, 500 * 20);
      flooded ||= frames.add();
    }
    assert.equal(flooded, false);
    for (let i = 0; i < 600; i++) {
      sink.wireBytesSent += 20;
      sink.unsentBytes += 20;
      flooded ||= frames.add();
    }
    assert.equal(flooded, true);
  });
});

describe('a client protects itself from its server', () => {
  test('empty frames, and control frames while nothing is read', async () => {
    const client = new ClientRecorder().greet();
    client.request();
    client.feed(headers(1, [[':status', '200']], 0), data(1, ''), data(1, ''));
    assert.equal(client.error?.flood, true);
    assert.equal(client.stat('inbound_empty_frames_flood'), 1);
    const stuck = new ClientRecorder().greet();
    stuck.sink.stick();
    stuck.feed(times(1001, ping()));
    await settle();
    assert.equal(stuck.error?.flood, true);
    assert.equal(stuck.codec.acceptsStreams, false);
  });
});
