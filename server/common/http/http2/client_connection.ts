// The upstream side of HTTP/2: requests out, many at a time.
// Envoy: ClientConnectionImpl in source/common/http/http2/codec_impl.cc.

import type {
  ByteSink,
  ClientConnection,
  ClientConnectionCallbacks,
  RequestEncoder,
  ResponseDecoder,
  StreamResetReason,
} from '../../../api/http/codec.ts';
import type { StatBlock } from '../../../api/stats.ts';
import { HTTP2_CODEC_STATS } from '../../stats/families/codec.ts';
import { Http2ClientStream } from './client_stream.ts';
import { Http2Connection } from './connection.ts';
import { REMOTE_REFUSE } from './errors.ts';
import { LARGEST_STREAM_ID, NO_ERROR, PROTOCOL_ERROR, STREAM_CLOSED } from './frame.ts';
import { MESSAGING_RULE } from './message_reader.ts';
import type { Http2Settings } from './settings.ts';

const STAT = HTTP2_CODEC_STATS.offset;

/**
 * What the pool must know: `onMaxStreamsChanged` says how many streams the peer allows now (never more than our own setting);
 * `onGoAway` comes once, before the streams that the peer did not process are reset with `RemoteRefusedStreamReset` (they may
 * be retried elsewhere), and no stream may be made after it; `onStreamClosed` says that there is room for another.
 * A response may end before its request: the owner then goes on sending, or resets the stream. After `onCodecError` the owner
 * closes the connection, and after any close it calls `onConnectionClosed`.
 */
export class Http2ClientConnection extends Http2Connection<Http2ClientStream> implements ClientConnection {
  private readonly callbacks: ClientConnectionCallbacks;
  private nextStream = 1;
  /** Streams that have not sent their headers. */
  private readonly starting = new Set<Http2ClientStream>();
  private peerMaxConcurrentStreams = Number.POSITIVE_INFINITY;
  private goneAway = false;
  private goAwayRaised = false;

  /** `stats` is a block of HTTP2_CODEC_STATS. Preface and SETTINGS are written at once. */
  constructor(
    sink: ByteSink,
    callbacks: ClientConnectionCallbacks,
    settings: Http2Settings,
    stats: StatBlock,
  ) {
    super(sink, callbacks, settings, stats, false);
    this.callbacks = callbacks;
  }

  override get activeStreams(): number {
    return this.streams.size + this.starting.size;
  }

  /** The smaller of our max_concurrent_streams and the peer's SETTINGS_MAX_CONCURRENT_STREAMS. */
  get maxConcurrentStreams(): number {
    return Math.min(this.settings.maxConcurrentStreams, this.peerMaxConcurrentStreams);
  }

  /** False after a GOAWAY, an error, `goAway()`, or when the stream ids are used up. */
  get acceptsStreams(): boolean {
    return this.reading && !this.goneAway && this.nextStream <= LARGEST_STREAM_ID;
  }

  /** Only while `acceptsStreams` and `activeStreams` < `maxConcurrentStreams`. */
  newStream(decoder: ResponseDecoder): RequestEncoder {
    this.keepalive?.onNewStream();
    const stream = new Http2ClientStream(this, decoder);
    this.starting.add(stream);
    return stream;
  }

  /** For the stream, which is about to send its headers: ids have to be in the order of these. */
  openStream(stream: Http2ClientStream): void {
    this.starting.delete(stream);
    stream.id = this.nextStream;
    stream.sendWindow = this.peerInitialWindowSize;
    this.nextStream += 2;
    this.addStream(stream);
  }

  /** Says that no more is expected. Streams that are under way go on. */
  goAway(): void {
    this.goneAway = true;
    this.writer.goAway(0, NO_ERROR);
    this.count(STAT.goaway_sent, 1);
  }

  /** The connection is closed: ends timers and gauges and resets every stream with `reason`. */
  onConnectionClosed(reason: StreamResetReason, details: string): void {
    this.stop();
    for (const stream of [...this.starting, ...this.streams.values()]) {
      stream.close();
      stream.raiseReset(reason, details);
    }
  }

  protected override get lastPeerStream(): number {
    return 0;
  }

  protected override isIdle(id: number): boolean {
    return id >= this.nextStream || (id & 1) === 0;
  }

  override streamClosed(stream: Http2ClientStream, held: number): void {
    this.starting.delete(stream);
    super.streamClosed(stream, held);
  }

  protected override onStreamClosed(): void {
    if (this.reading) this.callbacks.onStreamClosed?.();
  }

  protected override onPeerMaxConcurrentStreams(streams: number): void {
    this.peerMaxConcurrentStreams = streams;
    this.callbacks.onMaxStreamsChanged(this.maxConcurrentStreams);
  }

  protected override onGoAwayFrame(lastStream: number): void {
    this.goneAway = true;
    if (!this.goAwayRaised) {
      this.goAwayRaised = true;
      this.callbacks.onGoAway();
    }
    for (const stream of [...this.streams.values()]) {
      if (stream.id <= lastStream || stream.closed) continue;
      stream.close();
      stream.raiseReset('RemoteRefusedStreamReset', REMOTE_REFUSE);
    }
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
    if (stream === undefined) {
      if (this.isIdle(id)) this.connectionError(PROTOCOL_ERROR, 'HEADERS on an idle stream');
      else this.onFrameOfNoStream(id);
      return;
    }
    stream.wireBytesReceived += wireBytes;
    stream.headerBytesReceived += wireBytes;
    if (stream.remoteEnd) {
      this.streamError(stream, STREAM_CLOSED, 'ProtocolError', MESSAGING_RULE);
      return;
    }
    const fault = stream.receiveHeaders(endStream);
    if (fault !== undefined) this.onFault(stream, fault);
  }
}
