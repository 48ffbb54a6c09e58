// Writes responses. One object serves all requests of its connection, one after the other.
// Envoy: ResponseEncoderImpl in source/common/http/http1/codec_impl.cc.

import type { ByteSink, RequestDecoder, ResponseEncoder } from '../../../api/http/codec.ts';
import type { ResponseHeaderMap } from '../../../api/http/header_map.ts';
import { hasToken, reasonPhrase } from '../headers.ts';
import { type EncoderOwner, MessageEncoder } from './message_encoder.ts';
import type { Http1Settings } from './settings.ts';

interface ResponseOwner extends EncoderOwner {
  onResponseComplete(closing: boolean): void;
  setRequestDecoder(decoder: RequestDecoder): void;
}

/** `HTTP/1.1 200 OK` by status. */
const statusLines: string[] = [];

export class Http1ResponseEncoder extends MessageEncoder implements ResponseEncoder {
  /** Set when the connection is to end with a response. */
  closeAfterResponse = false;
  private readonly connection: ResponseOwner;
  private http10 = false;
  private isHead = false;
  private isConnect = false;
  private closing = false;
  private active = false;

  constructor(sink: ByteSink, connection: ResponseOwner, settings: Http1Settings) {
    super(sink, connection, settings);
    this.connection = connection;
  }

  setRequestDecoder(decoder: RequestDecoder): void {
    this.connection.setRequestDecoder(decoder);
  }

  /** The next response answers a request of this method (`''` if unknown) and version. */
  begin(method: string, http10: boolean): void {
    this.http10 = http10;
    this.isHead = method === 'HEAD';
    this.isConnect = method === 'CONNECT';
    this.chunked = false;
    this.closing = false;
    this.active = true;
  }

  encodeInformationalHeaders(headers: ResponseHeaderMap): void {
    this.sink.writeLatin1(this.statusLine(headers) + this.headerLines(headers) + '\r\n\r\n');
  }

  encodeHeaders(headers: ResponseHeaderMap, endStream: boolean): void {
    const framing = this.frame(headers, endStream);
    const connection = headers.get('connection');
    let close = '';
    if (connection !== undefined) {
      this.closing = connection === 'close' || hasToken(connection, 'close');
    } else if (this.closeAfterResponse) {
      this.closing = true;
      close = this.line(headers, 'connection', 'close');
    }
    this.sink.writeLatin1(
      this.statusLine(headers) + this.headerLines(headers) + framing + close + '\r\n\r\n',
    );
    if (endStream) {
      if (this.chunked) this.sink.writeLatin1('0\r\n\r\n');
      this.onComplete();
    }
  }

  /** Decides how the body is delimited (RFC 9112 6) and returns the header line that says so. */
  private frame(headers: ResponseHeaderMap, endStream: boolean): string {
    this.chunked = false;
    const status = headers.status;
    const connected = this.isConnect && status < 300;
    if (status < 200 || status === 204 || connected || headers.get('content-length') !== undefined) return '';
    if (endStream && !this.isHead) {
      return status === 304 ? '' : this.line(headers, 'content-length', '0');
    }
    // HTTP/1.0 knows no chunks: the body ends with the connection.
    if (this.http10) return '';
    // What a HEAD announces is what a GET would get, as far as we know.
    this.chunked = !this.isHead;
    return this.line(headers, 'transfer-encoding', 'chunked');
  }

  private statusLine(headers: ResponseHeaderMap): string {
    const reason = headers.formatter?.reasonPhrase;
    const version = this.http10 ? 'HTTP/1.0 ' : 'HTTP/1.1 ';
    if (reason !== undefined) return version + headers.status + ' ' + reason;
    if (this.http10) return version + headers.status + ' ' + reasonPhrase(headers.status);
    return (statusLines[headers.status] ??= version + headers.status + ' ' + reasonPhrase(headers.status));
  }

  protected override onComplete(): void {
    if (!this.active) return;
    this.active = false;
    this.connection.onResponseComplete(this.closing);
  }
}
