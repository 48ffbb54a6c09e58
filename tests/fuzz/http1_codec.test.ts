// Fuzz tests of the HTTP/1 codecs: however the bytes are cut, the events are the same; nothing throws or hangs; what llhttp
// reads too is framed in the same way, and what it refuses is not accepted (but for what is listed here).

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { RequestHeaders, ResponseHeaders, Trailers } from '../../server/common/http/header_map.ts';
import { ClientRecorder, responseSettings, ServerRecorder, settings } from '../fakes/http1_recorder.ts';
import type { Message } from '../fakes/message_recorder.ts';
import { type OracleMessage, REQUEST, RESPONSE, type Reading, readWithLlhttp } from './llhttp.ts';

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 1500);

/** Mostly good, sometimes one of the bad ones. */
function mostly(good: readonly string[], bad: readonly string[]): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom(...good) },
    { weight: 1, arbitrary: fc.constantFrom(...bad) },
  );
}

const eol = mostly(['\r\n'], ['\n', '\r', '\r\r\n', ' \r\n', '\n\r\n']);
const bodyText = fc.string({ unit: fc.constantFrom('a', '\r', '\n', '0', ':', ' ', '\xff'), maxLength: 24 });

const framing = mostly(
  [
    '',
    'Content-Length: 0',
    'content-length: 3',
    'content-length: 11',
    'transfer-encoding: chunked',
    'Transfer-Encoding: CHUNKED',
  ],
  [
    'content-length: 3\r\ncontent-length: 3',
    'content-length: 3\r\ncontent-length: 4',
    'content-length: +3',
    'content-length: -3',
    'content-length: 3 3',
    'content-length: 3,3',
    'content-length: 0x3',
    'content-length:',
    'content-length: 18446744073709551619',
    'content-length : 3',
    'content-length: 3\r\ntransfer-encoding: chunked',
    'transfer-encoding: chunked\r\ncontent-length: 3',
    'transfer-encoding: gzip, chunked',
    'transfer-encoding: chunked, gzip',
    'transfer-encoding: chunked, chunked',
    'transfer-encoding: xchunked',
    'transfer-encoding:\x0bchunked',
    // No tab after it: RFC 9112 counts it as padding, llhttp does not and would read until the connection closes.
    'transfer-encoding:\tchunked',
    'transfer-encoding: identity',
    ' transfer-encoding: chunked',
    'x: y\r\n transfer-encoding: chunked',
    'transfer_encoding: chunked',
  ],
);
const field = mostly(
  ['', 'host: a', 'Accept: */*', 'x-y:', 'x-y:  z\t', 'cookie: a=b; c=d', 'X-High: \xe9'],
  [
    'x',
    ': x',
    'x y: z',
    'x\t: z',
    'x: \0',
    'x: \x7f',
    'x\xe9: 1',
    'x: a\rb',
    'x: a\nb',
    '\tfolded',
    'host: b c',
  ],
);
const chunk = fc
  .tuple(
    mostly(
      ['3', '0003', 'b', 'B', '3;a=b', '3 ;x'],
      ['', '0x3', '-3', '3 x', ' 3', 'g', '3;\x01', '3;a\rb', 'ffffffffffffffff'],
    ),
    eol,
    bodyText,
    eol,
  )
  .map(([size, lineEnd, data, dataEnd]) => {
    const length = Number.parseInt(size, 16);
    const exact = length > 0 && length < 100 ? data.padEnd(length, 'd').slice(0, length) : data;
    return size + lineEnd + exact + dataEnd;
  });
const chunkedBody = fc
  .tuple(
    fc.array(chunk, { maxLength: 3 }),
    mostly(
      ['0\r\n\r\n', '000\r\n\r\n', '0\r\nx: y\r\n\r\n'],
      ['0\n\n', '0\r\n', '0\r\nx\r\n\r\n', '0\r\n x: y\r\n\r\n'],
    ),
  )
  .map(([chunks, last]) => chunks.join('') + last);

