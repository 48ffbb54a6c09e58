// Drives the HTTP/2 codecs without sockets and writes down what they report and send. Body pieces that follow one another are
// joined, so that two ways of cutting the same bytes can be compared.

import type {
  ByteSink,
  CodecError,
  RequestDecoder,
  RequestEncoder,
  ResponseDecoder,
  ResponseEncoder,
  ServerConnectionCallbacks,
  WritableRegion,
} from '../../server/api/http/codec.ts';
import type { HeaderMap, RequestHeaderMap, ResponseHeaderMap } from '../../server/api/http/header_map.ts';
import { RequestHeaders, ResponseHeaders, Trailers } from '../../server/common/http/header_map.ts';
import { Http2ClientConnection } from '../../server/common/http/http2/client_connection.ts';
import { Http2ServerConnection } from '../../server/common/http/http2/server_connection.ts';
import {
  compileHttp2Settings,
  DEFAULT_HTTP2_LIMITS,
  type Http2Limits,
  type Http2Settings,
} from '../../server/common/http/http2/settings.ts';
import { HTTP2_CODEC_STATS } from '../../server/common/stats/families/codec.ts';
import type { Http2ProtocolOptions } from '../../xds-protos/generated/envoy/config/core/v3.ts';
import { FakeStatStore } from './factory_context.ts';
import { describeFrame, FrameParser, greeting, settings as settingsFrame } from './http2_frames.ts';
import { feedInPieces, type Message, MessageRecorder } from './message_recorder.ts';

/** No frame begins with it. */
export const PADDING = 0xa5;

export function http2Settings(
  options: Partial<Http2ProtocolOptions> = {},
  limits: Partial<Http2Limits> = {},
): Http2Settings {
  return compileHttp2Settings(
    options as Http2ProtocolOptions,
    { ...DEFAULT_HTTP2_LIMITS, ...limits },
    'http2_protocol_options',
  );
}

/** Keeps what is written. */
export class MemorySink implements ByteSink, WritableRegion {
  buffer: Buffer<ArrayBuffer> = Buffer.alloc(1024);
  end = 0;
  private taken = 0;
  private stuckAt = Number.POSITIVE_INFINITY;

  writeLatin1(): never {
    throw new Error('HTTP/2 writes bytes');
  }
  writeBytes(): never {
    throw new Error('HTTP/2 writes into regions');
  }
  reserve(length: number): WritableRegion {
    if (this.end + length > this.buffer.length) {
      const bigger = Buffer.alloc((this.end + length) * 2);
      this.buffer.copy(bigger, 0, 0, this.end);
      this.buffer = bigger;
    }
    return this;
  }
  get wireBytesSent(): number {
    return this.taken + this.end;
  }
  get unsentBytes(): number {
    return Math.max(this.end, this.wireBytesSent - this.stuckAt);
  }
  /** From now on the peer reads nothing. */
  stick(): void {
    this.stuckAt = this.wireBytesSent;
  }
  /** What was written since the last call: the end of a turn of the event loop. */
  take(): Buffer {
    const bytes = Buffer.from(this.buffer.subarray(0, this.end));
    this.taken += this.end;
    this.end = 0;
    return bytes;
  }
}

/** What the recorders of both sides have in common: what was sent, what went wrong, and the stats. */
abstract class ConnectionRecorder {
  readonly sink = new MemorySink();
  readonly store = new FakeStatStore();
  abstract readonly codec: Http2ServerConnection | Http2ClientConnection;
  abstract readonly sent: FrameParser;
  error: CodecError | undefined = undefined;
  goAways = 0;

  onCodecError(error: CodecError): void {
    if (this.error !== undefined) throw new Error('a second codec error');
    this.error = error;
  }
  onGoAway(): void {
    this.goAways++;
  }
  feed(...pieces: readonly Uint8Array[]): this {
    for (const bytes of pieces) {
      feedInPieces(this.codec, bytes, [], PADDING);
      this.flush();
    }
    return this;
  }
  flush(): void {
    this.sent.add(this.sink.take());
  }
  /** Frames sent, in words; SETTINGS and the connection's first WINDOW_UPDATE are left out. */
  get answersSent(): string[] {
    this.flush();
    return this.sent.frames
      .slice(2)
      .filter(({ type }) => type !== 'SETTINGS')
      .map(describeFrame);
  }
  stat(name: string): number {
    return this.store.value(`http2.${name}`);
  }
}

class RequestRecorder extends MessageRecorder implements RequestDecoder {
  readonly encoder: ResponseEncoder;
  private readonly server: ServerRecorder;

