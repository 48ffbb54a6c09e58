// The client codec frame by frame: requests as they are sent, responses, and what a server may do to the streams.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  data,
  type Fields,
  frame,
  goAway,
  headers,
  rstStream,
  settings,
} from '../../../../tests/fakes/http2_frames.ts';
import { ClientRecorder, http2Settings } from '../../../../tests/fakes/http2_recorder.ts';
import { RequestHeaders, Trailers } from '../header_map.ts';
import * as h2 from './frame.ts';

const END = h2.FLAG_END_STREAM;
const OK: Fields = [[':status', '200']];

function client(options: Parameters<typeof http2Settings>[0] = {}): ClientRecorder {
  return new ClientRecorder(http2Settings(options)).greet();
}

describe('requests', () => {
  test('preface and settings come first', () => {
    const peer = new ClientRecorder();
    const bytes = peer.sink.take();
    assert.ok(bytes.subarray(0, 24).equals(h2.CONNECTION_PREFACE));
    assert.equal(
      bytes.subarray(33, 63).toString('hex'),
      '000200000000' + '000100001000' + '000800000000' + '000300000400' + '000401000000',
    );
  });

  test('head, body, trailers', () => {
    const peer = client();
    const { encoder } = peer.request('POST', ['host', 'no', 'x-a', 'b', 'connection', 'close'], null);
    const body = Buffer.from('abc');
    encoder.encodeData(body, 0, 3, false);
    encoder.encodeTrailers(new Trailers(['x-t', '1']));
    assert.deepEqual(peer.answersSent, [
      'HEADERS 1 :method: POST, :scheme: http, :path: /, :authority: a, host: no, x-a: b',
      'DATA 1 3',
      'HEADERS 1 end x-t: 1',
    ]);
  });

  test('ids follow the order of the heads', () => {
    const peer = client();
    const nothing = {
      onInformationalHeaders() {},
      onResponseHeaders() {},
      onData() {},
      onResponseTrailers() {},
      onResetStream() {},
    };
    const [first, second] = [peer.codec.newStream(nothing), peer.codec.newStream(nothing)];
    assert.equal(peer.codec.activeStreams, 2);
    second.encodeHeaders(new RequestHeaders('GET', '/2', 'a', 'http'), true);
    first.encodeHeaders(new RequestHeaders('GET', '/1', 'a', 'http'), true);
    assert.deepEqual(
      peer.answersSent.map((answer) => /(\d+) end.*(:path: \S+),/.exec(answer)?.slice(1)),
      [
        ['1', ':path: /2'],
        ['3', ':path: /1'],
      ],
    );
  });

  test('a stream that is given up before its head leaves no trace', () => {
    const peer = client();
    const stream = peer.codec.newStream(peer.responses[0] ?? peer.request());
    stream.resetStream('LocalReset');
    assert.equal(peer.codec.activeStreams, 1);
    assert.equal(peer.closedStreams, 1);
    assert.equal(peer.answersSent.length, 1);
  });

  test('CONNECT has neither scheme nor path', () => {
    const peer = client();
    peer.request('CONNECT', [], null);
    assert.deepEqual(peer.answersSent, ['HEADERS 1 :method: CONNECT, :authority: a']);
  });

  test('an upgrade is an extended CONNECT, and its answer a 101', () => {
    const peer = client({ allow_connect: true });
    const response = peer.request('GET', ['upgrade', 'websocket', 'connection', 'upgrade', 'x-a', 'b'], null);
    assert.deepEqual(peer.answersSent, [
      'HEADERS 1 :method: CONNECT, :scheme: http, :path: /, :authority: a, :protocol: websocket, x-a: b',
    ]);
    peer.feed(headers(1, OK, 0), data(1, 'raw'));
    assert.equal(response.message.line, '101');
    assert.deepEqual(response.message.headers, ['upgrade', 'websocket', 'connection', 'upgrade']);
    assert.equal(response.message.body, 'raw');
  });

  test('bodies in several frames of the size allowed', () => {
    const peer = client();
    peer.request('POST', [], 'x'.repeat(40_000));
    assert.deepEqual(peer.answersSent.slice(1), ['DATA 1 16384', 'DATA 1 16384', 'DATA 1 end 7232']);
  });
});

