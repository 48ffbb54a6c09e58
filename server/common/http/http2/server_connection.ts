// The downstream side of HTTP/2: requests in, many at a time.
// Envoy: ServerConnectionImpl in source/common/http/http2/codec_impl.cc.

import type { ByteSink, ServerConnection, ServerConnectionCallbacks } from '../../../api/http/codec.ts';
import type { StatBlock } from '../../../api/stats.ts';
import type { Http2Settings } from './settings.ts';

export class Http2ServerConnection implements ServerConnection {
  readonly protocol = 'HTTP/2';
  private readonly sink: ByteSink;
  private readonly callbacks: ServerConnectionCallbacks;
  private readonly settings: Http2Settings;
  private readonly stats: StatBlock;

  /** `stats` is a block of HTTP2_CODEC_STATS. */
  constructor(
    sink: ByteSink,
    callbacks: ServerConnectionCallbacks,
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
  dispatch(_bytes: Uint8Array, _start: number, _end: number): void {
    throw new Error('not yet');
  }
  onHalfClose(): void {}
  goAway(): void {}
  shutdownNotice(): void {}
  onUnderlyingConnectionAboveWriteBufferHighWatermark(): void {}
  onUnderlyingConnectionBelowWriteBufferLowWatermark(): void {}
  onConnectionClosed(): void {}
}