function message(startLine: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc
    .tuple(startLine, eol, field, framing, field, eol, chunkedBody, bodyText)
    .map(([start, lineEnd, before, frame, after, headEnd, chunked, body]) => {
      const lines = [before, frame, after].filter((line) => line !== '');
      const head = start + lineEnd + lines.map((line) => line + '\r\n').join('') + headEnd;
      if (/chunked/i.test(frame)) return head + chunked;
      const length = Number(/^content-length: (\d+)$/i.exec(frame)?.[1] ?? 0);
      return head + (length === 0 || length > 100 ? '' : body.padEnd(length, 'b').slice(0, length));
    });
}

const request = message(
  mostly(
    [
      'GET / HTTP/1.1',
      'POST /x?y HTTP/1.1',
      'HEAD /a HTTP/1.1',
      'DELETE http://b.c/d HTTP/1.1',
      'OPTIONS * HTTP/1.1',
    ],
    [
      'GET  / HTTP/1.1',
      'GET\t/ HTTP/1.1',
      'GET / HTTP/1.1 ',
      ' GET / HTTP/1.1',
      'get / HTTP/1.1',
      'GET / HTTP/1.0',
      'GET / HTTP/2.0',
      'GET / http/1.1',
      'GET /',
      'GET /\x01 HTTP/1.1',
      'GET /\xe9 HTTP/1.1',
      'GET / HTTP/1.1\r\n',
      'MSEARCH / HTTP/1.1',
      'PRI * HTTP/2.0',
    ],
  ),
);
const response = message(
  mostly(
    [
      'HTTP/1.1 200 OK',
      'HTTP/1.1 204 No Content',
      'HTTP/1.1 304 Not Modified',
      'HTTP/1.1 404',
      'HTTP/1.1 100 Continue',
      'HTTP/1.1 500 ',
    ],
    [
      'HTTP/1.1  200 OK',
      'HTTP/1.1 20 OK',
      'HTTP/1.1 2000 OK',
      'HTTP/1.1 200OK',
      'http/1.1 200 OK',
      'HTTP/1.1 +20 OK',
      'XTTP/1.1 200 OK',
      'HTTP/1.1 200 O\x01',
    ],
  ),
);

/** A few messages in a row, now and then with one byte changed. */
function stream(of: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const change = fc.option(
    fc.tuple(
      fc.nat(),
      fc.constantFrom('', '\r', '\n', '\0', ' ', ':', '0', 'x', ';', '\x80', '\r\n'),
      fc.nat({ max: 1 }),
    ),
    { freq: 2 },
  );
  return fc.tuple(fc.array(of, { minLength: 1, maxLength: 3 }), change).map(([messages, changed]) => {
    const text = messages.join('');
    if (changed === null) return text;
    const at = changed[0] % text.length;
    return text.slice(0, at) + changed[1] + text.slice(at + changed[2]);
  });
}

const anyBytes = fc.oneof(
  fc.string({ unit: fc.constantFrom(...'GET /HTP1.:\r\n\0 abc0;3\xff'), maxLength: 200 }),
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
);
const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 });

const REQUEST_SETTINGS = [
  settings(),
  settings({ enable_trailers: true, allow_chunked_length: true, accept_http_10: true }),
  settings({}, { maxHeadersKb: 60, maxHeadersCount: 2, headersWithUnderscoresAction: 'DROP_HEADER' }),
];

function serverEvents(text: string, cuts: readonly number[], setting: number): object {
  const server = new ServerRecorder(REQUEST_SETTINGS[setting]).feed(text, cuts);
  return { messages: server.messages, error: server.error };
}

function clientEvents(text: string, cuts: readonly number[], method: string): object {
  const client = new ClientRecorder(method).feed(text, cuts);
  client.codec.onHalfClose();
  const { message: received, informational } = client.response;
  return { received, informational, error: client.error };
}