describe('responses', () => {
  test('1xx, head, body, trailers', () => {
    const peer = client();
    const { message } = peer.request();
    peer.feed(headers(1, [[':status', '103']], 0), headers(1, [...OK, ['x-a', 'b']], 0), data(1, 'abc'));
    assert.equal(peer.codec.activeStreams, 1);
    peer.feed(headers(1, [['x-t', '1']]));
    assert.deepEqual(message, {
      line: '200',
      headers: ['x-a', 'b'],
      body: 'abc',
      complete: true,
      informational: ['103'],
      trailers: ['x-t', '1'],
    });
    assert.equal(peer.codec.activeStreams, 0);
    assert.equal(peer.closedStreams, 1);
  });

  test('trailers only, as gRPC answers errors', () => {
    const peer = client();
    const { message } = peer.request();
    peer.feed(headers(1, [...OK, ['grpc-status', '12']]));
    assert.deepEqual([message.line, message.complete], ['200', true]);
  });

  test('HEAD and 304 announce a length and send nothing', () => {
    const peer = client();
    const responses = [peer.request('HEAD'), peer.request('GET')];
    peer.feed(headers(1, [...OK, ['content-length', '5']]));
    peer.feed(headers(3, [[':status', '304'], ['content-length', '5']])); // biome-ignore format: one row
    assert.deepEqual(
      responses.map(({ message }) => message.complete),
      [true, true],
    );
    assert.equal(peer.error, undefined);
  });

  test('a response that ends before its request leaves the stream to its owner', () => {
    const peer = client();
    const { encoder, message } = peer.request('POST', [], null);
    peer.feed(headers(1, OK));
    assert.equal(message.complete, true);
    assert.equal(peer.codec.activeStreams, 1);
    encoder.resetStream('LocalReset');
    assert.deepEqual(peer.answersSent.slice(1), ['RST_STREAM 1 CANCEL']);
    assert.equal(peer.codec.activeStreams, 0);
  });

  const bad: [what: string, fields: Fields, flags: number][] = [
    ['no status', [['x', 'y']], 0],
    ['a bad status', [[':status', '20']], 0],
    ['101', [[':status', '101']], 0],
    ['a 1xx that ends the stream', [[':status', '103']], END],
    ['a request’s pseudo-header', [...OK, [':path', '/']], 0],
    ['connection', [...OK, ['connection', 'close']], 0],
    ['a length and no body', [...OK, ['content-length', '1']], END],
  ];
  for (const [what, fields, flags] of bad) {
    test(`refuses ${what}`, () => {
      const peer = client({ override_stream_error_on_invalid_http_message: { value: true } });
      const { message } = peer.request();
      peer.feed(headers(1, fields, flags));
      assert.match(message.reset ?? '', /^ProtocolError http2\./);
      assert.deepEqual(peer.answersSent.slice(1), ['RST_STREAM 1 PROTOCOL_ERROR']);
      assert.equal(peer.error, undefined);
      const strict = client();
      strict.request();
      strict.feed(headers(1, fields, flags));
      assert.match(strict.messages[0].reset ?? '', /^ProtocolError http2\./);
      assert.equal(strict.codec.acceptsStreams, false);
      assert.deepEqual(strict.answersSent.slice(1), ['GOAWAY 0 PROTOCOL_ERROR']);
    });
  }

  test('refuses a body without a head', () => {
    const peer = client();
    peer.request();
    peer.feed(data(1, 'abc'));
    assert.equal(peer.messages[0].reset, 'ProtocolError http2.violation.of.messaging.rule');
  });

  test('refuses streams of the server’s own', () => {
    const peer = client().feed(headers(2, OK));
    assert.equal(peer.answersSent.at(-1), 'GOAWAY 0 PROTOCOL_ERROR');
    const pushed = client().feed(frame(h2.FRAME_PUSH_PROMISE, 4, 1, [0, 0, 0, 2]));
    assert.equal(pushed.answersSent.at(-1), 'GOAWAY 0 PROTOCOL_ERROR');
  });
});

describe('what a server does to streams', () => {
  test('refused, failed and cancelled', () => {
    const peer = client();
    for (let i = 0; i < 3; i++) peer.request();
    peer.feed(
      rstStream(1, h2.REFUSED_STREAM),
      rstStream(3, h2.CONNECT_ERROR),
      rstStream(5, h2.INTERNAL_ERROR),
    );
    assert.deepEqual(
      peer.messages.map(({ reset }) => reset),
      [
        'RemoteRefusedStreamReset http2.remote_refuse',
        'ConnectError http2.remote_reset',
        'RemoteReset http2.remote_reset',
      ],
    );
    assert.equal(peer.stat('rx_reset'), 3);
    assert.equal(peer.closedStreams, 3);
  });

  test('GOAWAY: later streams were not processed, earlier ones go on', () => {
    const peer = client();
    for (let i = 0; i < 3; i++) peer.request();
    peer.feed(goAway(0x7fff_ffff));
    assert.equal(peer.goAways, 1);
    assert.equal(peer.codec.acceptsStreams, false);
    assert.equal(peer.codec.activeStreams, 3);
    peer.feed(goAway(1), headers(1, OK));
    assert.deepEqual(
      peer.messages.map(({ reset, complete }) => reset ?? complete),
      [true, 'RemoteRefusedStreamReset http2.remote_refuse', 'RemoteRefusedStreamReset http2.remote_refuse'],
    );
    assert.equal(peer.goAways, 1);
    assert.equal(peer.codec.activeStreams, 0);
  });

  test('the number of streams it allows', () => {
    const peer = new ClientRecorder(http2Settings({ max_concurrent_streams: { value: 50 } }));
    assert.equal(peer.codec.maxConcurrentStreams, 50);
    peer.greet([[h2.SETTINGS_MAX_CONCURRENT_STREAMS, 10]]);
    peer.feed(settings([[h2.SETTINGS_MAX_CONCURRENT_STREAMS, 100]]));
    assert.deepEqual(peer.maxStreams, [10, 50]);
  });

  test('the connection ends', () => {
    const peer = client();
    peer.request();
    peer.request('POST', [], null);
    peer.codec.onConnectionClosed('ConnectionTermination', 'why');
    assert.deepEqual(
      peer.messages.map(({ reset }) => reset),
      ['ConnectionTermination why', 'ConnectionTermination why'],
    );
    assert.equal(peer.stat('streams_active'), 0);
    assert.equal(peer.closedStreams, 0);
    assert.equal(peer.codec.acceptsStreams, false);
  });

  test('frames for a stream that we reset are ignored, others for closed streams are not', () => {
    const peer = client();
    peer.request().encoder.resetStream('LocalReset');
    peer.feed(headers(1, OK, 0), data(1, 'late', END));
    assert.equal(peer.error, undefined);
    assert.equal(peer.messages[0].line, '');
    peer.request();
    peer.feed(headers(3, OK), data(3, 'x'));
    assert.equal(peer.answersSent.at(-1), 'GOAWAY 0 STREAM_CLOSED');
  });
});
