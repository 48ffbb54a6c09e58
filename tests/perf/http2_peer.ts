// Both ends of HTTP/2 for the benchmark, on the project's own codec: node:http2 would take longer for a call than any proxy.
// Calls are gRPC as far as a proxy sees it: a message there, the same one back, trailers.

import net from 'node:net';
import type {
  ClientConnection,
  RequestDecoder,
  ResponseDecoder,
  ResponseEncoder,
  ServerConnection,
} from '../../server/api/http/codec.ts';
import type { ResponseHeaderMap, TrailerMap } from '../../server/api/http/header_map.ts';
import { RequestHeaders, ResponseHeaders, Trailers } from '../../server/common/http/header_map.ts';
import { Http2ClientConnection } from '../../server/common/http/http2/client_connection.ts';
import { Http2ServerConnection } from '../../server/common/http/http2/server_connection.ts';
import { newConnectionId, SocketConnection } from '../../server/common/network/connection.ts';
import { fromDataEvents } from '../../server/common/network/socket.ts';
import { HTTP2_CODEC_STATS } from '../../server/common/stats/families/codec.ts';
import { ConnectionInfoRecord } from '../../server/common/stream_info/stream_info.ts';
import { FakeStatStore } from '../fakes/factory_context.ts';
import { http2Settings } from '../fakes/http2_recorder.ts';

const settings = http2Settings();
const stats = new FakeStatStore().block(HTTP2_CODEC_STATS, '');
const NOWHERE = { ip: '', port: 0, text: '' };

/** Length-prefixed (gRPC over HTTP/2): 100 bytes. */
export const MESSAGE = Buffer.concat([Buffer.from([0, 0, 0, 0, 100]), Buffer.alloc(100, 'y')]);

/** Reads from `socket` into the codec that `make` puts on it. */
function drive(
  socket: net.Socket,
  make: (sink: SocketConnection) => ServerConnection | ClientConnection,
): void {
  const info = new ConnectionInfoRecord(newConnectionId(), NOWHERE, NOWHERE, '');
  const connection = new SocketConnection(socket, info, 0);
  const codec = make(connection);
  connection.reader = {
    onData: (bytes, start, end, endStream) => {
      if (end > start) codec.dispatch(bytes, start, end);
      if (endStream) connection.close('FlushWrite');
    },
  };
  const readable = fromDataEvents(socket);
  readable.setReader(connection);
  readable.start();
}

class EchoedCall implements RequestDecoder {
  private readonly encoder: ResponseEncoder;

  constructor(encoder: ResponseEncoder) {
    this.encoder = encoder;
  }
  onRequestHeaders(): void {
    this.encoder.encodeHeaders(new ResponseHeaders(200, ['content-type', 'application/grpc']), false);
  }
  onData(bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    this.encoder.encodeData(bytes, start, end, false);
    if (endStream) this.encoder.encodeTrailers(new Trailers(['grpc-status', '0']));
  }
  onRequestTrailers(): void {}
  onResetStream(): void {}
}

/** Answers calls on an accepted connection. */
export function serveCalls(socket: net.Socket): void {
  const callbacks = {
    newStream: (encoder: ResponseEncoder) => new EchoedCall(encoder),
    onCodecError: () => socket.destroy(),
    onGoAway: () => {},
  };
  drive(socket, (sink) => new Http2ServerConnection(sink, callbacks, settings, stats));
}

export interface Caller {
  /** An answer is complete. `failure` is '' where it is a good one. */
  onAnswer(failure: string): void;
}

/** Opens a connection that always has `calls` requests under way: gRPC calls, or GETs where not `grpc`. */
export function keepCalling(port: number, calls: number, grpc: boolean, caller: Caller): void {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
  const callbacks = {
    onCodecError: ({ message }: { message: string }) => caller.onAnswer(message),
    onGoAway: () => caller.onAnswer('GOAWAY'),
    onMaxStreamsChanged: () => {},
  };
  socket.on('error', (error) => caller.onAnswer(error.message));
  socket.once('connect', () =>
    drive(socket, (sink) => {
      const codec = new Http2ClientConnection(sink, callbacks, settings, stats);
      for (let i = 0; i < calls; i++) new Call(codec, port, grpc, caller).start();
      return codec;
    }),
  );
}

/** One call after the other. */
class Call implements ResponseDecoder {
  private readonly codec: Http2ClientConnection;
  private readonly authority: string;
  private readonly grpc: boolean;
  private readonly caller: Caller;
  private status = 0;

  constructor(codec: Http2ClientConnection, port: number, grpc: boolean, caller: Caller) {
    this.codec = codec;
    this.authority = `127.0.0.1:${port}`;
    this.grpc = grpc;
    this.caller = caller;
  }

  start(): void {
    const encoder = this.codec.newStream(this);
    if (!this.grpc) {
      encoder.encodeHeaders(new RequestHeaders('GET', '/', this.authority, 'http'), true);
      return;
    }
    const list = ['content-type', 'application/grpc', 'te', 'trailers'];
    const headers = new RequestHeaders('POST', '/bench.Echo/Unary', this.authority, 'http', list);
    encoder.encodeHeaders(headers, false);
    encoder.encodeData(MESSAGE, 0, MESSAGE.length, true);
  }

  onInformationalHeaders(): void {}
  onResponseHeaders(headers: ResponseHeaderMap, endStream: boolean): void {
    this.status = headers.status;
    if (endStream) this.complete(`status ${this.status} without a body`);
  }
  onData(_bytes: Uint8Array, _start: number, _end: number, endStream: boolean): void {
    if (endStream)
      this.complete(this.status === 200 && !this.grpc ? '' : `status ${this.status}, no trailers`);
  }
  onResponseTrailers(trailers: TrailerMap): void {
    this.complete(trailers.get('grpc-status') === '0' ? '' : `grpc-status ${trailers.get('grpc-status')}`);
  }
  onResetStream(reason: string): void {
    this.complete(reason);
  }

  private complete(failure: string): void {
    this.caller.onAnswer(failure);
    this.start();
  }
}