describe('any split of the same bytes gives the same events', () => {
  test('requests', () => {
    fc.assert(
      fc.property(fc.oneof(stream(request), anyBytes), sizes, fc.nat({ max: 2 }), (text, cuts, setting) => {
        const whole = serverEvents(text, [], setting);
        assert.deepEqual(serverEvents(text, cuts, setting), whole);
        assert.deepEqual(serverEvents(text, [1], setting), whole);
      }),
      { numRuns: RUNS },
    );
  });

  test('responses', () => {
    fc.assert(
      fc.property(
        fc.oneof(response, stream(response), anyBytes),
        sizes,
        fc.constantFrom('GET', 'HEAD'),
        (text, cuts, method) => {
          const whole = clientEvents(text, [], method);
          assert.deepEqual(clientEvents(text, cuts, method), whole);
          assert.deepEqual(clientEvents(text, [1], method), whole);
        },
      ),
      { numRuns: RUNS },
    );
  });

  test('heads near the limit', () => {
    const limits = settings({ enable_trailers: true }, { maxHeadersKb: 1 });
    const long = fc
      .integer({ min: 900, max: 1100 })
      .map((length) => `GET / HTTP/1.1\r\nx: ${'y'.repeat(length)}\r\n\r\n`);
    const trailers = fc
      .integer({ min: 1000, max: 1040 })
      .map(
        (length) =>
          `POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: ${'y'.repeat(length)}\r\n\r\n`,
      );
    fc.assert(
      fc.property(
        fc.oneof(long, trailers),
        fc.array(fc.integer({ min: 1, max: 1100 }), { minLength: 1, maxLength: 4 }),
        (text, cuts) => {
          const whole = new ServerRecorder(limits).feed(text);
          const pieces = new ServerRecorder(limits).feed(text, cuts);
          assert.deepEqual([pieces.messages, pieces.error], [whole.messages, whole.error]);
        },
      ),
      { numRuns: RUNS },
    );
  });
});

/** What llhttp refuses and we do not, by its words. */
const ACCEPTED_ANYWAY: [reason: RegExp, bytes: RegExp, why: string][] = [
  [
    /^Data after `Connection: close`/,
    /close/i,
    'the connection manager closes; the codec does not judge by the request',
  ],
  [
    /can't be present/,
    /\n0+[^\n]*\n.*(content-length|transfer-encoding):/is,
    'framing headers among trailers: dropped, as they come too late to frame anything',
  ],
  [
    /chunk extension/i,
    /;/,
    'extensions are skipped unread, as Envoy skips them; where they end is not in doubt',
  ],
  [
    /chunk size/,
    /[0-9a-f][ \t]+[;\r]/i,
    'spaces after the size, which RFC 9112 allows before an extension and Envoy everywhere',
  ],
  [/^Invalid method encountered/, /MSEARCH/, 'MSEARCH, which Envoy spells without the dash'],
];

function sameFraming(ours: Message, theirs: OracleMessage, settled: string): void {
  assert.equal(ours.body, theirs.body, settled);
  assert.ok(ours.complete);
}

function compare(text: string, ours: Message[], refused: boolean, theirs: Reading): void {
  const complete = ours.filter((received) => received.complete);
  const theirComplete = theirs.messages.filter((received) => received.complete);
  const both = Math.min(complete.length, theirComplete.length);
  for (let i = 0; i < both; i++) sameFraming(complete[i], theirComplete[i], `message ${i}`);
  if (theirs.error !== undefined) {
    const error = theirs.error;
    const listed = ACCEPTED_ANYWAY.some(([reason, bytes]) => reason.test(error) && bytes.test(text));
    if (!listed)
      assert.ok(complete.length <= theirComplete.length, `accepted what llhttp refuses: ${theirs.error}`);
  } else if (!refused) {
    assert.equal(complete.length, theirComplete.length, 'a different number of messages');
  }
}

describe('llhttp as an oracle', () => {
  test('requests', () => {
    fc.assert(
      fc.property(stream(request), (text) => {
        const server = new ServerRecorder().feed(text);
        const theirs = readWithLlhttp(REQUEST, text);
        compare(text, server.messages, server.error !== undefined, theirs);
        const complete = server.messages.filter((received) => received.complete);
        for (let i = 0; i < Math.min(complete.length, theirs.messages.length); i++) {
          if (!theirs.messages[i].complete) break;
          assert.equal(complete[i].line.split(' ')[0], theirs.messages[i].method);
        }
      }),
      { numRuns: RUNS * 4 },
    );
  });

  test('responses', () => {
    fc.assert(
      fc.property(response, fc.boolean(), (text, isHead) => {
        const client = new ClientRecorder(isHead ? 'HEAD' : 'GET').feed(text);
        const theirs = readWithLlhttp(RESPONSE, text, isHead);
        // Informational heads are messages of their own to llhttp.
        theirs.messages = theirs.messages.filter((received) => !received.complete || received.status >= 200);
        const { message: ours } = client.response;
        compare(text, ours.line === '' ? [] : [ours], client.error !== undefined, theirs);
      }),
      { numRuns: RUNS * 4 },
    );
  });

  test('it reads what it should, so that the comparison means something', () => {
    const two =
      'POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabcGET / HTTP/1.1\r\nhost: b\r\n\r\n';
    const { messages, error } = readWithLlhttp(REQUEST, two);
    assert.equal(error, undefined);
    assert.deepEqual(
      messages.map((received) => [received.method, received.target, received.body, received.complete]),
      [
        ['POST', '/x', 'abc', true],
        ['GET', '/', '', true],
      ],
    );
    assert.ok(readWithLlhttp(REQUEST, 'GET / HTTP/1.1\nhost: a\n\n').error);
  });
});

