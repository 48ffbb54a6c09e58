// The server codec frame by frame: what it hears, what it answers, and what it refuses. How bad requests end is what Envoy 1.40
// was seen to do with the same bytes.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  block,
  data,
  type Fields,
  frame,
  GET,
  goAway,
  headers,
  POST,
  ping,
  rstStream,
  SETTINGS_ACK,
  settings,
  windowUpdate,
} from '../../../../tests/fakes/http2_frames.ts';
import { http2Settings, ServerRecorder } from '../../../../tests/fakes/http2_recorder.ts';
import { ResponseHeaders, Trailers } from '../header_map.ts';
import * as h2 from './frame.ts';

const END = h2.FLAG_END_STREAM;

function server(options: Parameters<typeof http2Settings>[0] = {}, limits = {}): ServerRecorder {
  return new ServerRecorder(http2Settings(options, limits)).greet();
}

function silent(options: Parameters<typeof http2Settings>[0] = {}): ServerRecorder {
  const recorder = server(options);
  recorder.answers = false;
  return recorder;
}

describe('requests', () => {
  test('a head alone, and the answer', () => {
    const peer = server().feed(headers(1, [...GET, ['x-a', 'b']]));
    assert.deepEqual(peer.messages, [
      { line: 'GET http://a/', headers: ['x-a', 'b'], body: '', complete: true },
    ]);
    assert.deepEqual(peer.answersSent, ['HEADERS 1 :status: 200, x-path: GET http://a/', 'DATA 1 end 0']);
    assert.equal(peer.codec.activeStreams, 0);
  });

  test('body and trailers, padding and priority included', () => {
    const padded = frame(
      h2.FRAME_HEADERS,
      h2.FLAG_END_HEADERS | h2.FLAG_PADDED | h2.FLAG_PRIORITY,
      1,
      Buffer.concat([Buffer.from([3, 0, 0, 0, 0, 16]), block(POST), Buffer.alloc(3)]),
    );
    const body = frame(
      h2.FRAME_DATA,
      h2.FLAG_PADDED,
      1,
      Buffer.concat([Buffer.from('\x02abc'), Buffer.alloc(2)]),
    );
    const peer = server().feed(padded, body, data(1, 'def'), headers(1, [['x-t', '1']]));
    assert.deepEqual(peer.messages, [
      { line: 'POST http://a/', headers: [], body: 'abcdef', complete: true, trailers: ['x-t', '1'] },
    ]);
    assert.deepEqual(peer.answersSent.slice(1), ['DATA 1 6', 'HEADERS 1 end x-t: 1']);
    assert.equal(peer.stat('trailers'), 1);
  });

  test('a header block in several frames', () => {
    const bytes = block([...GET, ['x-long', 'y'.repeat(300)]]);
    const peer = server().feed(
      frame(h2.FRAME_HEADERS, END, 1, bytes.subarray(0, 7)),
      frame(h2.FRAME_CONTINUATION, 0, 1, bytes.subarray(7, 100)),
      frame(h2.FRAME_CONTINUATION, h2.FLAG_END_HEADERS, 1, bytes.subarray(100)),
    );
    assert.deepEqual(peer.messages[0].headers, ['x-long', 'y'.repeat(300)]);
  });

  test('many at a time, answered out of order', () => {
    const peer = silent().feed(headers(1, GET), headers(3, GET), headers(5, GET));
    assert.equal(peer.codec.activeStreams, 3);
    for (const i of [2, 0, 1]) peer.requests[i].encoder.encodeHeaders(new ResponseHeaders(204), true);
    assert.deepEqual(peer.answersSent, [
      'HEADERS 5 end :status: 204',
      'HEADERS 1 end :status: 204',
      'HEADERS 3 end :status: 204',
    ]);
  });

  test('cookie crumbs are joined and not counted one by one', () => {
    const crumbs: Fields = Array.from({ length: 150 }, (_, i) => ['cookie', `c${i}=v`]);
    const peer = server().feed(headers(1, [...GET, ...crumbs]));
    const cookie = crumbs.map(([, value]) => value).join('; ');
    assert.deepEqual(peer.messages[0].headers, ['cookie', cookie]);
  });

  test('Host stands in for a missing authority and yields to one', () => {
    const peer = server()
      .feed(headers(1, [...GET.slice(0, 3), ['host', 'b']]))
      .feed(headers(3, [...GET, ['host', 'b']]));
    assert.deepEqual(
      peer.messages.map(({ line, headers: list }) => [line, list]),
      [
        ['GET http://b/', []],
        ['GET http://a/', []],
      ],
    );
  });

  test('CONNECT has an authority only', () => {
    const peer = silent().feed(
      headers(
        1,
        [
          [':method', 'CONNECT'],
          [':authority', 'a:80'],
        ],
        0,
      ),
    );
    assert.equal(peer.messages[0].line, 'CONNECT ://a:80');
  });

  test('extended CONNECT is an upgrade, where allowed', () => {
    const websocket: Fields = [[':method', 'CONNECT'], [':protocol', 'websocket'], ...GET.slice(1)];
    const peer = silent({ allow_connect: true }).feed(headers(1, websocket, 0));
    assert.equal(peer.messages[0].line, 'GET http://a/');
    assert.deepEqual(peer.messages[0].headers, ['upgrade', 'websocket', 'connection', 'upgrade']);
    const answer = new ResponseHeaders(101, ['upgrade', 'websocket', 'connection', 'upgrade', 'x-a', 'b']);
    peer.requests[0].encoder.encodeHeaders(answer, false);
    assert.deepEqual(peer.answersSent, ['HEADERS 1 :status: 200, x-a: b']);
    const refused = server().feed(headers(1, websocket, 0));
    assert.equal(refused.messages[0].reset, 'ProtocolError http2.invalid.header.field');
  });

  test('a client that goes away is reported once', () => {
    assert.equal(server().feed(goAway(0), goAway(0)).goAways, 1);
  });

  test('the peer resets', () => {
    const peer = silent().feed(headers(1, POST, 0), headers(3, GET), rstStream(1, h2.CANCEL));
    peer.feed(rstStream(3, h2.REFUSED_STREAM));
    assert.deepEqual(
      peer.messages.map(({ reset }) => reset),
      ['RemoteReset http2.remote_reset', 'RemoteRefusedStreamReset http2.remote_refuse'],
    );
    assert.equal(peer.stat('rx_reset'), 2);
    assert.equal(peer.codec.activeStreams, 0);
    // What an owner still says is dropped.
    peer.requests[0].encoder.encodeHeaders(new ResponseHeaders(200), true);
    assert.deepEqual(peer.answersSent, []);
  });
});

