// A request that is sent, and the response to it.
// Envoy: ClientStreamImpl in source/common/http/http2/codec_impl.cc.

import type {
  DataReceiver,
  RequestEncoder,
  ResponseDecoder,
  StreamResetReason,
} from '../../../api/http/codec.ts';
import type { RequestHeaderMap } from '../../../api/http/header_map.ts';
import { ResponseHeaders, Trailers } from '../header_map.ts';
import { isUpgrade } from '../headers.ts';
import type { Http2ClientConnection } from './client_connection.ts';
import { MESSAGING_RULE, messageReader, overflowFault } from './message_reader.ts';
import { Http2Stream } from './stream.ts';
import { toUpgradeResponse } from './upgrade.ts';

/** Bytes of the pseudo-headers' names together, and how many there are at most. */
const PSEUDO_NAME_BYTES = 7 + 7 + 10 + 5 + 9;
const PSEUDO_FIELDS = 5;

export class Http2ClientStream extends Http2Stream implements RequestEncoder {
  /** The final head has come. */
  headersReceived = false;
  private readonly client: Http2ClientConnection;
  private decoder: ResponseDecoder | undefined;
  private isHead = false;
  /** The protocol that the request upgrades to, '' for none. */
  private upgrade = '';

  constructor(connection: Http2ClientConnection, decoder: ResponseDecoder) {
    super(connection, 0);
    this.client = connection;
    this.decoder = decoder;
  }

  protected override get receiver(): DataReceiver | undefined {
    return this.decoder;
  }

  // ---- the request ---------------------------------------------------------------------------------------------------

  encodeHeaders(headers: RequestHeaderMap, endStream: boolean): void {
    if (this.closed || this.id !== 0) return;
    this.client.openStream(this);
    this.isHead = headers.method === 'HEAD';
    this.upgrade = isUpgrade(headers) ? (headers.get('upgrade') ?? '') : '';
    const { writer } = this.connection;
    const { list } = headers;
    writer.beginHeaders(list, this.pseudoBytes(headers), PSEUDO_FIELDS);
    this.encodePseudoHeaders(headers);
    this.encodeList(list);
    this.countHeaderBytes(writer.endHeaders(this.id, endStream));
    if (endStream) this.finishLocal();
  }

  private pseudoBytes(headers: RequestHeaderMap): number {
    return (
      PSEUDO_NAME_BYTES +
      Math.max(headers.method.length, 7) +
      headers.path.length +
      Math.max(headers.scheme.length, 4) +
      (headers.host ?? '').length +
      (headers.protocol ?? this.upgrade).length
    );
  }

  private encodePseudoHeaders(headers: RequestHeaderMap): void {
    const { encoder } = this.connection.writer;
    const protocol = this.upgrade !== '' ? this.upgrade : headers.protocol;
    const connect = protocol !== undefined;
    encoder.field(':method', connect ? 'CONNECT' : headers.method);
    if (headers.method !== 'CONNECT' || connect) {
      encoder.field(':scheme', headers.scheme === '' ? 'http' : headers.scheme);
      encoder.field(':path', headers.path);
    }
    if (headers.host !== undefined) encoder.field(':authority', headers.host);
    if (connect) encoder.field(':protocol', protocol);
  }

  // ---- the response --------------------------------------------------------------------------------------------------

  /** A head or trailers have come; they are in `decodedBlock`. Returns what is wrong with them, or undefined. */
  receiveHeaders(endStream: boolean): string | undefined {
    const overflow = overflowFault();
    if (overflow !== undefined) return overflow;
    return this.headersReceived ? this.receiveTrailers(endStream) : this.receiveHead(endStream);
  }

  private receiveHead(endStream: boolean): string | undefined {
    const headers = new ResponseHeaders();
    const fault = messageReader.readResponse(headers);
    if (fault !== undefined) return fault;
    if (headers.status < 200) {
      if (endStream) return MESSAGING_RULE;
      this.decoder?.onInformationalHeaders(headers);
      return undefined;
    }
    this.headersReceived = true;
    // These say how long the body would be, and have none.
    const bodyless = this.isHead || headers.status === 304;
    this.contentLength = bodyless || this.upgrade !== '' ? -1 : messageReader.contentLength;
    if (endStream && !this.lengthFits(true)) return MESSAGING_RULE;
    if (this.upgrade !== '') toUpgradeResponse(headers, this.upgrade);
    const { decoder } = this;
    if (endStream) this.onRemoteEnd();
    decoder?.onResponseHeaders(headers, endStream);
    return undefined;
  }

  private receiveTrailers(endStream: boolean): string | undefined {
    if (!endStream) return MESSAGING_RULE;
    const trailers = new Trailers();
    const fault = messageReader.readTrailers(trailers);
    if (fault !== undefined) return fault;
    if (!this.lengthFits(true)) return MESSAGING_RULE;
    const { decoder } = this;
    this.onRemoteEnd();
    decoder?.onResponseTrailers(trailers);
    return undefined;
  }

  protected override onRemoteEnd(): void {
    this.decoder = undefined;
    super.onRemoteEnd();
  }

  protected override onLocalEndSent(): void {
    // The response is still to come.
  }

  override resetStream(reason: StreamResetReason): void {
    this.decoder = undefined;
    super.resetStream(reason);
  }

  override raiseReset(reason: StreamResetReason, details: string): void {
    const { decoder } = this;
    this.decoder = undefined;
    decoder?.onResetStream(reason, details);
  }
}
