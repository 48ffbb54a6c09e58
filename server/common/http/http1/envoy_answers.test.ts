// What Envoy 1.40 (its default parser) answered to raw bytes on a socket, and what the codecs make of the same bytes.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  CHUNKED,
  CHUNKS,
  CODEC,
  get,
  HOST,
  post,
  REQUESTS,
  type Row,
  STRICTER,
  TOO_LARGE,
  TOO_MANY,
  target,
} from '../../../../tests/differential/http1_cases.ts';
import { ClientRecorder, ServerRecorder, settings } from '../../../../tests/fakes/http1_recorder.ts';

function answerOf(server: ServerRecorder): string {
  const error = server.error;
  if (error !== undefined) return `${error.status} ${error.responseCodeDetails}`;
  const { line, headers, body } = server.messages[0];
  const parts = [line];
  for (let i = 0; i < headers.length; i += 2) parts.push(`${headers[i]}: ${headers[i + 1]}`);
  if (body !== '') parts.push(body);
  return parts.join(' | ');
}

function table(name: string, rows: Row[], answer: (row: Row) => string): void {
  describe(name, () => {
    for (const row of rows) test(row[0], () => assert.equal(answer(row), row[2]));
  });
}

table('requests, as Envoy answers them', REQUESTS, (row) => answerOf(new ServerRecorder().feed(row[1])));
table('requests that Envoy would let pass', STRICTER, (row) => answerOf(new ServerRecorder().feed(row[1])));
table('chunked requests, as Envoy answers them', CHUNKS, (row) => {
  const server = new ServerRecorder().feed(CHUNKED + row[1]);
  if (server.error === undefined) assert.ok(server.messages[0].complete);
  return server.error === undefined ? server.messages[0].body : answerOf(server);
});

describe('requests under options, as Envoy answers them', () => {
  const answers: [string, ServerRecorder, string, string][] = [
    [
      'HTTP/1.0',
      new ServerRecorder(settings({ accept_http_10: true })),
      `GET / HTTP/1.0\r\n${HOST}\r\n`,
      'GET a /',
    ],
    [
      'default host',
      new ServerRecorder(settings({ accept_http_10: true, default_host_for_http_10: 'd' })),
      'GET / HTTP/1.0\r\n\r\n',
      'GET d /',
    ],
    [
      'HTTP/0.9',
      new ServerRecorder(settings({ accept_http_10: true, default_host_for_http_10: 'd' })),
      'GET /\r\n',
      'GET d /',
    ],
    [
      'chunked wins over length',
      new ServerRecorder(settings({ allow_chunked_length: true })),
      post('content-length: 9\r\ntransfer-encoding: chunked\r\n', '1\r\nx\r\n0\r\n\r\n'),
      'POST a / | transfer-encoding: chunked | x',
    ],
    [
      'absolute targets as they are',
      new ServerRecorder(settings({ allow_absolute_url: { value: false } })),
      target('http://foo.com/x'),
      'GET a http://foo.com/x',
    ],
    [
      'custom method',
      new ServerRecorder(settings({ allow_custom_methods: true })),
      target('/', 'FOO'),
      'FOO a /',
    ],
    [
      'bad custom method',
      new ServerRecorder(settings({ allow_custom_methods: true })),
      target('/', 'F(O'),
      CODEC,
    ],
    [
      'underscores dropped',
      new ServerRecorder(settings({}, { headersWithUnderscoresAction: 'DROP_HEADER' })),
      get('x_y: 1\r\nX-Foo: 1\r\n'),
      'GET a / | x-foo: 1',
    ],
    [
      'underscores rejected',
      new ServerRecorder(settings({}, { headersWithUnderscoresAction: 'REJECT_REQUEST' })),
      get('x_y: 1\r\n'),
      '400 http1.unexpected_underscore',
    ],
    [
      '1 KiB of head',
      new ServerRecorder(settings({}, { maxHeadersKb: 1 })),
      get(`x: ${'a'.repeat(994)}\r\n`),
      TOO_LARGE,
    ],
    [
      'trailers counted when enabled',
      new ServerRecorder(settings({ enable_trailers: true })),
      `${CHUNKED}0\r\n${'x: a\r\n'.repeat(101)}\r\n`,
      TOO_MANY,
    ],
    [
      'h2c upgrade is ignored',
      new ServerRecorder(),
      get('connection: Upgrade, HTTP2-Settings, x\r\nupgrade: h2c\r\nhttp2-settings: A\r\n'),
      'GET a / | connection: x',
    ],
  ];
  for (const [name, server, request, answer] of answers) {
    test(name, () => assert.equal(answerOf(server.feed(request)), answer));
  }
});

