// The upstream side of HTTP/1: one request at a time, and its response.
// Envoy: ClientConnectionImpl in source/common/http/http1/codec_impl.cc.

import type {
  ByteSink,
  ClientConnection,
  ClientConnectionCallbacks,
  CodecError,
  RequestEncoder,
  ResponseDecoder,
} from '../../../api/http/codec.ts';
import { ResponseHeaders, type Trailers } from '../header_map.ts';
import { shouldCloseConnection } from '../headers.ts';
import {
  Http1Connection,
  latin1,
  STATE_CHUNKED,
  STATE_COMPLETE,
  STATE_DISCARD,
  STATE_HEAD,
  STATE_LENGTH,
  STATE_RAW,
} from './connection.ts';
import {
  CONTENT_LENGTH_AND_CHUNKED,
  CONTENT_LENGTH_NOT_ALLOWED,
  PREMATURE_RESPONSE,
  TRANSFER_ENCODING_NOT_ALLOWED,
  UNEXPECTED_EOF,
} from './errors.ts';
import { headScanner } from './head_scanner.ts';
import type { Http1CodecStats } from './message_head.ts';
import { Http1RequestEncoder } from './request_encoder.ts';
import { type Http1Settings, newMessageFormatter } from './settings.ts';

const NO_BYTES = new Uint8Array(0);
const CAPITAL_H = 72;

export class Http1ClientConnection extends Http1Connection implements ClientConnection {
  /** Of the last answer: what follows is spoken with a server of that version. */
  protocol: 'HTTP/1.0' | 'HTTP/1.1' = 'HTTP/1.1';
  protected override readonly skipsEmptyLines = false;
  private readonly callbacks: ClientConnectionCallbacks;
  private readonly encoder: Http1RequestEncoder;
  private decoder: ResponseDecoder | undefined = undefined;
  /** The last response said that the connection ends with it. */
  closeNotified = false;
  /** False once a message said or showed that the connection ends with it. */
  private persistent = true;

  /**
   * `callbacks.readDisable` and `closeConnection` are called where they exist; see ClientConnectionCallbacks.
   * `stats` is the block of HTTP1_CODEC_STATS to count in.
   */
  constructor(
    sink: ByteSink,
    callbacks: ClientConnectionCallbacks,
    settings: Http1Settings,
    stats?: Http1CodecStats,
  ) {
    super(settings, stats);
    this.callbacks = callbacks;
    this.encoder = new Http1RequestEncoder(sink, this, settings);
    this.state = STATE_COMPLETE;
  }

  /**
   * Whether another request may be sent: nothing is under way, and the last exchange left the connection in order. Already
   * true in the event that ends a response, so that the pool can reuse the connection there and then.
   */
  get reusable(): boolean {
    return this.persistent && this.state === STATE_COMPLETE && this.encoder.complete;
  }

  /** Only while `reusable`. */
  newStream(decoder: ResponseDecoder): RequestEncoder {
    this.decoder = decoder;
    this.state = STATE_HEAD;
    this.encoder.begin();
    return this.encoder;
  }

  dispatch(bytes: Uint8Array, start: number, end: number): void {
    if (this.state === STATE_DISCARD) return;
    const pos = this.parse(bytes, start, end);
    // Nobody asked for what is left. It must not become the answer to the next request.
    if (pos < end) this.fail(PREMATURE_RESPONSE, end);
  }

  onHalfClose(): void {
    const decoder = this.decoder;
    this.persistent = false;
    if (decoder === undefined) return;
    if (this.state === STATE_RAW && !this.encoder.isUpgrade) {
      this.state = STATE_COMPLETE;
      this.decoder = undefined;
      decoder.onData(NO_BYTES, 0, 0, true);
    } else if (this.state === STATE_RAW || this.betweenMessages) {
      // A tunnel has no end of its own either: it breaks off.
      this.state = STATE_DISCARD;
      this.decoder = undefined;
      decoder.onResetStream('ConnectionTermination', '');
    } else {
      this.fail(UNEXPECTED_EOF, 0);
    }
  }

  /** HTTP/1 cannot ask a server to go away: the connection is just not used again. */
  goAway(): void {
    this.persistent = false;
  }

  /** For the encoder. */
  onLocalReset(): void {
    this.decoder = undefined;
    this.persistent = false;
    this.state = STATE_DISCARD;
    this.callbacks.closeConnection?.();
  }

