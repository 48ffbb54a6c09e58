// node:http2 as the peer, over real sockets: an implementation that is not ours (nghttp2) agrees on frames, HPACK, flow
// control and the ends of streams.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as nodeHttp2 from 'node:http2';
import net, { type AddressInfo, type Socket } from 'node:net';
import { describe, test } from 'node:test';
import { FakeStatStore } from '../../../../tests/fakes/factory_context.ts';
import { http2Settings } from '../../../../tests/fakes/http2_recorder.ts';
import type {
  RequestDecoder,
  RequestEncoder,
  ResponseDecoder,
  ResponseEncoder,
} from '../../../api/http/codec.ts';
import type { HeaderMap, RequestHeaderMap, ResponseHeaderMap } from '../../../api/http/header_map.ts';
import { ipAddress } from '../../network/address.ts';
import { SocketConnection } from '../../network/connection.ts';
import { HTTP2_CODEC_STATS } from '../../stats/families/codec.ts';
import { ConnectionInfoRecord } from '../../stream_info/stream_info.ts';
import { RequestHeaders, ResponseHeaders, Trailers } from '../header_map.ts';
import { Http2ClientConnection } from './client_connection.ts';
import { Http2ServerConnection } from './server_connection.ts';

const BODY = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7) % 256));

function connectionOn(socket: Socket): SocketConnection {
  const info = new ConnectionInfoRecord(1, ipAddress('127.0.0.1', 1), ipAddress('127.0.0.1', 2), 'l');
  const connection = new SocketConnection(socket, info, 1 << 20);
  socket.on('data', (bytes) => connection.onRead(bytes as Buffer, 0, bytes.length));
  return connection;
}

/** Answers with what came: headers, body and trailers. */
class Echo implements RequestDecoder {
  private readonly encoder: ResponseEncoder;
  private readonly resets: string[];

  constructor(encoder: ResponseEncoder, resets: string[]) {
    this.encoder = encoder;
    this.resets = resets;
  }
  onRequestHeaders(headers: RequestHeaderMap, endStream: boolean): void {
    if (headers.path === '/hints')
      this.encoder.encodeInformationalHeaders(new ResponseHeaders(103, ['link', '</a>']));
    const list = [...headers.list, 'x-method', headers.method, 'x-path', headers.path];
    if (headers.path === '/silent') return;
    this.encoder.encodeHeaders(new ResponseHeaders(200, list), endStream);
  }
  onData(bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    this.encoder.encodeData(bytes, start, end, endStream);
  }
  onRequestTrailers(trailers: HeaderMap): void {
    this.encoder.encodeTrailers(new Trailers([...trailers.list]));
  }
  onResetStream(reason: string, details: string): void {
    this.resets.push(`${reason} ${details}`);
  }
}