describe('round trips', () => {
  const name = fc.constantFrom('x-a', 'x-b', 'accept', 'cookie', 'x!#$%');
  const value = fc.string({
    unit: fc.constantFrom('a', 'B', '0', ',', '"', '\xe9', ';', '='),
    maxLength: 12,
  });
  const headerList = fc.array(fc.tuple(name, value), { maxLength: 6 }).map((pairs) => pairs.flat());
  const pieces = fc.array(fc.integer({ min: 0, max: 20_000 }), { maxLength: 4 });
  const trailerList = fc.option(
    fc.array(fc.tuple(name, value), { minLength: 1, maxLength: 3 }).map((pairs) => pairs.flat()),
  );

  test('client to server', () => {
    const both = settings({ enable_trailers: true });
    fc.assert(
      fc.property(
        headerList,
        pieces,
        fc.boolean(),
        trailerList,
        sizes,
        (list, lengths, known, trailers, cuts) => {
          const client = new ClientRecorder('GET', [], both);
          client.feed('HTTP/1.1 204 N\r\n\r\n');
          client.sink.text = '';
          const body = lengths.map((length, i) => String(i).repeat(length)).join('');
          const withLength = known && trailers === null;
          const sent = withLength ? [...list, 'content-length', String(body.length)] : list;
          const encoder = client.codec.newStream(client.response);
          encoder.encodeHeaders(new RequestHeaders('PUT', '/p', 'h', '', [...sent]), false);
          lengths.forEach((length, i) => {
            encoder.encodeData(Buffer.from(String(i).repeat(length)), 0, length, false);
          });
          if (trailers === null) encoder.encodeData(Buffer.alloc(0), 0, 0, true);
          else encoder.encodeTrailers(new Trailers([...trailers]));
          const server = new ServerRecorder(both).feed(client.sink.text, cuts);
          assert.equal(server.error, undefined);
          const [received] = server.messages;
          assert.equal(received.line, 'PUT h /p');
          assert.equal(received.body, body);
          assert.ok(received.complete);
          assert.deepEqual(received.headers, withLength ? sent : [...sent, 'transfer-encoding', 'chunked']);
          assert.deepEqual(received.trailers ?? null, trailers);
        },
      ),
      { numRuns: RUNS / 10 },
    );
  });

  test('server to client', () => {
    fc.assert(
      fc.property(headerList, pieces, sizes, (list, lengths, cuts) => {
        const server = new ServerRecorder();
        server.answers = false;
        server.feed('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
        server.encoder.encodeHeaders(new ResponseHeaders(200, [...list]), false);
        lengths.forEach((length, i) => {
          server.encoder.encodeData(Buffer.from(String(i).repeat(length)), 0, length, false);
        });
        server.encoder.encodeData(Buffer.alloc(0), 0, 0, true);
        const client = new ClientRecorder('GET', [], responseSettings()).feed(server.sink.text, cuts);
        assert.equal(client.error, undefined);
        assert.equal(
          client.response.message.body,
          lengths.map((length, i) => String(i).repeat(length)).join(''),
        );
        assert.deepEqual(client.response.message.headers, [...list, 'transfer-encoding', 'chunked']);
        assert.ok(client.codec.reusable);
      }),
      { numRuns: RUNS / 10 },
    );
  });
});
