// The downstream side of HTTP/1: requests in, one at a time; a pipelined request waits until the one before is answered.
// Envoy: ServerConnectionImpl in source/common/http/http1/codec_impl.cc.

import type {
  ByteSink,
  CodecError,
  RequestDecoder,
  ServerConnection,
  ServerConnectionCallbacks,
} from '../../../api/http/codec.ts';
import { copyBytes } from '../../buffer/copy_bytes.ts';
import { HTTP1_CODEC_STATS } from '../../stats/families/codec.ts';
import { RequestHeaders, type Trailers } from '../header_map.ts';
import { TOKEN } from '../header_names.ts';
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
import { sanitizeConnectionHeader } from './connection_header.ts';
import {
  BODY_DISALLOWED,
  CONTENT_LENGTH_AND_CHUNKED,
  INVALID_AUTHORITY,
  INVALID_METHOD,
  INVALID_TRANSFER_ENCODING,
  LOW_VERSION,
  PIPELINE_OVERFLOW,
} from './errors.ts';
import { headScanner } from './head_scanner.ts';
import { count, type Http1CodecStats } from './message_head.ts';
import { applyTarget, isValidAuthority, knownMethod } from './request_target.ts';
import { Http1ResponseEncoder } from './response_encoder.ts';
import { type Http1Settings, newMessageFormatter } from './settings.ts';
import { isTunnelUpgrade } from './upgrade.ts';

/** Pipelined bytes kept while a request is answered. Reading stops at the first, so this only bounds what was under way. */
const MAX_PIPELINED_BYTES = 1024 * 1024;

const { response_flood } = HTTP1_CODEC_STATS.offset;

const NO_BYTES = new Uint8Array(0);

export class Http1ServerConnection extends Http1Connection implements ServerConnection {
  protocol: 'HTTP/1.0' | 'HTTP/1.1' = 'HTTP/1.1';
  protected override readonly skipsEmptyLines = true;
  private readonly callbacks: ServerConnectionCallbacks;
  private readonly encoder: Http1ResponseEncoder;
  /** Of the request whose response is not complete yet. */
  private decoder: RequestDecoder | undefined = undefined;
  private pipelined: Uint8Array | undefined = undefined;
  private parsing = false;

  /**
   * `callbacks.readDisable` and `closeConnection` are called where they exist; see ServerConnectionCallbacks.
   * `stats` is the block of HTTP1_CODEC_STATS to count in.
   */
  constructor(
    sink: ByteSink,
    callbacks: ServerConnectionCallbacks,
    settings: Http1Settings,
    stats?: Http1CodecStats,
  ) {
    super(settings, stats);
    this.callbacks = callbacks;
    this.encoder = new Http1ResponseEncoder(sink, this, settings);
  }

  dispatch(bytes: Uint8Array, start: number, end: number): void {
    if (this.pipelined !== undefined) {
      this.keep(bytes, start, end);
      return;
    }
    this.parsing = true;
    const pos = this.parse(bytes, start, end);
    this.parsing = false;
    if (this.decoder === undefined && this.readingHead) this.beginStream('');
    if (pos < end) {
      this.callbacks.readDisable?.(true);
      this.keep(bytes, pos, end);
    }
  }

  /** True while the beginning of a request's head has arrived, but not all of it. */
  get readingHead(): boolean {
    return this.state === STATE_HEAD && !this.betweenMessages;
  }

  /** FIN ends a tunnel's direction; an incomplete request ends with a reset. One that waits for its answer is the owner's matter. */
  onHalfClose(): void {
    const decoder = this.decoder;
    if (decoder === undefined || this.state === STATE_COMPLETE || this.state === STATE_DISCARD) return;
    if (this.state === STATE_RAW) {
      this.state = STATE_COMPLETE;
      decoder.onData(NO_BYTES, 0, 0, true);
      return;
    }
    this.state = STATE_DISCARD;
    this.decoder = undefined;
    decoder.onResetStream('ConnectionTermination', 'downstream_remote_disconnect');
  }

  goAway(): void {
    this.encoder.closeAfterResponse = true;
  }

  /** HTTP/1 has no notice: `connection: close` on the last response is all it can say. */
  shutdownNotice(): void {}

  /** One stream at a time: its owner hears of the connection's watermarks directly. */
  onUnderlyingConnectionAboveWriteBufferHighWatermark(): void {}
  onUnderlyingConnectionBelowWriteBufferLowWatermark(): void {}

  /** For the encoder: the response was sent in full. */
  onResponseComplete(closing: boolean): void {
    this.decoder = undefined;
    if (this.state !== STATE_COMPLETE || closing) {
      // Answered early, or the last one: the connection manager closes, and nothing more is heard until it does.
      this.state = STATE_DISCARD;
      return;
    }
    this.state = STATE_HEAD;
    // Not now: the owner is in the middle of finishing this stream.
    if (this.pipelined !== undefined && !this.parsing) queueMicrotask(() => this.dispatchPipelined());
  }

  /** For the encoder. */
  setRequestDecoder(decoder: RequestDecoder): void {
    this.decoder = decoder;
  }

