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
import type { Http2Settings } from './settings.ts';

/**
 * What the pool must know: `onMaxStreamsChanged` says how many streams the peer allows now (never more than our own setting);
 * `onGoAway` comes once, before the streams that the peer did not process are reset with `RemoteRefusedStreamReset` (they may
 * be retried elsewhere), and no stream may be made after it.
 */
export class Http2ClientConnection implements ClientConnection {
  readonly protocol = 'HTTP/2';
  private readonly sink: ByteSink;
  private readonly callbacks: ClientConnectionCallbacks;
  private readonly settings: Http2Settings;
  private readonly stats: StatBlock;

  /** `stats` is a block of HTTP2_CODEC_STATS. Preface and SETTINGS are written at once. */
  constructor(
    sink: ByteSink,
    callbacks: ClientConnectionCallbacks,
    settings: Http2Settings,
    stats: StatBlock,
  ) {
    this.sink = sink;
    this.callbacks = callbacks;
    this.settings = settings;
    this.stats = stats;
  }

  /** Streams that have begun and are not over. */
  get activeStreams(): number {
    throw new Error(`not yet: ${this.sink}${this.callbacks}${this.settings}${this.stats}`);
  }
  /** The smaller of our max_concurrent_streams and the peer's SETTINGS_MAX_CONCURRENT_STREAMS. */
  get maxConcurrentStreams(): number {
    throw new Error('not yet');
  }
  /** False after a GOAWAY, an error, `goAway()`, or when the stream ids are used up. */
  get acceptsStreams(): boolean {
    throw new Error('not yet');
  }
  /** Only while `acceptsStreams` and `activeStreams` < `maxConcurrentStreams`. */
  newStream(_decoder: ResponseDecoder): RequestEncoder {
    throw new Error('not yet');
  }
  dispatch(_bytes: Uint8Array, _start: number, _end: number): void {
    throw new Error('not yet');
  }
  onHalfClose(): void {}
  goAway(): void {}
  /** The connection is closed: ends timers and gauges and resets every stream with `reason`. */
  onConnectionClosed(_reason: StreamResetReason, _details: string): void {}
}