/** Name, method of the request, response, and either status, headers and body, or the error. `FIN` at the end closes. */
const RESPONSES: [name: string, method: string, response: string, answer: string][] = [
  ['length', 'GET', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok', '200 content-length=2 "ok"'],
  ['no reason', 'GET', 'HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nok', '200 content-length=2 "ok"'],
  ['empty reason', 'GET', 'HTTP/1.1 200 \r\ncontent-length: 2\r\n\r\nok', '200 content-length=2 "ok"'],
  ['unknown status', 'GET', 'HTTP/1.1 999 X\r\ncontent-length: 0\r\n\r\n', '999 content-length=0 ""'],
  ['status no number', 'GET', 'HTTP/1.1 abc X\r\ncontent-length: 0\r\n\r\n', 'http1.codec_error'],
  ['HTTP/1.0', 'GET', 'HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok', '200 content-length=2 "ok"'],
  ['no HTTP', 'GET', 'hello world\r\n\r\n', 'http1.codec_error'],
  ['hardly HTTP', 'GET', 'Hello world\r\n\r\n', 'http1.codec_error'],
  ['until close', 'GET', 'HTTP/1.1 200 OK\r\n\r\nbodyFIN', '200  "body"'],
  ['until close, open', 'GET', 'HTTP/1.1 200 OK\r\n\r\nbody', '200  "body" incomplete'],
  ['cut in the body', 'GET', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nokFIN', 'http1.codec_error'],
  [
    'cut in a chunk',
    'GET',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nokFIN',
    'http1.codec_error',
  ],
  ['cut before it began', 'GET', 'FIN', 'ConnectionTermination'],
  ['cut in the head', 'GET', 'HTTP/1.1 200 OK\r\ncontFIN', 'http1.codec_error'],
  [
    'chunked',
    'GET',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx: y\r\n\r\n',
    '200 transfer-encoding=chunked "ok"',
  ],
  [
    'length and chunked',
    'GET',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n',
    'http1.content_length_and_chunked_not_allowed',
  ],
  ['gzip', 'GET', 'HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n', 'http1.invalid_transfer_encoding'],
  [
    'length twice',
    'GET',
    'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok',
    'http1.codec_error',
  ],
  ['bad length', 'GET', 'HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\nok', 'http1.codec_error'],
  ['204', 'GET', 'HTTP/1.1 204 No Content\r\n\r\n', '204  ""'],
  ['204 length 0', 'GET', 'HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n', '204  ""'],
  [
    '204 length 5',
    'GET',
    'HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\nhello',
    'http1.content_length_not_allowed',
  ],
  [
    '204 chunked',
    'GET',
    'HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    'http1.transfer_encoding_not_allowed',
  ],
  ['304', 'GET', 'HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n', '304 content-length=5 ""'],
  ['205 until close', 'GET', 'HTTP/1.1 205 Reset\r\n\r\nFIN', '205  ""'],
  ['HEAD', 'HEAD', 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n', '200 content-length=5 ""'],
  [
    'HEAD chunked',
    'HEAD',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n',
    '200 transfer-encoding=chunked ""',
  ],
  [
    '100',
    'GET',
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok',
    '[100] 200 content-length=2 "ok"',
  ],
  [
    '103',
    'GET',
    'HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok',
    '[103 link x] 200 content-length=2 "ok"',
  ],
  [
    '100 with length',
    'GET',
    'HTTP/1.1 100 C\r\ncontent-length: 5\r\n\r\n',
    'http1.content_length_not_allowed',
  ],
  ['101 unasked', 'GET', 'HTTP/1.1 101 Switching\r\nupgrade: foo\r\n\r\n', '101 upgrade=foo ""'],
  ['CONNECT', 'CONNECT', 'HTTP/1.1 200 OK\r\n\r\nrawFIN', '200  "raw"'],
  ['control in reason', 'GET', 'HTTP/1.1 200 O\x01K\r\n\r\n', 'http1.invalid_characters'],
  [
    'obs-text in reason',
    'GET',
    'HTTP/1.1 200 O\x80K\r\ncontent-length: 0\r\n\r\n',
    '200 content-length=0 ""',
  ],
  ['space before colon', 'GET', 'HTTP/1.1 200 OK\r\nx : a\r\n\r\n', 'http1.codec_error'],
  ['empty line before it', 'GET', '\r\nHTTP/1.1 200 OK\r\n\r\n', 'http1.codec_error'],
  ['101 headers', 'GET', `HTTP/1.1 200 OK\r\n${'x: a\r\n'.repeat(101)}\r\n`, 'http1.too_many_headers'],
];

describe('responses, as Envoy reads them', () => {
  for (const [name, method, response, answer] of RESPONSES) {
    test(name, () => {
      const client = new ClientRecorder(method);
      const fin = response.endsWith('FIN');
      client.feed(fin ? response.slice(0, -3) : response);
      if (fin) client.codec.onHalfClose();
      assert.equal(responseOf(client), answer);
    });
  }
});

function responseOf(client: ClientRecorder): string {
  const { message, informational } = client.response;
  if (client.error !== undefined) {
    assert.equal(message.reset, `ProtocolError ${client.error.responseCodeDetails}`);
    return client.error.responseCodeDetails;
  }
  if (message.reset !== undefined) return message.reset;
  const pairs: string[] = [];
  for (let i = 0; i < message.headers.length; i += 2) {
    pairs.push(`${message.headers[i]}=${message.headers[i + 1]}`);
  }
  const before = informational.map((line) => `[${line}] `).join('');
  return `${before}${message.line} ${pairs.join(',')} "${message.body}"${message.complete ? '' : ' incomplete'}`;
}