describe('bad requests, as Envoy ends them', () => {
  const INVALID = 'http2.invalid.header.field';
  const RULE = 'http2.violation.of.messaging.rule';
  const [method, scheme, path, authority] = GET;
  const rows: [what: string, fields: Fields, details: string][] = [
    ['upper case', [...GET, ['X-A', 'b']], INVALID],
    ['an empty name', [...GET, ['', 'b']], INVALID],
    ['connection', [...GET, ['connection', 'close']], INVALID],
    ['transfer-encoding', [...GET, ['transfer-encoding', 'chunked']], INVALID],
    ['te other than trailers', [...GET, ['te', 'gzip']], INVALID],
    ['NUL', [...GET, ['x', 'a\0b']], INVALID],
    ['a control character', [...GET, ['x', 'a\x01b']], INVALID],
    ['DEL', [...GET, ['x', 'a\x7fb']], INVALID],
    ['a pseudo-header after others', [method, scheme, path, ['x', 'a'], authority], INVALID],
    ['a second path', [...GET, path], INVALID],
    ['no path', [method, scheme, authority], RULE],
    ['an empty path', [method, scheme, [':path', ''], authority], INVALID],
    ['a path without a slash', [method, scheme, [':path', 'foo'], authority], RULE],
    ['a star for GET', [method, scheme, [':path', '*'], authority], RULE],
    ['a space in the path', [method, scheme, [':path', '/a b'], authority], INVALID],
    ['no scheme', [method, path, authority], RULE],
    ['a space in the scheme', [method, [':scheme', 'h ttp'], path, authority], INVALID],
    ['no method', [scheme, path, authority], RULE],
    ['a space in the method', [[':method', 'G T'], scheme, path, authority], INVALID],
    ['no authority', [method, scheme, path], RULE],
    ['an empty authority', [method, scheme, path, [':authority', '']], INVALID],
    ['a space in the authority', [method, scheme, path, [':authority', 'a b']], INVALID],
    ['userinfo', [method, scheme, path, [':authority', 'u@a']], INVALID],
    ['two hosts', [method, scheme, path, ['host', 'a'], ['host', 'b']], INVALID],
    ['an unknown pseudo-header', [...GET, [':foo', 'b']], INVALID],
    ['a status', [...GET, [':status', '200']], INVALID],
    ['CONNECT with a path', [[':method', 'CONNECT'], scheme, path, authority], RULE],
    ['CONNECT to nowhere', [[':method', 'CONNECT']], RULE],
    ['a length and no body', [...POST, ['content-length', '5']], RULE],
    ['two lengths', [...POST, ['content-length', '0'], ['content-length', '0']], INVALID],
    ['a signed length', [...POST, ['content-length', '+5']], INVALID],
  ];
  for (const [what, fields, details] of rows) {
    test(what, () => {
      const connection = server().feed(headers(1, fields));
      assert.equal(connection.messages[0].reset, `ProtocolError ${details}`);
      assert.equal(connection.messages[0].line, '');
      assert.deepEqual(connection.answersSent, ['GOAWAY 1 PROTOCOL_ERROR']);
      assert.equal(connection.error?.flood, false);
      assert.equal(connection.stat('rx_messaging_error'), 1);

      const stream = server({ override_stream_error_on_invalid_http_message: { value: true } });
      stream.feed(headers(1, fields), headers(3, GET));
      assert.equal(stream.messages[0].reset, `ProtocolError ${details}`);
      assert.equal(stream.answersSent[0], 'RST_STREAM 1 PROTOCOL_ERROR');
      assert.equal(stream.messages[1].complete, true);
      assert.equal(stream.error, undefined);
    });
  }

  const good: [what: string, fields: Fields][] = [
    ['a path above ASCII', [method, scheme, [':path', '/\xe9'], authority]],
    ['another scheme', [method, [':scheme', 'ftp'], path, authority]],
    ['a method nobody knows', [[':method', 'FOO'], scheme, path, authority]],
    ['a star for OPTIONS', [[':method', 'OPTIONS'], scheme, [':path', '*'], authority]],
    ['values with spaces around them', [...GET, ['x', ' a ']]],
    ['te: trailers', [...GET, ['te', 'trailers']]],
  ];
  for (const [what, fields] of good) {
    test(`but not ${what}`, () => assert.equal(server().feed(headers(1, fields)).messages[0].complete, true));
  }

  for (const [what, body] of [
    ['less body than announced', 'ab'],
    ['more body than announced', 'abcd'],
  ] as const) {
    test(what, () => {
      const peer = server().feed(headers(1, [...POST, ['content-length', '3']], 0), data(1, body, END));
      assert.equal(peer.messages[0].reset, `ProtocolError ${RULE}`);
      assert.deepEqual(peer.answersSent, ['RST_STREAM 1 PROTOCOL_ERROR']);
      assert.equal(peer.stat('rx_messaging_error'), 0);
      assert.equal(peer.error, undefined);
    });
  }

  test('too many headers', () => {
    const fields: Fields = Array.from({ length: 97 }, (_, i) => [`x-${i}`, 'v']);
    const peer = server().feed(headers(1, [...GET, ...fields]), headers(3, [...GET, ...fields.slice(1)]));
    assert.equal(peer.messages[0].reset, 'RemoteReset http2.too_many_headers');
    assert.equal(peer.messages[1].headers.length, 2 * 96);
    assert.equal(peer.answersSent[0], 'RST_STREAM 1 INTERNAL_ERROR');
    assert.equal(peer.stat('header_overflow'), 1);
  });

  test('headers too large', () => {
    const peer = server({}, { maxHeadersKb: 1 });
    peer.feed(headers(1, [...GET, ['x', 'y'.repeat(1100)]]), headers(3, GET));
    assert.equal(peer.messages[0].reset, 'RemoteReset http2.header_list_size_too_large');
    assert.equal(peer.stat('header_list_size_too_large'), 1);
    assert.equal(peer.messages[1].complete, true);
  });

  test('underscores, where they are not wanted', () => {
    const fields: Fields = [...GET, ['x_y', '1'], ['z', '2']];
    const rejects = server({}, { headersWithUnderscoresAction: 'REJECT_REQUEST' }).feed(headers(1, fields));
    assert.equal(rejects.messages[0].reset, 'RemoteReset http2.unexpected_underscore');
    assert.deepEqual(rejects.answersSent, ['RST_STREAM 1 INTERNAL_ERROR']);
    assert.equal(rejects.stat('requests_rejected_with_underscores_in_headers'), 1);
    const drops = server({}, { headersWithUnderscoresAction: 'DROP_HEADER' }).feed(headers(1, fields));
    assert.deepEqual(drops.messages[0].headers, ['z', '2']);
    assert.equal(drops.stat('dropped_headers_with_underscores'), 1);
  });

  test('trailers that are not the end, or name a pseudo-header', () => {
    const more = silent().feed(headers(1, POST, 0), headers(1, [['x', 'y']], 0));
    assert.equal(more.messages[0].reset, `ProtocolError ${RULE}`);
    const pseudo = silent().feed(headers(1, POST, 0), headers(1, [[':path', '/']]));
    assert.equal(pseudo.messages[0].reset, `ProtocolError ${INVALID}`);
  });

  test('the other streams go down with the connection and hear of it from their owner', () => {
    const peer = silent().feed(headers(1, POST, 0), headers(3, [...GET, ['X', 'y']]));
    assert.equal(peer.messages[0].reset, undefined);
    assert.equal(peer.error?.responseCodeDetails, `codec_error:${INVALID}`);
    peer.feed(data(1, 'unheard'));
    assert.equal(peer.messages[0].body, '');
  });
});