  /** For the encoder. */
  readDisable(disable: boolean): void {
    this.callbacks.readDisable?.(disable);
  }

  protected override mayBegin(byte: number): boolean {
    return byte === CAPITAL_H;
  }

  protected override scan(bytes: Uint8Array, start: number, end: number): number {
    return headScanner.scanResponse(bytes, start, end, this.settings.maxHeadersCount);
  }

  protected override onHead(bytes: Uint8Array, start: number, headEnd: number, hasMore: boolean): void {
    const decoder = this.decoder as ResponseDecoder;
    const headers = new ResponseHeaders(headScanner.status);
    const http10 = headScanner.version < 11;
    const error = this.readHead(headers, bytes, start, headEnd);
    if (error !== undefined) {
      this.fail(error, headEnd);
      return;
    }
    const status = headers.status;
    if (status < 200 && status !== 101) {
      decoder.onInformationalHeaders(headers);
      return;
    }
    this.protocol = http10 ? 'HTTP/1.0' : 'HTTP/1.1';
    this.closeNotified = shouldCloseConnection(http10, headers);
    if (this.closeNotified) this.persistent = false;
    const endStream = this.frameBody(status);
    if (endStream) {
      this.onMessageComplete(hasMore);
      this.decoder = undefined;
    }
    decoder.onResponseHeaders(headers, endStream);
  }

  private readHead(
    headers: ResponseHeaders,
    bytes: Uint8Array,
    start: number,
    headEnd: number,
  ): CodecError | undefined {
    const text = latin1(bytes, start, headEnd);
    const formatter = newMessageFormatter(this.settings);
    if (formatter !== undefined) {
      headers.formatter = formatter;
      if (this.settings.preserveCase?.forwardReasonPhrase) {
        formatter.reasonPhrase = text.slice(headScanner.reasonStart - start, headScanner.reasonEnd - start);
      }
    }
    const head = this.head;
    const error = head.read(bytes, text, start, headers, undefined, formatter);
    if (error !== undefined) return error;
    const status = headers.status;
    if (status < 200 || status === 204) {
      if (head.chunked) return TRANSFER_ENCODING_NOT_ALLOWED;
      if (head.contentLength > 0) return CONTENT_LENGTH_NOT_ALLOWED;
      if (head.contentLength === 0) headers.remove('content-length');
    } else if (head.chunked && head.contentLength >= 0) {
      if (!this.settings.allowChunkedLength) return CONTENT_LENGTH_AND_CHUNKED;
      headers.remove('content-length');
    }
    return undefined;
  }

  /** Sets the state for the body that follows (RFC 9112 6.3). True when there is none. */
  private frameBody(status: number): boolean {
    const { contentLength, chunked } = this.head;
    const encoder = this.encoder;
    if ((status === 101 && encoder.isUpgrade) || (status < 300 && encoder.isConnect)) {
      this.persistent = false;
      this.state = STATE_RAW;
      return false;
    }
    // A 101 that nobody asked for leaves the peer in a state we do not know.
    if (status === 101) this.persistent = false;
    if (encoder.isHead || status === 101 || status === 204 || status === 304 || contentLength === 0)
      return true;
    if (chunked) {
      this.chunks.reset();
      this.state = STATE_CHUNKED;
    } else if (contentLength > 0) {
      this.remaining = contentLength;
      this.state = STATE_LENGTH;
    } else {
      this.persistent = false;
      this.state = STATE_RAW;
    }
    return false;
  }

  protected override onBody(bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    const decoder = this.decoder;
    // The pool may begin the next request from within the last event.
    if (endStream) this.decoder = undefined;
    decoder?.onData(bytes, start, end, endStream);
  }

  protected override onTrailers(trailers: Trailers): void {
    const decoder = this.decoder;
    this.decoder = undefined;
    decoder?.onResponseTrailers(trailers);
  }

  protected override onMessageComplete(hasMore: boolean): void {
    this.state = STATE_COMPLETE;
    if (hasMore) this.persistent = false;
  }

  /** The pool hears of it first: a retry from within the stream's reset must not find this connection usable. */
  protected override onError(error: CodecError): void {
    const decoder = this.decoder;
    this.decoder = undefined;
    this.persistent = false;
    this.callbacks.onCodecError(error);
    decoder?.onResetStream('ProtocolError', error.responseCodeDetails);
  }
}
