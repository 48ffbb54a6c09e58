// What the HTTP/2 codecs cost for one proxied unary gRPC call of the benchmark (h2load: 50 streams at a time, 100 bytes each way):
// request parsed and encoded, response parsed and encoded, with their trailers. Budget: 5 µs. Run: node tests/perf/http2_codec.bench.ts

import { performance } from 'node:perf_hooks';
import type {
  RequestDecoder,
  RequestEncoder,
  ResponseDecoder,
  ResponseEncoder,
} from '../../server/api/http/codec.ts';
import type { RequestHeaderMap, ResponseHeaderMap, TrailerMap } from '../../server/api/http/header_map.ts';
import { RequestHeaders, ResponseHeaders, Trailers } from '../../server/common/http/header_map.ts';
import { Http2ClientConnection } from '../../server/common/http/http2/client_connection.ts';
import { Http2ServerConnection } from '../../server/common/http/http2/server_connection.ts';
import { HTTP2_CODEC_STATS } from '../../server/common/stats/families/codec.ts';
import { FakeStatStore } from '../fakes/factory_context.ts';
import { http2Settings } from '../fakes/http2_recorder.ts';

/** Calls at a time, and how often. */
const BATCH = 50;
const BATCHES = 1000;
const ROUNDS = 20;
const MESSAGE = Buffer.concat([Buffer.from([0, 0, 0, 0, 100]), Buffer.alloc(100, 'y')]);

const settings = http2Settings();
const stats = new FakeStatStore().block(HTTP2_CODEC_STATS, '');

/** The output of a connection whose peer takes everything at once. */
class Sink {
  readonly buffer: Buffer = Buffer.allocUnsafeSlow(256 * 1024);
  end = 0;
  wireBytesSent = 0;
  readonly unsentBytes = 0;

  reserve(): this {
    return this;
  }
  writeLatin1(): void {}
  writeBytes(): void {}
  take(): Buffer {
    const bytes = Buffer.from(this.buffer.subarray(0, this.end));
    this.end = 0;
    return bytes;
  }
}

const callbacks = {
  onCodecError(error: object): void {
    throw new Error(JSON.stringify(error));
  },
  onGoAway(): void {},
  onMaxStreamsChanged(): void {},
};

function makeClient(sink: Sink): Http2ClientConnection {
  return new Http2ClientConnection(sink, callbacks, settings, stats);
}
function makeServer(
  sink: Sink,
  newStream: (encoder: ResponseEncoder) => RequestDecoder,
): Http2ServerConnection {
  return new Http2ServerConnection(sink, { ...callbacks, newStream }, settings, stats);
}

const nothing: ResponseDecoder & RequestDecoder = {
  onRequestHeaders() {},
  onRequestTrailers() {},
  onInformationalHeaders() {},
  onResponseHeaders() {},
  onData() {},
  onResponseTrailers() {},
  onResetStream() {},
};

/** What the caller sends, a piece per batch; the first begins with the preface. */
function recordRequests(): Buffer[] {
  const sink = new Sink();
  const caller = makeClient(sink);
  const greeting = new Sink();
  makeServer(greeting, () => nothing);
  const bytes = greeting.take();
  caller.dispatch(bytes, 0, bytes.length);
  return Array.from({ length: BATCHES }, () => {
    for (let i = 0; i < BATCH; i++) {
      const list = [
        'user-agent',
        'h2load nghttp2/1.52.0',
        'content-type',
        'application/grpc',
        'te',
        'trailers',
      ];
      const encoder = caller.newStream(nothing);
      encoder.encodeHeaders(
        new RequestHeaders('POST', '/bench.Echo/Unary', '127.0.0.1:10003', 'http', list),
        false,
      );
      encoder.encodeData(MESSAGE, 0, MESSAGE.length, true);
    }
    return sink.take();
  });
}

/** What the callee answers, a piece per batch. */
function recordResponses(): Buffer[] {
  const requests = new Sink();
  const responses = new Sink();
  const caller = makeClient(requests);
  const encoders: ResponseEncoder[] = [];
  const callee = makeServer(responses, (encoder) => {
    encoders.push(encoder);
    return nothing;
  });
  return Array.from({ length: BATCHES }, () => {
    for (let i = 0; i < BATCH; i++)
      caller.newStream(nothing).encodeHeaders(new RequestHeaders('POST', '/', 'a', 'http'), true);
    const bytes = requests.take();
    callee.dispatch(bytes, 0, bytes.length);
    for (const encoder of encoders.splice(0)) {
      encoder.encodeHeaders(new ResponseHeaders(200, ['content-type', 'application/grpc']), false);
      encoder.encodeData(MESSAGE, 0, MESSAGE.length, false);
      encoder.encodeTrailers(new Trailers(['grpc-status', '0', 'grpc-message', '']));
    }
    return responses.take();
  });
}

class ProxiedCall implements RequestDecoder, ResponseDecoder {
  private readonly client: Http2ClientConnection;
  private readonly response: ResponseEncoder;
  private request!: RequestEncoder;
  private answered = false;

  constructor(client: Http2ClientConnection, response: ResponseEncoder) {
    this.client = client;
    this.response = response;
  }
  onRequestHeaders(headers: RequestHeaderMap, endStream: boolean): void {
    this.request = this.client.newStream(this);
    headers.append('x-request-id', '7f1b6ce2-5d0e-4f1c-9d1b-0a1b2c3d4e5f');
    headers.append('x-forwarded-proto', 'http');
    headers.append('x-envoy-expected-rq-timeout-ms', '15000');
    this.request.encodeHeaders(headers, endStream);
  }
  onRequestTrailers(trailers: TrailerMap): void {
    this.request.encodeTrailers(trailers);
  }
  onInformationalHeaders(): void {}
  onResponseHeaders(headers: ResponseHeaderMap, endStream: boolean): void {
    this.answered = true;
    headers.append('x-envoy-upstream-service-time', '1');
    headers.set('server', 'envoy');
    this.response.encodeHeaders(headers, endStream);
  }
  onData(bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    if (this.answered) this.response.encodeData(bytes, start, end, endStream);
    else this.request.encodeData(bytes, start, end, endStream);
  }
  onResponseTrailers(trailers: TrailerMap): void {
    this.response.encodeTrailers(trailers);
  }
  onResetStream(reason: string, details: string): void {
    throw new Error(reason + details);
  }
}

const requests = recordRequests();
const responses = recordResponses();
let best = Number.POSITIVE_INFINITY;
for (let round = 0; round < ROUNDS; round++) {
  const upstream = new Sink();
  const downstream = new Sink();
  const client = makeClient(upstream);
  const server = makeServer(downstream, (encoder) => new ProxiedCall(client, encoder));
  const begin = performance.now();
  for (let i = 0; i < BATCHES; i++) {
    server.dispatch(requests[i], 0, requests[i].length);
    upstream.end = 0;
    client.dispatch(responses[i], 0, responses[i].length);
    downstream.end = 0;
  }
  best = Math.min(best, ((performance.now() - begin) * 1000) / (BATCHES * BATCH));
  if (server.activeStreams + client.activeStreams !== 0) throw new Error('calls are left');
}
console.log(`unary gRPC call: ${best.toFixed(2)} µs (best of ${ROUNDS} rounds of ${BATCHES * BATCH})`);