  constructor(server: ServerRecorder, encoder: ResponseEncoder) {
    super();
    this.server = server;
    this.encoder = encoder;
  }
  onRequestHeaders(headers: RequestHeaderMap, endStream: boolean): void {
    const { method, scheme, host, path, protocol } = headers;
    this.message.line = `${method} ${scheme}://${host ?? '(none)'}${path}${protocol === undefined ? '' : ' ' + protocol}`;
    this.message.headers = [...headers.list];
    if (endStream) this.complete();
  }
  onRequestTrailers(trailers: HeaderMap): void {
    this.trailers(trailers);
  }
  protected override complete(): void {
    super.complete();
    this.server.onComplete(this);
  }
}

/** A server codec that answers each complete request with its body, unless told not to. */
export class ServerRecorder extends ConnectionRecorder implements ServerConnectionCallbacks {
  readonly requests: RequestRecorder[] = [];
  readonly codec: Http2ServerConnection;
  readonly sent = new FrameParser();
  closed = false;
  answers = true;

  constructor(settings: Http2Settings = http2Settings()) {
    super();
    this.codec = new Http2ServerConnection(
      this.sink,
      this,
      settings,
      this.store.block(HTTP2_CODEC_STATS, 'http2.'),
    );
  }

  get messages(): Message[] {
    return this.requests.map(({ message }) => message);
  }
  newStream(encoder: ResponseEncoder): RequestDecoder {
    const recorder = new RequestRecorder(this, encoder);
    this.requests.push(recorder);
    return recorder;
  }
  onComplete(request: RequestRecorder): void {
    if (!this.answers) return;
    const { encoder, message } = request;
    const body = Buffer.from(message.body, 'latin1');
    encoder.encodeHeaders(new ResponseHeaders(200, ['x-path', message.line]), false);
    encoder.encodeData(body, 0, body.length, message.trailers === undefined);
    if (message.trailers !== undefined) encoder.encodeTrailers(new Trailers(message.trailers));
  }
  closeConnection(): void {
    this.closed = true;
  }

  /** The preface and SETTINGS of a client, then `frames`; the peer reads what is sent in between. */
  greet(parameters: readonly (readonly [number, number])[] = []): this {
    return this.feed(greeting(parameters));
  }
}

class ResponseRecorder extends MessageRecorder implements ResponseDecoder {
  encoder!: RequestEncoder;

  onInformationalHeaders(headers: ResponseHeaderMap): void {
    (this.message.informational ??= []).push(`${headers.status} ${headers.list.join(' ')}`.trim());
  }
  onResponseHeaders(headers: ResponseHeaderMap, endStream: boolean): void {
    this.message.line = String(headers.status);
    this.message.headers = [...headers.list];
    if (endStream) this.complete();
  }
  onResponseTrailers(trailers: HeaderMap): void {
    this.trailers(trailers);
  }
}

/** A client codec and the responses to its requests. */
export class ClientRecorder extends ConnectionRecorder {
  readonly responses: ResponseRecorder[] = [];
  readonly codec: Http2ClientConnection;
  readonly sent = new FrameParser(true);
  closedStreams = 0;
  readonly maxStreams: number[] = [];

  constructor(settings: Http2Settings = http2Settings()) {
    super();
    this.codec = new Http2ClientConnection(
      this.sink,
      this,
      settings,
      this.store.block(HTTP2_CODEC_STATS, 'http2.'),
    );
  }

  get messages(): Message[] {
    return this.responses.map(({ message }) => message);
  }
  /** Begins a request. With `body` undefined it ends with its head; null leaves it open. */
  request(
    method = 'GET',
    list: string[] = [],
    body: string | null | undefined = undefined,
  ): ResponseRecorder {
    const recorder = new ResponseRecorder();
    recorder.encoder = this.codec.newStream(recorder);
    this.responses.push(recorder);
    const path = method === 'CONNECT' ? '' : '/';
    recorder.encoder.encodeHeaders(new RequestHeaders(method, path, 'a', 'http', list), body === undefined);
    if (typeof body === 'string') {
      const bytes = Buffer.from(body, 'latin1');
      recorder.encoder.encodeData(bytes, 0, bytes.length, true);
    }
    return recorder;
  }
  onMaxStreamsChanged(streams: number): void {
    this.maxStreams.push(streams);
  }
  onStreamClosed(): void {
    this.closedStreams++;
  }
  greet(parameters: readonly (readonly [number, number])[] = []): this {
    return this.feed(settingsFrame(parameters));
  }
}

/** Passes bytes between two codecs until neither has anything to say. */
export function converse(
  client: ClientRecorder,
  server: ServerRecorder,
  sizes: readonly number[] = [],
): void {
  for (let i = 0; i < 10_000; i++) {
    const request = client.sink.take();
    const response = server.sink.take();
    if (request.length === 0 && response.length === 0) return;
    client.sent.add(request);
    server.sent.add(response);
    feedInPieces(server.codec, request, sizes, PADDING);
    feedInPieces(client.codec, response, sizes, PADDING);
  }
  throw new Error('they do not stop talking');
}
