// A request that came, and the response to it.
// Envoy: ServerStreamImpl in source/common/http/http2/codec_impl.cc.

import type {
  DataReceiver,
  RequestDecoder,
  ResponseEncoder,
  StreamResetReason,
} from '../../../api/http/codec.ts';
import type { ResponseHeaderMap } from '../../../api/http/header_map.ts';
import { Trailers } from '../header_map.ts';
import { MESSAGING_RULE, messageReader, overflowFault } from './message_reader.ts';
import { Http2Stream } from './stream.ts';

/** `:status` of each code, as text. */
const STATUS_TEXT: string[] = [];
for (let status = 100; status < 1000; status++) STATUS_TEXT[status] = String(status);

export class Http2ServerStream extends Http2Stream implements ResponseEncoder {
  /** Undefined before there is one, and once it has nothing more to hear. */
  decoder: RequestDecoder | undefined = undefined;
  /** The request was an extended CONNECT that the proxy sees as an upgrade. */
  isUpgrade = false;
  readonly headersReceived = true;

  protected override get receiver(): DataReceiver | undefined {
    return this.decoder;
  }

  setRequestDecoder(decoder: RequestDecoder): void {
    this.decoder = decoder;
  }

  /** Trailers have come; they are in `decodedBlock`. Returns what is wrong with them, or undefined. */
  receiveTrailers(endStream: boolean): string | undefined {
    if (!endStream) return MESSAGING_RULE;
    const trailers = new Trailers();
    const fault = overflowFault() ?? messageReader.readTrailers(trailers);
    if (fault !== undefined) return fault;
    if (!this.lengthFits(true)) return MESSAGING_RULE;
    const { decoder } = this;
    this.onRemoteEnd();
    decoder?.onRequestTrailers(trailers);
    return undefined;
  }

  /** The request ends with its head. False when Content-Length says otherwise. */
  receiveEnd(): boolean {
    if (!this.lengthFits(true)) return false;
    this.onRemoteEnd();
    return true;
  }

  encodeInformationalHeaders(headers: ResponseHeaderMap): void {
    this.encodeHead(headers, headers.status, false);
  }

  encodeHeaders(headers: ResponseHeaderMap, endStream: boolean): void {
    const status = this.isUpgrade && headers.status === 101 ? 200 : headers.status;
    this.encodeHead(headers, status, endStream);
  }

  private encodeHead(headers: ResponseHeaderMap, status: number, endStream: boolean): void {
    if (this.closed || this.localEnd) return;
    const { writer } = this.connection;
    const { list } = headers;
    writer.beginHeaders(list, 10, 1);
    writer.encoder.field(':status', STATUS_TEXT[status] ?? String(status));
    this.encodeList(list);
    this.countHeaderBytes(writer.endHeaders(this.id, endStream));
    if (endStream) this.finishLocal();
  }

  /** An owner who has said all lets the rest go out. */
  override resetStream(reason: StreamResetReason): void {
    this.decoder = undefined;
    if (this.localEnd && this.hasPendingData && reason !== 'OverloadManager') return;
    super.resetStream(reason);
  }

  protected override finishLocal(): void {
    const { callbacks } = this;
    this.decoder = undefined;
    this.callbacks = undefined;
    super.finishLocal();
    callbacks?.onCodecEncodeComplete?.();
  }

  protected override onLocalEndSent(): void {
    this.connection.endUnreadRequest(this);
  }

  override raiseReset(reason: StreamResetReason, details: string): void {
    const { decoder } = this;
    this.decoder = undefined;
    decoder?.onResetStream(reason, details);
  }
}