async function withServer(
  run: (
    session: nodeHttp2.ClientHttp2Session,
    resets: string[],
    codec: () => Http2ServerConnection,
  ) => Promise<void>,
  options: Parameters<typeof http2Settings>[0] = {},
): Promise<void> {
  const resets: string[] = [];
  const errors: unknown[] = [];
  let codec: Http2ServerConnection | undefined;
  const server = net.createServer((socket) => {
    const connection = connectionOn(socket);
    const made = new Http2ServerConnection(
      connection,
      {
        newStream: (encoder) => new Echo(encoder, resets),
        onCodecError: (error) => errors.push(error),
        onGoAway() {},
      },
      http2Settings(options),
      new FakeStatStore().block(HTTP2_CODEC_STATS, ''),
    );
    codec = made;
    connection.reader = { onData: (bytes, start, end) => made.dispatch(bytes, start, end) };
    connection.addConnectionCallbacks({ onEvent: () => made.onConnectionClosed() });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const session = nodeHttp2.connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  try {
    await once(session, 'connect');
    await run(session, resets, () => codec!);
    assert.deepEqual(errors, []);
  } finally {
    session.destroy();
    server.close();
  }
}

interface Answer {
  headers: nodeHttp2.IncomingHttpHeaders & nodeHttp2.IncomingHttpStatusHeader;
  hints: nodeHttp2.IncomingHttpHeaders[];
  trailers: nodeHttp2.IncomingHttpHeaders | undefined;
  body: Buffer;
}

async function ask(
  session: nodeHttp2.ClientHttp2Session,
  headers: nodeHttp2.OutgoingHttpHeaders,
  body?: Uint8Array,
  trailers?: nodeHttp2.OutgoingHttpHeaders,
): Promise<Answer> {
  const request = session.request(headers, {
    endStream: body === undefined,
    waitForTrailers: trailers !== undefined,
  });
  const answer: Answer = { headers: {}, hints: [], trailers: undefined, body: Buffer.alloc(0) };
  const pieces: Buffer[] = [];
  request.on('response', (received) => Object.assign(answer.headers, received));
  request.on('headers', (received) => answer.hints.push(received));
  request.on('trailers', (received) => {
    answer.trailers = received;
  });
  request.on('data', (piece: Buffer) => pieces.push(piece));
  if (trailers !== undefined) request.on('wantTrailers', () => request.sendTrailers(trailers));
  if (body !== undefined) request.end(body);
  await once(request, 'close');
  answer.body = Buffer.concat(pieces);
  return answer;
}

describe('node:http2 as the client', () => {
  test('heads, bodies and trailers, many at a time', async () => {
    await withServer(async (session) => {
      const answers = await Promise.all(
        Array.from({ length: 40 }, (_, i) =>
          ask(
            session,
            { ':method': 'POST', ':path': `/${i}`, 'x-i': String(i), cookie: ['a=1', 'b=2'] },
            BODY.subarray(0, i * 7000),
            i % 2 === 0 ? { 'x-trailer': String(i) } : undefined,
          ),
        ),
      );
      answers.forEach(({ headers, body, trailers }, i) => {
        assert.equal(headers[':status'], 200);
        assert.equal(headers['x-path'], `/${i}`);
        assert.equal(headers['x-i'], String(i));
        assert.equal(headers.cookie, 'a=1; b=2');
        assert.equal(body.compare(BODY.subarray(0, i * 7000)), 0);
        assert.equal(trailers?.['x-trailer'], i % 2 === 0 ? String(i) : undefined);
      });
    });
  });

  test('interim answers, long heads, small tables and Huffman coding', async () => {
    await withServer(
      async (session) => {
        session.settings({ headerTableSize: 100 });
        const hinted = await ask(session, { ':path': '/hints' });
        assert.equal(hinted.hints[0]?.['link'], '</a>');
        const long = 'long'.repeat(10_000);
        for (let i = 0; i < 3; i++) {
          const { headers } = await ask(session, { ':path': '/', 'x-long': long, [`x-${i}`]: 'y' });
          assert.equal(headers['x-long'], long);
          assert.equal(headers[`x-${i}`], 'y');
        }
      },
      { enable_huffman_encoding: { value: true } },
    );
  });

  test('resets and GOAWAY', async () => {
    await withServer(async (session, resets, codec) => {
      const request = session.request({ ':path': '/silent' });
      await new Promise((resolve) => setTimeout(resolve, 20));
      request.close(nodeHttp2.constants.NGHTTP2_CANCEL);
      await once(request, 'close');
      await ask(session, { ':path': '/' });
      assert.deepEqual(resets, ['RemoteReset http2.remote_reset']);
      const goAway = once(session, 'goaway');
      codec().shutdownNotice();
      assert.deepEqual((await goAway).slice(0, 2), [0, 2 ** 31 - 1]);
    });
  });

  test('PING', async () => {
    await withServer(async (session) => {
      const answered = await new Promise<Buffer>((resolve, reject) =>
        session.ping(Buffer.from('12345678'), (error, _ms, payload) =>
          error ? reject(error) : resolve(payload),
        ),
      );
      assert.equal(answered.toString(), '12345678');
    });
  });
});

class Received implements ResponseDecoder {
  encoder!: RequestEncoder;
  status = 0;
  list: string[] = [];
  trailers: string[] = [];
  informational: number[] = [];
  reset = '';
  private readonly pieces: Buffer[] = [];
  private finish!: () => void;
  readonly done: Promise<void> = new Promise((resolve) => {
    this.finish = resolve;
  });

  get body(): Buffer {
    return Buffer.concat(this.pieces);
  }
  onInformationalHeaders(headers: ResponseHeaderMap): void {
    this.informational.push(headers.status);
  }
  onResponseHeaders(headers: ResponseHeaderMap, endStream: boolean): void {
    this.status = headers.status;
    this.list = headers.list;
    if (endStream) this.finish();
  }
  onData(bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    this.pieces.push(Buffer.from(bytes.subarray(start, end)));
    if (endStream) this.finish();
  }
  onResponseTrailers(trailers: HeaderMap): void {
    this.trailers = trailers.list;
    this.finish();
  }
  onResetStream(reason: string): void {
    this.reset = reason;
    this.finish();
  }
}

async function withNodeServer(
  handler: (stream: nodeHttp2.ServerHttp2Stream, headers: nodeHttp2.IncomingHttpHeaders) => void,
  run: (codec: Http2ClientConnection, maxStreams: number[]) => Promise<void>,
  nodeSettings: nodeHttp2.Settings = {},
): Promise<void> {
  const server = nodeHttp2.createServer({ settings: nodeSettings });
  server.on('stream', handler);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = net.connect((server.address() as AddressInfo).port, '127.0.0.1');
  const connection = connectionOn(socket);
  const errors: unknown[] = [];
  const maxStreams: number[] = [];
  const codec = new Http2ClientConnection(
    connection,
    {
      onCodecError: (error) => errors.push(error),
      onGoAway() {},
      onMaxStreamsChanged: (streams) => maxStreams.push(streams),
    },
    http2Settings({ allow_connect: true }),
    new FakeStatStore().block(HTTP2_CODEC_STATS, ''),
  );
  connection.reader = { onData: (bytes, start, end) => codec.dispatch(bytes, start, end) };
  connection.addConnectionCallbacks({ onEvent: () => codec.onConnectionClosed('ConnectionTermination', '') });
  try {
    await run(codec, maxStreams);
    assert.deepEqual(errors, []);
  } finally {
    connection.close('NoFlush');
    server.close();
  }
}

function send(codec: Http2ClientConnection, headers: RequestHeaders, body?: Uint8Array): Received {
  const received = new Received();
  received.encoder = codec.newStream(received);
  received.encoder.encodeHeaders(headers, body === undefined);
  if (body !== undefined) received.encoder.encodeData(body, 0, body.length, true);
  return received;
}

describe('node:http2 as the server', () => {
  test('bodies both ways with small windows, trailers and interim answers', async () => {
    await withNodeServer(
      (stream, headers) => {
        stream.additionalHeaders({ ':status': 103, link: '</a>' });
        stream.respond(
          { ':status': 200, 'x-path': headers[':path'], 'set-cookie': ['a=1', 'b=2'] },
          { waitForTrailers: true },
        );
        stream.on('wantTrailers', () => stream.sendTrailers({ 'x-trailer': 'end' }));
        stream.pipe(stream);
      },
      async (codec, maxStreams) => {
        const all = Array.from({ length: 20 }, (_, i) =>
          send(codec, new RequestHeaders('POST', `/${i}`, 'a', 'http'), BODY.subarray(0, i * 9000)),
        );
        await Promise.all(all.map(({ done }) => done));
        all.forEach((received, i) => {
          assert.equal(received.status, 200);
          assert.deepEqual(received.informational, [103]);
          assert.ok(received.list.join('\n').includes(`x-path\n/${i}`));
          assert.ok(received.list.join('\n').includes('set-cookie\na=1\nset-cookie\nb=2'));
          assert.equal(received.body.compare(BODY.subarray(0, i * 9000)), 0);
          assert.deepEqual(received.trailers, ['x-trailer', 'end']);
        });
        assert.deepEqual(maxStreams, [100]);
        assert.equal(codec.activeStreams, 0);
      },
      { maxConcurrentStreams: 100, initialWindowSize: 20_000, headerTableSize: 0 },
    );
  });

  test('an upgrade over extended CONNECT', async () => {
    await withNodeServer(
      (stream, headers) => {
        assert.equal(headers[':protocol'], 'websocket');
        stream.respond({ ':status': 200 });
        stream.pipe(stream);
      },
      async (codec) => {
        const headers = new RequestHeaders('GET', '/chat', 'a', 'http', [
          'upgrade',
          'websocket',
          'connection',
          'upgrade',
        ]);
        const received = new Received();
        const encoder = codec.newStream(received);
        // The server has to allow it first.
        await new Promise((resolve) => setTimeout(resolve, 30));
        encoder.encodeHeaders(headers, false);
        encoder.encodeData(Buffer.from('hello'), 0, 5, true);
        await received.done;
        assert.equal(received.status, 101);
        assert.equal(received.body.toString(), 'hello');
      },
      { enableConnectProtocol: true },
    );
  });

  test('a stream that the server refuses', async () => {
    await withNodeServer(
      (stream) => {
        stream.on('error', () => undefined);
        stream.close(nodeHttp2.constants.NGHTTP2_REFUSED_STREAM);
      },
      async (codec) => {
        const received = send(codec, new RequestHeaders('GET', '/', 'a', 'http'));
        await received.done;
        assert.equal(received.reset, 'RemoteRefusedStreamReset');
      },
    );
  });
});
