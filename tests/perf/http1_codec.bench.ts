// What the HTTP/1 codecs cost for one proxied request of the benchmark (wrk: GET, small heads, 1 KB response): request parsed,
// response encoded, request encoded, response parsed. Budget: 2.5 µs for the four. Run: node tests/perf/http1_codec.bench.ts

import { performance } from 'node:perf_hooks';
import type {
  RequestDecoder,
  RequestEncoder,
  ResponseDecoder,
  ResponseEncoder,
} from '../../server/api/http/codec.ts';
import type { RequestHeaderMap, ResponseHeaderMap } from '../../server/api/http/header_map.ts';
import { Http1ClientConnection } from '../../server/common/http/http1/client_connection.ts';
import { Http1ServerConnection } from '../../server/common/http/http1/server_connection.ts';
import {
  compileHttp1Settings,
  DEFAULT_REQUEST_LIMITS,
  DEFAULT_RESPONSE_LIMITS,
} from '../../server/common/http/http1/settings.ts';

const REQUEST = Buffer.from('GET /index.html HTTP/1.1\r\nHost: 127.0.0.1:10000\r\n\r\n', 'latin1');
const RESPONSE = Buffer.from(
  'HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Sat, 21 Nov 2026 08:00:00 GMT\r\nContent-Type: application/octet-stream\r\n' +
    'Content-Length: 1024\r\nConnection: keep-alive\r\n\r\n' +
    'x'.repeat(1024),
  'latin1',
);
const BROWSER = Buffer.from(
  'GET /products/42?ref=home HTTP/1.1\r\nHost: shop.example.com\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 ' +
    '(KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36\r\nAccept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n' +
    'Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-US,en;q=0.9,de;q=0.8\r\nCookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n' +
    'Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\nUpgrade-Insecure-Requests: 1\r\n\r\n',
  'latin1',
);
const ROUND = 50_000;

/** Flattens what it is given, as the socket's write does. */
class Sink {
  private readonly target = Buffer.allocUnsafeSlow(64 * 1024);
  private text = '';

  writeLatin1(text: string): void {
    this.text = this.text === '' ? text : this.text + text;
  }
  writeBytes(bytes: Uint8Array): void {
    this.target.set(bytes);
  }
  readonly unsentBytes = 0;
  readonly wireBytesSent = 0;
  reserve(): never {
    throw new Error('HTTP/1 writes text');
  }
  flush(): void {
    this.target.write(this.text, 'latin1');
    this.text = '';
  }
}

const downstream = new Sink();
const upstream = new Sink();

class ProxiedExchange implements RequestDecoder, ResponseDecoder {
  response!: ResponseEncoder;
  request!: RequestEncoder;

  onRequestHeaders(headers: RequestHeaderMap, endStream: boolean): void {
    this.request = client.newStream(this);
    headers.append('x-request-id', '7f1b6ce2-5d0e-4f1c-9d1b-0a1b2c3d4e5f');
    headers.append('x-forwarded-proto', 'http');
    headers.append('x-envoy-expected-rq-timeout-ms', '15000');
    this.request.encodeHeaders(headers, endStream);
  }
  onRequestTrailers(): void {}
  onInformationalHeaders(): void {}
  onResponseHeaders(headers: ResponseHeaderMap, endStream: boolean): void {
    headers.remove('connection');
    headers.append('x-envoy-upstream-service-time', '1');
    headers.set('server', 'envoy');
    this.response.encodeHeaders(headers, endStream);
  }
  onData(bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    this.response.encodeData(bytes, start, end, endStream);
  }
  onResponseTrailers(): void {}
  onResetStream(reason: string, details: string): void {
    throw new Error(reason + details);
  }
}

const proxy = new ProxiedExchange();
const callbacks = {
  newStream(encoder: ResponseEncoder): RequestDecoder {
    proxy.response = encoder;
    return proxy;
  },
  onCodecError(error: object): void {
    throw new Error(JSON.stringify(error));
  },
  onGoAway(): void {},
  onMaxStreamsChanged(): void {},
};
const server = new Http1ServerConnection(
  downstream,
  callbacks,
  compileHttp1Settings(undefined, DEFAULT_REQUEST_LIMITS, ''),
);
const client = new Http1ClientConnection(
  upstream,
  callbacks,
  compileHttp1Settings(undefined, DEFAULT_RESPONSE_LIMITS, ''),
);

function exchange(request: Buffer): void {
  server.dispatch(request, 0, request.length);
  upstream.flush();
  client.dispatch(RESPONSE, 0, RESPONSE.length);
  downstream.flush();
}

function measure(name: string, request: Buffer): void {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 20; round++) {
    const begin = performance.now();
    for (let i = 0; i < ROUND; i++) exchange(request);
    best = Math.min(best, ((performance.now() - begin) * 1000) / ROUND);
  }
  console.log(`${name}: ${best.toFixed(2)} µs per request (best of 20 rounds of ${ROUND})`);
}

measure('benchmark GET, 1 KB', REQUEST);
measure('browser GET, 1 KB', BROWSER);
