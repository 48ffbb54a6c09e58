// Drives the HTTP/1 codecs without sockets and writes down what they report. Body pieces that follow one another are joined,
// so that two ways of cutting the same bytes can be compared.

import type {
  ByteSink,
  CodecError,
  RequestDecoder,
  ResponseDecoder,
  ResponseEncoder,
  ServerConnectionCallbacks,
} from '../../server/api/http/codec.ts';
import type { HeaderMap, RequestHeaderMap, ResponseHeaderMap } from '../../server/api/http/header_map.ts';
import { RequestHeaders, ResponseHeaders } from '../../server/common/http/header_map.ts';
import { Http1ClientConnection } from '../../server/common/http/http1/client_connection.ts';
import type { Http1CodecStats } from '../../server/common/http/http1/message_head.ts';
import { Http1ServerConnection } from '../../server/common/http/http1/server_connection.ts';
import {
  compileHttp1Settings,
  compilePreserveCase,
  DEFAULT_REQUEST_LIMITS,
  DEFAULT_RESPONSE_LIMITS,
  type Http1Limits,
  type Http1ProtocolOptionsConfig,
  type Http1Settings,
} from '../../server/common/http/http1/settings.ts';
import { feedInPieces, type Message, MessageRecorder } from './message_recorder.ts';

/** What would end a line if it were read. */
const LINE_FEED = 10;

export function settings(
  config: Http1ProtocolOptionsConfig = {},
  limits: Partial<Http1Limits> = {},
): Http1Settings {
  return compileHttp1Settings(config, { ...DEFAULT_REQUEST_LIMITS, ...limits }, '', () =>
    compilePreserveCase({}),
  );
}

export function responseSettings(
  config: Http1ProtocolOptionsConfig = {},
  limits: Partial<Http1Limits> = {},
): Http1Settings {
  return settings(config, { ...DEFAULT_RESPONSE_LIMITS, ...limits });
}

export class TextSink implements ByteSink {
  text = '';
  readonly unsentBytes = 0;
  get wireBytesSent(): number {
    return this.text.length;
  }
  writeLatin1(text: string): void {
    this.text += text;
  }
  writeBytes(bytes: Uint8Array): void {
    this.text += Buffer.from(bytes).toString('latin1');
  }
  reserve(): never {
    throw new Error('HTTP/1 writes text');
  }
}

class RequestRecorder extends MessageRecorder implements RequestDecoder {
  private readonly encoder: ResponseEncoder;
  private readonly server: ServerRecorder;
  constructor(server: ServerRecorder, encoder: ResponseEncoder) {
    super();
    this.server = server;
    this.encoder = encoder;
  }
  onRequestHeaders(headers: RequestHeaderMap, endStream: boolean): void {
    const { method, scheme, host, path } = headers;
    this.message.line = `${method} ${scheme === '' ? '' : scheme + '://'}${host ?? '(none)'} ${path}`;
    this.message.headers = [...headers.list];
    this.server.lastHeaders = headers;
    if (endStream) this.complete();
  }
  onRequestTrailers(trailers: HeaderMap): void {
    this.trailers(trailers);
  }
  protected override complete(): void {
    super.complete();
    if (this.server.answers) this.encoder.encodeHeaders(new ResponseHeaders(200), true);
  }
}

/** A server codec that answers each complete request at once (unless told not to). */
export class ServerRecorder implements ServerConnectionCallbacks {
  readonly sink = new TextSink();
  readonly messages: Message[] = [];
  readonly codec: Http1ServerConnection;
  error: CodecError | undefined = undefined;
  readDisabled = 0;
  closed = false;
  answers = true;
  encoder!: ResponseEncoder;
  lastHeaders!: RequestHeaderMap;

  constructor(codecSettings: Http1Settings = settings(), stats?: Http1CodecStats) {
    this.codec = new Http1ServerConnection(this.sink, this, codecSettings, stats);
  }
  newStream(encoder: ResponseEncoder): RequestDecoder {
    this.encoder = encoder;
    const recorder = new RequestRecorder(this, encoder);
    this.messages.push(recorder.message);
    return recorder;
  }
  onCodecError(error: CodecError): void {
    if (this.error !== undefined) throw new Error('a second codec error');
    this.error = error;
  }
  onGoAway(): void {}
  readDisable(disable: boolean): void {
    this.readDisabled += disable ? 1 : -1;
  }
  closeConnection(): void {
    this.closed = true;
  }
  /** Feeds latin1 text in pieces of the given sizes (repeated; none: all at once), each in a buffer that is overwritten afterwards. */
  feed(text: string, sizes: readonly number[] = []): this {
    feedInPieces(this.codec, Buffer.from(text, 'latin1'), sizes, LINE_FEED);
    return this;
  }
}

class ResponseRecorder extends MessageRecorder implements ResponseDecoder {
  readonly informational: string[] = [];
  onInformationalHeaders(headers: ResponseHeaderMap): void {
    this.informational.push(`${headers.status} ${headers.list.join(' ')}`.trim());
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

/** A client codec that has sent one request. */
export class ClientRecorder {
  readonly sink = new TextSink();
  readonly codec: Http1ClientConnection;
  readonly response = new ResponseRecorder();
  error: CodecError | undefined = undefined;

  constructor(method = 'GET', headers: string[] = [], codecSettings: Http1Settings = responseSettings()) {
    this.codec = new Http1ClientConnection(this.sink, this, codecSettings);
    const upgrade = headers.includes('upgrade') || method === 'CONNECT';
    const path = method === 'CONNECT' ? '' : '/';
    this.codec
      .newStream(this.response)
      .encodeHeaders(new RequestHeaders(method, path, 'a', '', headers), !upgrade);
  }
  onCodecError(error: CodecError): void {
    if (this.error !== undefined) throw new Error('a second codec error');
    this.error = error;
  }
  onGoAway(): void {}
  onMaxStreamsChanged(): void {}
  feed(text: string, sizes: readonly number[] = []): this {
    feedInPieces(this.codec, Buffer.from(text, 'latin1'), sizes, LINE_FEED);
    return this;
  }
}
