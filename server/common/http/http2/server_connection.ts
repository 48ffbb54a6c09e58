// The downstream side of HTTP/2: requests in, many at a time.
// Envoy: ServerConnectionImpl in source/common/http/http2/codec_impl.cc.

import type { ByteSink, ServerConnection, ServerConnectionCallbacks } from '../../../api/http/codec.ts';
import type { StatBlock } from '../../../api/stats.ts';
import { HTTP2_CODEC_STATS } from '../../stats/families/codec.ts';
import { RequestHeaders } from '../header_map.ts';
import { Http2Connection } from './connection.ts';
import { LARGEST_STREAM_ID, NO_ERROR, PROTOCOL_ERROR, REFUSED_STREAM, STREAM_CLOSED } from './frame.ts';
import { MESSAGING_RULE, messageReader, overflowFault } from './message_reader.ts';
import { Http2ServerStream } from './server_stream.ts';
import type { Http2Settings } from './settings.ts';
import { toUpgradeRequest } from './upgrade.ts';

const STAT = HTTP2_CODEC_STATS.offset;

export class Http2ServerConnection extends Http2Connection<Http2ServerStream> implements ServerConnection {
  private readonly callbacks: ServerConnectionCallbacks;
  private lastStream = 0;
  /** Of the GOAWAY that refuses later streams. */
  private lastAllowedStream = LARGEST_STREAM_ID;
  private goAwayRaised = false;

  /**
   * `stats` is a block of HTTP2_CODEC_STATS. SETTINGS are written at once. `callbacks.onCodecError` may come at any time, also
   * while nothing is dispatched (a flood of outbound frames); GOAWAY is written by then.
   */
  constructor(
    sink: ByteSink,
    callbacks: ServerConnectionCallbacks,
    settings: Http2Settings,
    stats: StatBlock,
  ) {
    super(sink, callbacks, settings, stats, true);
    this.callbacks = callbacks;
  }

  goAway(): void {
    this.lastAllowedStream = Math.min(this.lastAllowedStream, this.lastStream);
    this.writer.goAway(this.lastAllowedStream, NO_ERROR);
    this.count(STAT.goaway_sent, 1);
  }

  shutdownNotice(): void {
    this.writer.goAway(LARGEST_STREAM_ID, NO_ERROR);
  }

  /** The connection manager tells its streams of the connection's watermarks itself. */
  onUnderlyingConnectionAboveWriteBufferHighWatermark(): void {}
  onUnderlyingConnectionBelowWriteBufferLowWatermark(): void {}

  onConnectionClosed(): void {
    this.stop();
    for (const stream of [...this.streams.values()]) stream.close();
  }

  protected override get lastPeerStream(): number {
    return Math.min(this.lastStream, this.lastAllowedStream);
  }

  protected override isIdle(id: number): boolean {
    return id > this.lastStream || (id & 1) === 0;
  }

  protected override onStreamClosed(): void {
    if (this.reading) this.callbacks.onStreamClosed?.();
  }

  protected override onPeerMaxConcurrentStreams(): void {
    // Limits pushed streams, which we never make.
  }

  protected override onGoAwayFrame(): void {
    if (this.goAwayRaised) return;
    this.goAwayRaised = true;
    this.callbacks.onGoAway();
  }

  protected override onHeaderBlock(
    id: number,
    endStream: boolean,
    bytes: Uint8Array,
    start: number,
    end: number,
    wireBytes: number,
  ): void {
    if (!this.decodeBlock(bytes, start, end)) return;
    const stream = this.streams.get(id);
    if (stream !== undefined) {
      stream.wireBytesReceived += wireBytes;
      stream.headerBytesReceived += wireBytes;
      this.onTrailers(stream, endStream);
    } else if (id <= this.lastStream || (id & 1) === 0) {
      if ((id & 1) === 0) this.connectionError(PROTOCOL_ERROR, 'HEADERS on a stream of ours');
      else this.onFrameOfNoStream(id);
    } else {
      this.lastStream = id;
      if (id <= this.lastAllowedStream) this.onRequest(id, endStream, wireBytes);
      // The peer learns from the GOAWAY that nothing was done. What follows on the stream is ignored.
      else this.resetStreams.add(id);
    }
  }

  private onRequest(id: number, endStream: boolean, wireBytes: number): void {
    if (this.streams.size >= this.settings.maxConcurrentStreams) {
      this.count(STAT.stream_refused_errors, 1);
      this.sendReset(id, REFUSED_STREAM);
      return;
    }
    const headers = new RequestHeaders();
    const fault = overflowFault() ?? messageReader.readRequest(headers, this.settings, this.stats);
    const stream = new Http2ServerStream(this, id);
    stream.contentLength = messageReader.contentLength;
    stream.wireBytesReceived = wireBytes;
    stream.headerBytesReceived = wireBytes;
    this.addStream(stream);
    stream.decoder = this.callbacks.newStream(stream);
    if (stream.closed) return;
    if (fault !== undefined) {
      this.onFault(stream, fault);
      return;
    }
    stream.isUpgrade = toUpgradeRequest(headers);
    if (endStream && !stream.receiveEnd()) this.onFault(stream, MESSAGING_RULE);
    else stream.decoder?.onRequestHeaders(headers, endStream);
  }

  private onTrailers(stream: Http2ServerStream, endStream: boolean): void {
    if (stream.remoteEnd) {
      this.streamError(stream, STREAM_CLOSED, 'ProtocolError', MESSAGING_RULE);
      return;
    }
    this.count(STAT.trailers, 1);
    const fault = stream.receiveTrailers(endStream);
    if (fault !== undefined) this.onFault(stream, fault);
  }
}
