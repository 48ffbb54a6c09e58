// The HTTP/1 codecs' behaviour around single messages: what they write, pipelining, early answers, tunnels, resets, backpressure.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeStatStore } from '../../../../tests/fakes/factory_context.ts';
import {
  ClientRecorder,
  responseSettings,
  ServerRecorder,
  settings,
} from '../../../../tests/fakes/http1_recorder.ts';
import { HTTP1_CODEC_STATS } from '../../stats/families/codec.ts';
import { RequestHeaders, ResponseHeaders, Trailers } from '../header_map.ts';
import { compileHttp1Settings, compilePreserveCase, DEFAULT_REQUEST_LIMITS } from './settings.ts';

const GET = 'GET / HTTP/1.1\r\nhost: a\r\n\r\n';
const UPGRADE = ['connection', 'Upgrade', 'upgrade', 'websocket'];

/** A server that has received `request` and answers nothing by itself. */
function received(request: string, codecSettings = settings()): ServerRecorder {
  const server = new ServerRecorder(codecSettings);
  server.answers = false;
  return server.feed(request);
}

describe('response encoding, as Envoy writes it', () => {
  const rows: [
    name: string,
    request: string,
    status: number,
    list: string[],
    body: string | undefined,
    sent: string,
  ][] = [
    ['empty', GET, 200, [], undefined, 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'],
    ['length', GET, 200, ['content-length', '2'], 'ok', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'],
    [
      'chunked',
      GET,
      200,
      [],
      'ok',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
    ],
    [
      'not twice chunked',
      GET,
      200,
      ['transfer-encoding', 'chunked'],
      'ok',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
    ],
    ['unknown status', GET, 418, [], undefined, 'HTTP/1.1 418 Unknown\r\ncontent-length: 0\r\n\r\n'],
    ['204', GET, 204, [], undefined, 'HTTP/1.1 204 No Content\r\n\r\n'],
    ['304', GET, 304, [], undefined, 'HTTP/1.1 304 Not Modified\r\n\r\n'],
    [
      '304 with length',
      GET,
      304,
      ['content-length', '5'],
      undefined,
      'HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n',
    ],
    [
      'HEAD',
      'HEAD / HTTP/1.1\r\n\r\n',
      200,
      [],
      undefined,
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n',
    ],
    [
      'HEAD with length',
      'HEAD / HTTP/1.1\r\n\r\n',
      200,
      ['content-length', '5'],
      undefined,
      'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n',
    ],
    ['CONNECT', 'CONNECT a:1 HTTP/1.1\r\n\r\n', 200, [], 'raw', 'HTTP/1.1 200 OK\r\n\r\nraw'],
    [
      'CONNECT refused',
      'CONNECT a:1 HTTP/1.1\r\n\r\n',
      403,
      [],
      undefined,
      'HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n',
    ],
    [
      'big body',
      GET,
      200,
      ['content-length', '20000'],
      'x'.repeat(20000),
      `HTTP/1.1 200 OK\r\ncontent-length: 20000\r\n\r\n${'x'.repeat(20000)}`,
    ],
    [
      'big chunk',
      GET,
      200,
      [],
      'x'.repeat(20000),
      `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4e20\r\n${'x'.repeat(20000)}\r\n0\r\n\r\n`,
    ],
  ];
  for (const [name, request, status, list, body, sent] of rows) {
    test(name, () => {
      const server = received(request);
      server.encoder.encodeHeaders(new ResponseHeaders(status, list), body === undefined);
      if (body !== undefined) {
        const bytes = Buffer.from(`__${body}__`, 'latin1');
        server.encoder.encodeData(bytes, 2, bytes.length - 2, true);
        bytes.fill(0);
      }
      assert.equal(server.sink.text, sent);
    });
  }

  test('HTTP/1.0 gets no chunks', () => {
    const server = received('GET / HTTP/1.0\r\n\r\n', settings({ accept_http_10: true }));
    assert.equal(server.codec.protocol, 'HTTP/1.0');
    server.encoder.encodeHeaders(new ResponseHeaders(200, ['connection', 'close']), false);
    server.encoder.encodeData(Buffer.from('ok'), 0, 2, true);
    assert.equal(server.sink.text, 'HTTP/1.0 200 OK\r\nconnection: close\r\n\r\nok');
  });

  test('trailers go out only when enabled', () => {
    for (const [enabled, sent] of [
      [true, '0\r\nx: y\r\n\r\n'],
      [false, '0\r\n\r\n'],
    ] as const) {
      const server = received(GET, settings({ enable_trailers: enabled }));
      server.encoder.encodeHeaders(new ResponseHeaders(200), false);
      server.encoder.encodeTrailers(new Trailers(['x', 'y']));
      assert.equal(server.sink.text, `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${sent}`);
    }
  });

  test('informational heads carry no framing', () => {
    const server = received(GET);
    server.encoder.encodeInformationalHeaders(new ResponseHeaders(100));
    assert.equal(server.sink.text, 'HTTP/1.1 100 Continue\r\n\r\n');
  });
});

describe('request encoding, as Envoy writes it', () => {
  const rows: [name: string, headers: RequestHeaders, endStream: boolean, sent: string][] = [
    [
      'GET',
      new RequestHeaders('GET', '/p', 'h', 'http', ['b', '1']),
      true,
      'GET /p HTTP/1.1\r\nhost: h\r\nb: 1\r\n\r\n',
    ],
    [
      'empty POST',
      new RequestHeaders('POST', '/', 'h'),
      true,
      'POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n',
    ],
    ['empty DELETE', new RequestHeaders('DELETE', '/', 'h'), true, 'DELETE / HTTP/1.1\r\nhost: h\r\n\r\n'],
    [
      'chunked',
      new RequestHeaders('POST', '/', 'h'),
      false,
      'POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n',
    ],
    ['CONNECT', new RequestHeaders('CONNECT', '', 'h:1'), false, 'CONNECT h:1 HTTP/1.1\r\nhost: h:1\r\n\r\n'],
    [
      'upgrade',
      new RequestHeaders('GET', '/', 'h', '', [...UPGRADE]),
      false,
      'GET / HTTP/1.1\r\nhost: h\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n',
    ],
  ];
  for (const [name, headers, endStream, sent] of rows) {
    test(name, () => {
      const client = new ClientRecorder();
      client.sink.text = '';
      client.codec.newStream(client.response).encodeHeaders(headers, endStream);
      assert.equal(client.sink.text, sent);
    });
  }

  test('fully qualified', () => {
    const client = new ClientRecorder('GET', [], responseSettings({ send_fully_qualified_url: true }));
    assert.equal(client.sink.text, 'GET http://a/ HTTP/1.1\r\nhost: a\r\n\r\n');
  });
});

describe('spelling of names', () => {
  test('proper case', () => {
    const server = received(GET, settings({ header_key_format: { proper_case_words: {} } }));
    server.encoder.encodeHeaders(new ResponseHeaders(200, ['foo-bar_x.y', '2', 'foo$b#$are', '1']), true);
    assert.equal(
      server.sink.text,
      'HTTP/1.1 200 OK\r\nFoo-Bar_X.Y: 2\r\nFoo$B#$Are: 1\r\nContent-Length: 0\r\n\r\n',
    );
  });

  test('as received, from one side to the other', () => {
    const preserve = { header_key_format: { stateful_formatter: {} } };
    const server = received('GET / HTTP/1.1\r\nHOST: a\r\nFOO-bar: 2\r\nx: 1\r\n\r\n', settings(preserve));
    server.lastHeaders.append('x-added', '3');
    const client = new ClientRecorder('GET', [], responseSettings(preserve));
    client.sink.text = '';
    client.codec.newStream(client.response).encodeHeaders(server.lastHeaders, true);
    assert.equal(client.sink.text, 'GET / HTTP/1.1\r\nHOST: a\r\nFOO-bar: 2\r\nx: 1\r\nx-added: 3\r\n\r\n');
  });

  test('reason phrase as received, unknown names in proper case', () => {
    const codecSettings = compileHttp1Settings(
      { header_key_format: { stateful_formatter: {} } },
      DEFAULT_REQUEST_LIMITS,
      '',
      () => compilePreserveCase({ forward_reason_phrase: true, formatter_type_on_envoy_headers: 1 }),
    );
    const client = new ClientRecorder('GET', [], codecSettings);
    let forwarded = new ResponseHeaders();
    client.response.onResponseHeaders = (headers) => {
      forwarded = headers as ResponseHeaders;
    };
    client.feed('HTTP/1.1 200 Fine\r\nx: 1\r\ncontent-length: 0\r\n\r\n');
    forwarded.append('via', 'p');
    const server = received(GET);
    server.encoder.encodeHeaders(forwarded, true);
    assert.equal(server.sink.text, 'HTTP/1.1 200 Fine\r\nx: 1\r\ncontent-length: 0\r\nVia: p\r\n\r\n');
  });
});

describe('pipelining', () => {
  test('requests answered at once are all read at once', () => {
    const server = new ServerRecorder().feed(GET + GET + GET);
    assert.equal(server.messages.length, 3);
    assert.equal(server.readDisabled, 0);
  });

  test('a request waits, unread, until the one before is answered', async () => {
    const server = received(GET + GET.replace('/', '/2') + GET.replace('/', '/3').slice(0, 9));
    assert.equal(server.messages.length, 1);
    assert.equal(server.readDisabled, 1);
    server.encoder.encodeHeaders(new ResponseHeaders(200), true);
    assert.equal(server.messages.length, 1, 'not from within the answer');
    await Promise.resolve();
    assert.equal(server.messages.length, 2);
    assert.equal(server.readDisabled, 1);
    server.encoder.encodeHeaders(new ResponseHeaders(200), true);
    await Promise.resolve();
    assert.equal(server.readDisabled, 0);
    server.feed(GET.replace('/', '/3').slice(9));
    assert.deepEqual(
      server.messages.map((message) => message.line),
      ['GET a /', 'GET a /2', 'GET a /3'],
    );
  });

  test('what arrives in spite of readDisable is bounded', () => {
    const server = received(GET);
    for (let i = 0; i < 20; i++) server.feed('x'.repeat(64 * 1024));
    assert.equal(server.error?.message, 'Too many responses queued.');
  });

  test('nothing is read after the last response', () => {
    for (const closing of ['header', 'goAway']) {
      const server = received(GET);
      if (closing === 'goAway') server.codec.goAway();
      const headers = new ResponseHeaders(200, closing === 'header' ? ['connection', 'close'] : []);
      server.encoder.encodeHeaders(headers, true);
      assert.match(server.sink.text, /connection: close\r\n/);
      server.feed(GET);
      assert.equal(server.messages.length, 1);
    }
  });
});

describe('messages that end early', () => {
  test('an answer before the request is complete: the rest of it is not read', () => {
    const server = received('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nabc');
    server.encoder.encodeHeaders(new ResponseHeaders(413), true);
    server.feed(`defg${GET}`);
    assert.equal(server.messages.length, 1);
    assert.equal(server.messages[0].body, 'abc');
  });

  test('FIN inside a request resets it', () => {
    const server = received('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nabc');
    server.codec.onHalfClose();
    assert.equal(server.messages[0].reset, 'ConnectionTermination downstream_remote_disconnect');
  });

  test('a local reset closes the connection and ends the stream silently', () => {
    const server = received('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nabc');
    server.encoder.resetStream('LocalReset');
    server.feed('more');
    assert.ok(server.closed);
    assert.equal(server.messages[0].body, 'abc');
    assert.equal(server.messages[0].reset, undefined);
  });

  test('reset from within the event', () => {
    const server = received('');
    server.newStream = (encoder) => ({
      onRequestHeaders: () => encoder.resetStream('LocalReset'),
      onData: () => assert.fail('data after the reset'),
      onRequestTrailers: () => assert.fail('trailers after the reset'),
      onResetStream: () => assert.fail('told of our own reset'),
    });
    server.feed('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc');
    assert.ok(server.closed);
  });
});

describe('tunnels', () => {
  test('websocket: raw bytes both ways, until the upstream is gone', () => {
    const server = received(
      'GET / HTTP/1.1\r\nhost: a\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\nGET / HTTP',
    );
    server.encoder.encodeHeaders(new ResponseHeaders(101, [...UPGRADE]), false);
    server.feed('\0raw');
    assert.equal(server.messages[0].body, 'GET / HTTP\0raw');
    server.encoder.encodeData(Buffer.from('back'), 0, 4, false);
    assert.ok(server.sink.text.endsWith('\r\n\r\nback'));
    server.codec.onHalfClose();
    assert.ok(server.messages[0].complete);
    server.encoder.encodeData(Buffer.from('!'), 0, 1, true);
    assert.ok(server.sink.text.endsWith('back!'));

    const client = new ClientRecorder('GET', [...UPGRADE]);
    client.feed('HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nxyz');
    assert.equal(client.response.message.body, 'xyz');
    client.codec.onHalfClose();
    assert.equal(client.response.message.reset, 'ConnectionTermination');
    assert.ok(!client.codec.reusable);
  });

  test('ignored upgrades are no tunnels', () => {
    const exact = { exact: 'TLS/1.2', ignore_case: false };
    const server = new ServerRecorder(settings({ ignore_http_11_upgrade: [exact] }));
    server.feed('GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: TLS/1.2\r\n\r\n');
    assert.deepEqual(server.messages[0].headers, []);
    assert.ok(server.messages[0].complete);
  });
});

describe('reuse of upstream connections', () => {
  const rows: [name: string, response: string, reusable: boolean][] = [
    ['length', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok', true],
    ['chunked', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n', true],
    ['incomplete', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no', false],
    ['close', 'HTTP/1.1 200 OK\r\nconnection: foo, Close\r\ncontent-length: 0\r\n\r\n', false],
    ['HTTP/1.0', 'HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n', false],
    ['HTTP/1.0 keep-alive', 'HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 0\r\n\r\n', true],
    ['bytes too many', 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nx', false],
    ['a second response', 'HTTP/1.1 204 N\r\n\r\nHTTP/1.1 204 N\r\n\r\n', false],
  ];
  for (const [name, response, reusable] of rows) {
    test(name, () => assert.equal(new ClientRecorder().feed(response).codec.reusable, reusable));
  }

  test('bytes too many are noticed before the pool could reuse it', () => {
    const client = new ClientRecorder();
    let reusable = true;
    client.response.onResponseHeaders = () => {
      reusable = client.codec.reusable;
    };
    client.feed('HTTP/1.1 204 N\r\n\r\nHTTP/1.1 200 OK\r\n\r\n');
    assert.ok(!reusable);
  });

  test('bytes while idle break it', () => {
    const client = new ClientRecorder().feed('HTTP/1.1 204 N\r\n\r\n');
    client.feed('HTTP/1.1 408 Request Timeout\r\n\r\n');
    assert.equal(client.error?.message, 'http/1.1 protocol error: premature response');
    assert.equal(client.response.message.line, '204');
  });

  test('the next request may begin from within the end of the response', () => {
    const client = new ClientRecorder();
    const second = new ClientRecorder().response;
    client.response.onResponseHeaders = () => {
      assert.ok(client.codec.reusable);
      client.codec.newStream(second).encodeHeaders(new RequestHeaders('GET', '/2', 'a'), true);
    };
    client.feed('HTTP/1.1 204 N\r\n\r\n');
    client.feed('HTTP/1.1 201 C\r\ncontent-length: 0\r\n\r\n');
    assert.equal(second.message.line, '201');
  });
});

test('refused and dropped underscores are counted', () => {
  const stats = new FakeStatStore().block(HTTP1_CODEC_STATS, 'http1.');
  const counted = (name: keyof typeof HTTP1_CODEC_STATS.offset) =>
    stats.values[stats.base + HTTP1_CODEC_STATS.offset[name]];
  for (const headersWithUnderscoresAction of ['DROP_HEADER', 'REJECT_REQUEST'] as const) {
    const server = new ServerRecorder(settings({}, { headersWithUnderscoresAction }), stats);
    server.feed('GET / HTTP/1.1\r\nhost: a\r\nx_y: 1\r\n\r\n');
  }
  assert.equal(counted('dropped_headers_with_underscores'), 1);
  assert.equal(counted('requests_rejected_with_underscores_in_headers'), 1);
});

test('backpressure reaches the owner', () => {
  const server = received(GET);
  server.encoder.readDisable(true);
  assert.equal(server.readDisabled, 1);
  server.encoder.readDisable(false);
  assert.equal(server.readDisabled, 0);
});

test('a byte of a head makes it known that one is being read', () => {
  const server = received('\r\nG');
  assert.ok(server.codec.readingHead);
  server.feed(GET.slice(1));
  assert.ok(!server.codec.readingHead);
});

test('settings that cannot be honoured are refused by name', () => {
  const path = 'http_protocol_options';
  assert.throws(
    () => compileHttp1Settings({ use_balsa_parser: { value: false } }, DEFAULT_REQUEST_LIMITS, path),
    {
      path: 'http_protocol_options.use_balsa_parser',
    },
  );
  const stateful = { header_key_format: { stateful_formatter: {} } };
  assert.throws(() => compileHttp1Settings(stateful, DEFAULT_REQUEST_LIMITS, path), {
    path: 'http_protocol_options.header_key_format.stateful_formatter',
  });
});