describe('broken frames end the connection', () => {
  const rows: [what: string, frames: Buffer[], answer: string][] = [
    ['DATA without a stream', [data(0, 'x')], 'GOAWAY 0 PROTOCOL_ERROR'],
    ['DATA on an idle stream', [data(1, 'x')], 'GOAWAY 0 PROTOCOL_ERROR'],
    ['DATA on a closed stream', [headers(1, GET), data(1, 'x')], 'GOAWAY 1 STREAM_CLOSED'],
    ['HEADERS on a closed stream', [headers(1, GET), headers(1, GET)], 'GOAWAY 1 STREAM_CLOSED'],
    ['HEADERS on a stream of ours', [headers(2, GET)], 'GOAWAY 0 PROTOCOL_ERROR'],
    ['HEADERS without a stream', [headers(0, GET)], 'GOAWAY 0 PROTOCOL_ERROR'],
    ['RST_STREAM on an idle stream', [rstStream(1, 8)], 'GOAWAY 0 PROTOCOL_ERROR'],
    ['RST_STREAM of wrong length', [frame(3, 0, 1, [0])], 'GOAWAY 0 FRAME_SIZE_ERROR'],
    ['WINDOW_UPDATE of nothing', [windowUpdate(0, 0)], 'GOAWAY 0 PROTOCOL_ERROR'],
    ['WINDOW_UPDATE of too much', [windowUpdate(0, 0x7fff_ffff)], 'GOAWAY 0 FLOW_CONTROL_ERROR'],
    ['WINDOW_UPDATE of wrong length', [frame(8, 0, 0, [0])], 'GOAWAY 0 FRAME_SIZE_ERROR'],
    ['WINDOW_UPDATE on an idle stream', [windowUpdate(1, 1)], 'GOAWAY 0 PROTOCOL_ERROR'],
    ['PING of wrong length', [frame(6, 0, 0, [0])], 'GOAWAY 0 FRAME_SIZE_ERROR'],
    ['PING on a stream', [frame(6, 0, 1, Buffer.alloc(8))], 'GOAWAY 0 PROTOCOL_ERROR'],
    ['GOAWAY on a stream', [frame(7, 0, 1, Buffer.alloc(8))], 'GOAWAY 0 PROTOCOL_ERROR'],
    ['PUSH_PROMISE', [frame(5, 4, 1, [0, 0, 0, 2])], 'GOAWAY 0 PROTOCOL_ERROR'],
    ['SETTINGS on a stream', [frame(4, 0, 1)], 'GOAWAY 0 PROTOCOL_ERROR'],
    ['SETTINGS of wrong length', [frame(4, 0, 0, [0])], 'GOAWAY 0 FRAME_SIZE_ERROR'],
    ['SETTINGS ACK with a payload', [frame(4, 1, 0, Buffer.alloc(6))], 'GOAWAY 0 FRAME_SIZE_ERROR'],
    ['ENABLE_PUSH of 2', [settings([[2, 2]])], 'GOAWAY 0 PROTOCOL_ERROR'],
    ['INITIAL_WINDOW_SIZE too large', [settings([[4, 0x8000_0000]])], 'GOAWAY 0 FLOW_CONTROL_ERROR'],
    ['MAX_FRAME_SIZE too small', [settings([[5, 16_383]])], 'GOAWAY 0 PROTOCOL_ERROR'],
    ['a frame too long', [frame(0, 0, 1, Buffer.alloc(16_385))], 'GOAWAY 0 FRAME_SIZE_ERROR'],
    ['too much padding', [headers(1, POST, 0), frame(0, 8, 1, [5, 0])], 'GOAWAY 1 PROTOCOL_ERROR'],
    ['padding of HEADERS', [frame(1, 0x0c, 1, [9, 0])], 'GOAWAY 0 PROTOCOL_ERROR'],
    ['PRIORITY of wrong length', [frame(2, 0, 1, [0])], 'GOAWAY 0 FRAME_SIZE_ERROR'],
    ['PRIORITY on itself', [frame(2, 0, 3, [0, 0, 0, 3, 0])], 'GOAWAY 0 PROTOCOL_ERROR'],
    ['CONTINUATION of nothing', [frame(9, 4, 1)], 'GOAWAY 0 PROTOCOL_ERROR'],
    ['a block that is interrupted', [frame(1, 0, 1, block(GET)), ping()], 'GOAWAY 0 PROTOCOL_ERROR'],
    ['an undecodable block', [frame(1, 5, 1, [0xff, 0xff])], 'GOAWAY 0 COMPRESSION_ERROR'],
  ];
  for (const [what, frames, answer] of rows) {
    test(what, () => {
      const peer = server().feed(...frames);
      assert.equal(peer.answersSent.at(-1), answer);
      assert.notEqual(peer.error, undefined);
      const sent = peer.answersSent.length;
      peer.feed(headers(99, GET), ping());
      assert.equal(peer.answersSent.length, sent, 'nothing is read any more');
    });
  }

  test('a bad preface', () => {
    const peer = new ServerRecorder().feed(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
    assert.equal(peer.answersSent.at(-1), 'GOAWAY 0 PROTOCOL_ERROR');
  });

  test('another frame before SETTINGS', () => {
    const peer = new ServerRecorder().feed(h2.CONNECTION_PREFACE, ping());
    assert.equal(peer.answersSent.at(-1), 'GOAWAY 0 PROTOCOL_ERROR');
  });

  test('frames and settings nobody knows are ignored', () => {
    const peer = server().feed(
      frame(77, 255, 5, [1, 2, 3]),
      settings([[99, 1]]),
      SETTINGS_ACK,
      headers(1, GET),
    );
    assert.equal(peer.messages[0].complete, true);
  });
});

describe('responses', () => {
  test('1xx, head, body and trailers', () => {
    const peer = silent().feed(headers(1, GET));
    const { encoder } = peer.requests[0];
    encoder.encodeInformationalHeaders(new ResponseHeaders(103, ['link', '<x>']));
    encoder.encodeHeaders(new ResponseHeaders(200, ['connection', 'close', 'x-a', 'b']), false);
    const body = Buffer.from('__abc__');
    encoder.encodeData(body, 2, 5, false);
    body.fill(0);
    encoder.encodeTrailers(new Trailers(['x-t', '1']));
    assert.deepEqual(peer.answersSent, [
      'HEADERS 1 :status: 103, link: <x>',
      'HEADERS 1 :status: 200, x-a: b',
      'DATA 1 3',
      'HEADERS 1 end x-t: 1',
    ]);
    assert.equal(peer.sent.frames.at(-2)?.payload.toString(), 'abc');
  });

  test('empty trailers are an empty DATA frame', () => {
    const peer = silent().feed(headers(1, GET));
    peer.requests[0].encoder.encodeHeaders(new ResponseHeaders(200), false);
    peer.requests[0].encoder.encodeTrailers(new Trailers());
    assert.deepEqual(peer.answersSent.slice(1), ['DATA 1 end 0']);
  });

  test('an answer before the end of the request ends both', () => {
    const peer = silent().feed(headers(1, POST, 0));
    peer.requests[0].encoder.encodeHeaders(new ResponseHeaders(403), true);
    assert.deepEqual(peer.answersSent, ['HEADERS 1 end :status: 403', 'RST_STREAM 1 NO_ERROR']);
    // The rest was on its way.
    peer.feed(data(1, 'x'), headers(1, [['x', 'y']]));
    assert.equal(peer.error, undefined);
    assert.equal(peer.messages[0].body, '');
  });

  test('a head longer than a frame', () => {
    const peer = silent().feed(headers(1, GET));
    const value = 'abcdefghij'.repeat(4000);
    peer.requests[0].encoder.encodeHeaders(new ResponseHeaders(200, ['x-long', value]), true);
    peer.flush();
    const frames = peer.sent.frames.slice(-3);
    assert.deepEqual(
      frames.map(({ type, payload, flags }) => [type, payload.length, flags]),
      [
        ['HEADERS', 16_384, h2.FLAG_END_STREAM],
        ['CONTINUATION', 16_384, 0],
        ['CONTINUATION', frames[2].payload.length, h2.FLAG_END_HEADERS],
      ],
    );
    assert.ok(Buffer.concat(frames.map(({ payload }) => payload)).includes(value));
  });

  test('the owner gives up', () => {
    const peer = silent().feed(headers(1, POST, 0), headers(3, GET), headers(5, GET));
    peer.requests[0].encoder.resetStream('LocalReset');
    peer.requests[1].encoder.resetStream('LocalRefusedStreamReset');
    peer.requests[2].encoder.resetStream('ConnectError');
    assert.deepEqual(peer.answersSent, [
      'RST_STREAM 1 INTERNAL_ERROR',
      'RST_STREAM 3 REFUSED_STREAM',
      'RST_STREAM 5 CONNECT_ERROR',
    ]);
    assert.equal(peer.stat('tx_reset'), 3);
    assert.equal(peer.messages[0].reset, undefined, 'the owner knows');
  });

  test('bytes of a stream on the wire', () => {
    const request = [headers(1, POST, 0), data(1, 'abc', END)];
    const peer = server().feed(...request);
    const meter = peer.requests[0].encoder.bytesMeter!;
    assert.equal(meter.wireBytesReceived, request[0].length + request[1].length);
    assert.equal(meter.headerBytesReceived, request[0].length);
    const sent = peer.sent.frames.slice(-2).map(({ payload }) => payload.length + 9);
    peer.flush();
    const frames = peer.sent.frames.slice(-2).map(({ payload }) => payload.length + 9);
    assert.deepEqual(sent, frames);
    assert.equal(meter.wireBytesSent, frames[0] + frames[1]);
    assert.equal(meter.headerBytesSent, frames[0]);
  });
});

describe('the connection', () => {
  test('says its settings first', () => {
    const peer = new ServerRecorder(
      http2Settings({ max_concurrent_streams: { value: 7 }, allow_connect: true }),
    );
    peer.flush();
    const [first, second] = peer.sent.frames;
    assert.equal(first.type, 'SETTINGS');
    assert.equal(
      first.payload.toString('hex'),
      '000100001000' + '000800000001' + '000300000007' + '000401000000',
    );
    assert.equal(second.type, 'WINDOW_UPDATE');
    assert.equal(second.payload.readUInt32BE(0), 24 * 1024 * 1024 - 65_535);
  });

  test('answers PING', () => {
    assert.deepEqual(server().feed(ping(), ping(true)).answersSent, ['PING ack']);
  });

  test('refuses streams beyond its limit', () => {
    const peer = silent({ max_concurrent_streams: { value: 2 } }).feed(
      headers(1, GET),
      headers(3, GET),
      headers(5, POST, 0),
      data(5, 'ignored'),
    );
    assert.deepEqual(peer.answersSent, ['RST_STREAM 5 REFUSED_STREAM']);
    assert.equal(peer.messages.length, 2);
    assert.equal(peer.stat('stream_refused_errors'), 1);
    peer.requests[0].encoder.encodeHeaders(new ResponseHeaders(200), true);
    peer.feed(headers(7, GET));
    assert.equal(peer.messages.length, 3);
  });

  test('asks to go away, first with a notice', () => {
    const peer = server().feed(headers(1, GET));
    peer.codec.shutdownNotice();
    peer.feed(headers(3, GET));
    assert.equal(peer.messages.length, 2);
    peer.codec.goAway();
    peer.feed(headers(5, POST, 0), data(5, 'ignored'));
    assert.equal(peer.messages.length, 2);
    assert.deepEqual(
      peer.answersSent.filter((answer) => answer.startsWith('GOAWAY')),
      ['GOAWAY 2147483647 NO_ERROR', 'GOAWAY 3 NO_ERROR'],
    );
    assert.equal(peer.stat('goaway_sent'), 1);
    assert.equal(peer.error, undefined);
  });

  test('counts streams, and gives the gauges back when it is closed', () => {
    const peer = silent().feed(headers(1, POST, 0), headers(3, GET));
    assert.equal(peer.stat('streams_active'), 2);
    peer.codec.onConnectionClosed();
    assert.equal(peer.stat('streams_active'), 0);
    assert.equal(peer.messages[0].reset, undefined, 'streams are the owner’s to end');
  });
});