  /** For the encoder. */
  onLocalReset(): void {
    this.decoder = undefined;
    this.state = STATE_DISCARD;
    this.callbacks.closeConnection?.();
  }

  /** For the encoder. */
  readDisable(disable: boolean): void {
    this.callbacks.readDisable?.(disable);
  }

  private keep(bytes: Uint8Array, start: number, end: number): void {
    const kept = this.pipelined;
    if (kept !== undefined && kept.length + end - start > MAX_PIPELINED_BYTES) {
      count(this.stats, response_flood);
      this.state = STATE_DISCARD;
      this.pipelined = NO_BYTES;
      this.callbacks.onCodecError(PIPELINE_OVERFLOW);
      return;
    }
    if (this.state === STATE_DISCARD) return;
    this.pipelined =
      kept === undefined ? copyBytes(bytes, start, end) : Buffer.concat([kept, bytes.subarray(start, end)]);
  }

  private dispatchPipelined(): void {
    const bytes = this.pipelined;
    if (bytes === undefined) return;
    this.pipelined = undefined;
    this.dispatch(bytes, 0, bytes.length);
    this.callbacks.readDisable?.(false);
  }

  protected override mayBegin(byte: number): boolean {
    return TOKEN[byte] !== 0;
  }

  protected override scan(bytes: Uint8Array, start: number, end: number): number {
    return headScanner.scanRequest(bytes, start, end, this.settings.maxHeadersCount);
  }

  protected override onHead(bytes: Uint8Array, start: number, headEnd: number): void {
    const headers = new RequestHeaders();
    let error = this.readHead(headers, bytes, start, headEnd);
    const tunnel = headers.method === 'CONNECT' || isTunnelUpgrade(headers, this.settings);
    if (error === undefined && !tunnel) error = sanitizeConnectionHeader(headers);
    if (error !== undefined) {
      this.fail(error, headEnd);
      return;
    }
    const { contentLength, chunked } = this.head;
    const endStream = !tunnel && !chunked && contentLength <= 0;
    if (tunnel) {
      this.state = STATE_RAW;
    } else if (chunked) {
      this.chunks.reset();
      this.state = STATE_CHUNKED;
    } else if (endStream) {
      this.state = STATE_COMPLETE;
    } else {
      this.remaining = contentLength;
      this.state = STATE_LENGTH;
    }
    this.beginStream(headers.method).onRequestHeaders(headers, endStream);
  }

  /** A stream begins with its first byte, so that whoever takes too long for a head, or leaves in its middle, is seen. */
  private beginStream(method: string): RequestDecoder {
    this.encoder.begin(method, this.protocol === 'HTTP/1.0' && this.settings.acceptHttp10);
    return (this.decoder ??= this.callbacks.newStream(this.encoder));
  }

  private readHead(
    headers: RequestHeaders,
    bytes: Uint8Array,
    start: number,
    headEnd: number,
  ): CodecError | undefined {
    const settings = this.settings;
    const scanner = headScanner;
    const text = latin1(bytes, start, headEnd);
    const method = text.slice(0, scanner.methodEnd - start);
    const known = knownMethod(method);
    if (known === undefined && !settings.allowCustomMethods) return INVALID_METHOD;
    headers.method = known ?? method;
    const formatter = newMessageFormatter(settings);
    headers.formatter = formatter;
    let error = this.head.read(bytes, text, start, headers, headers, formatter);
    if (error !== undefined) return error;
    if (scanner.version !== 11 && !settings.acceptHttp10) return LOW_VERSION;
    this.protocol = scanner.version === 11 ? 'HTTP/1.1' : 'HTTP/1.0';
    if (this.protocol === 'HTTP/1.0') {
      if (headers.host === undefined && settings.defaultHostForHttp10 !== '') {
        headers.host = settings.defaultHostForHttp10;
      }
    }
    const target = text.slice(scanner.targetStart - start, scanner.targetEnd - start);
    error = applyTarget(headers, target, settings.allowAbsoluteUrl);
    if (error !== undefined) return error;
    if (headers.host !== undefined && !isValidAuthority(headers.host)) return INVALID_AUTHORITY;
    return this.checkFraming(headers);
  }

  private checkFraming(headers: RequestHeaders): CodecError | undefined {
    const head = this.head;
    if (headers.method === 'CONNECT') {
      if (head.contentLength > 0) return BODY_DISALLOWED;
      if (head.contentLength === 0) headers.remove('content-length');
      if (head.chunked) return INVALID_TRANSFER_ENCODING;
    } else if (head.chunked && head.contentLength >= 0) {
      if (!this.settings.allowChunkedLength) return CONTENT_LENGTH_AND_CHUNKED;
      headers.remove('content-length');
    }
    return undefined;
  }

  protected override onBody(bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    this.decoder?.onData(bytes, start, end, endStream);
  }

  protected override onTrailers(trailers: Trailers): void {
    this.decoder?.onRequestTrailers(trailers);
  }

  protected override onMessageComplete(): void {
    this.state = STATE_COMPLETE;
  }

  /** Errors before there is a stream get one, so that the connection manager can answer (and log) as for any other. */
  protected override onError(error: CodecError): void {
    if (this.decoder === undefined) this.beginStream('');
    this.callbacks.onCodecError(error);
  }
}
