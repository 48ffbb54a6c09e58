// The HTTP connection manager of one downstream connection: it owns the codec, the streams, the connection's timers and
// its drain state. What happens to one request is in active_stream.ts.
// Follows Envoy's source/common/http/conn_manager_impl.cc (ConnectionManagerImpl).

import type {
  CodecError,
  RequestDecoder,
  ResponseEncoder,
  ServerConnection,
  ServerConnectionCallbacks,
} from '../../api/http/codec.ts';
import {
  type ConnectionCallbacks,
  type ConnectionEvent,
  type NetworkFilter,
  NetworkFilterStatus,
  type ReadFilterCallbacks,
} from '../../api/network/filter.ts';
import { ResponseFlag, type StreamInfo } from '../../api/stream_info.ts';
import { monotonicNow } from '../event/dispatcher.ts';
import { Timer, type TimerOwner } from '../event/timer.ts';
import type { SocketConnection } from '../network/connection.ts';
import { HTTP_STATS } from '../stats/families/http.ts';
import { ActiveStream } from './active_stream.ts';
import type { ConnectionManagerConfig } from './conn_manager_config.ts';

const STAT = HTTP_STATS.offset;

export class ConnectionManager
  implements NetworkFilter, ServerConnectionCallbacks, ConnectionCallbacks, TimerOwner
{
  readonly config: ConnectionManagerConfig;
  connection!: SocketConnection;
  codec: ServerConnection | undefined = undefined;
  /** 'closing': the connection ends when its last stream does. */
  drainState: 'none' | 'draining' | 'closing' = 'none';
  private streams: ActiveStream[] = [];
  private streamCount = 0;
  private idleTimer: Timer | undefined = undefined;
  private durationTimer: Timer | undefined = undefined;
  private drainTimer: Timer | undefined = undefined;
  private startedAt = 0;
  private receivedBefore = 0;
  private sentBefore = 0;
  private failed = false;

  constructor(config: ConnectionManagerConfig) {
    this.config = config;
  }

  initializeReadFilterCallbacks(callbacks: ReadFilterCallbacks): void {
    this.connection = callbacks.connection as SocketConnection;
  }

  onNewConnection(): NetworkFilterStatus {
    const { config, connection } = this;
    const { values, base } = config.stats;
    values[base + STAT.downstream_cx_total]++;
    values[base + STAT.downstream_cx_active]++;
    if (connection.info.ssl !== undefined) {
      values[base + STAT.downstream_cx_ssl_total]++;
      values[base + STAT.downstream_cx_ssl_active]++;
    }
    connection.delayedCloseTimeoutMs = config.delayedCloseTimeoutMs;
    connection.stats = {
      block: config.stats,
      rxBytesTotal: STAT.downstream_cx_rx_bytes_total,
      txBytesTotal: STAT.downstream_cx_tx_bytes_total,
    };
    connection.addConnectionCallbacks(this);
    const now = (this.startedAt = monotonicNow());
    if (config.idleTimeoutMs > 0) {
      this.idleTimer = new Timer(this);
      this.idleTimer.enable(config.idleTimeoutMs, now);
    }
    if (config.maxConnectionDurationMs > 0) {
      this.durationTimer = new Timer(this);
      this.durationTimer.enable(config.maxConnectionDurationMs, now);
    }
    return NetworkFilterStatus.Continue;
  }

  onData(bytes: Uint8Array, start: number, end: number): NetworkFilterStatus {
    if (this.codec === undefined) this.createCodec();
    this.codec!.dispatch(bytes, start, end);
    if (this.failed) this.closeAfterError();
    return NetworkFilterStatus.StopIteration;
  }

  private createCodec(): void {
    this.codec = this.config.createCodec(this.connection, this);
    const { values, base } = this.config.stats;
    if (this.codec.protocol !== 'HTTP/2') {
      values[base + STAT.downstream_cx_http1_total]++;
      values[base + STAT.downstream_cx_http1_active]++;
    } else {
      values[base + STAT.downstream_cx_http2_total]++;
      values[base + STAT.downstream_cx_http2_active]++;
    }
  }

  // ---- streams -------------------------------------------------------------------------------------------------------

  newStream(encoder: ResponseEncoder): RequestDecoder {
    this.idleTimer?.disable();
    const stream = new ActiveStream(this, encoder);
    this.streams.push(stream);
    this.streamCount++;
    const limit = this.config.maxRequestsPerConnection;
    if (limit > 0 && this.streamCount >= limit && this.drainState === 'none') {
      this.config.stats.values[this.config.stats.base + STAT.downstream_cx_max_requests_reached]++;
      this.drainState = this.codec?.protocol === 'HTTP/2' ? 'draining' : 'closing';
    }
    return stream;
  }

  /** What went over the connection since the stream before: on HTTP/1 that is this stream's. */
  countWireBytes(info: StreamInfo): void {
    const { bytesReceived, wireBytesSent } = this.connection;
    info.downstreamWireBytesReceived = bytesReceived - this.receivedBefore;
    info.downstreamWireBytesSent = wireBytesSent - this.sentBefore;
    this.receivedBefore = bytesReceived;
    this.sentBefore = wireBytesSent;
  }

  /** A stream is over. */
  streamEnded(stream: ActiveStream): void {
    const streams = this.streams;
    if (streams.length === 1) streams.length = 0;
    else this.streams = streams.filter((one) => one !== stream);
    if (this.streams.length > 0 || this.connection.state !== 'open') return;
    if (
      this.drainState === 'closing' ||
      (this.drainState === 'draining' && this.codec?.protocol !== 'HTTP/2')
    ) {
      this.connection.close('FlushWriteAndDelay', 'downstream_connection_drained');
    } else if (this.idleTimer !== undefined) {
      this.idleTimer.enable(this.config.idleTimeoutMs, monotonicNow());
    }
  }

  /** Should the answer ask the client to close? True while the listener drains or this connection does. */
  shouldClose(): boolean {
    if (this.drainState === 'none' && this.config.listener.draining()) {
      this.drainState = 'draining';
      this.config.stats.values[this.config.stats.base + STAT.downstream_cx_drain_close]++;
    }
    return this.drainState !== 'none';
  }

  /** Idle connections may be closed at once when the process wants to end. */
  closeIfIdle(): void {
    if (this.streams.length === 0)
      this.connection.close('FlushWriteAndDelay', 'downstream_connection_drained');
  }

  // ---- codec ---------------------------------------------------------------------------------------------------------

  onCodecError(error: CodecError): void {
    const { values, base } = this.config.stats;
    values[base + STAT.downstream_cx_protocol_error]++;
    this.failed = true;
    this.drainState = 'closing';
    this.streams.at(-1)?.onCodecError(error);
  }

  readDisable(disable: boolean): void {
    this.connection.readDisable(disable);
  }

  closeConnection(): void {
    this.connection.close('FlushWriteAndDelay', 'codec_close');
  }

  onGoAway(): void {
    // A client's GOAWAY only announces that it opens no more streams.
  }

  private closeAfterError(): void {
    for (const stream of [...this.streams]) stream.onResetStream('ProtocolError', 'codec_error');
    this.connection.close('FlushWriteAndDelay', 'codec_error');
  }

  // ---- connection ----------------------------------------------------------------------------------------------------

  onEvent(event: ConnectionEvent): void {
    if (event === 'Connected') return;
    const { values, base } = this.config.stats;
    const remote = event === 'RemoteClose';
    values[base + STAT.downstream_cx_destroy]++;
    values[base + (remote ? STAT.downstream_cx_destroy_remote : STAT.downstream_cx_destroy_local)]++;
    if (this.streams.length > 0) {
      values[base + STAT.downstream_cx_destroy_active_rq]++;
      values[
        base +
          (remote ? STAT.downstream_cx_destroy_remote_active_rq : STAT.downstream_cx_destroy_local_active_rq)
      ]++;
      if (remote) this.connection.streamInfo.responseFlags |= ResponseFlag.DownstreamConnectionTermination;
      for (const stream of [...this.streams]) {
        stream.onResetStream(
          'ConnectionTermination',
          remote ? 'downstream_remote_disconnect' : 'downstream_local_disconnect',
        );
      }
    }
  }

  onDestroy(): void {
    const { config } = this;
    this.idleTimer?.disable();
    this.durationTimer?.disable();
    this.drainTimer?.disable();
    const { values, base } = config.stats;
    values[base + STAT.downstream_cx_active]--;
    if (this.connection.info.ssl !== undefined) values[base + STAT.downstream_cx_ssl_active]--;
    if (this.codec !== undefined) {
      values[
        base +
          (this.codec.protocol !== 'HTTP/2'
            ? STAT.downstream_cx_http1_active
            : STAT.downstream_cx_http2_active)
      ]--;
    }
    config.stats.record(STAT.downstream_cx_length_ms, monotonicNow() - this.startedAt);
  }

  onTimeout(timer: Timer): void {
    const { values, base } = this.config.stats;
    if (timer === this.idleTimer) {
      values[base + STAT.downstream_cx_idle_timeout]++;
      this.drain('on_idle_timeout');
    } else if (timer === this.durationTimer) {
      values[base + STAT.downstream_cx_max_duration_reached]++;
      this.drain('max_duration_reached');
    } else {
      this.drainState = 'closing';
      this.codec?.goAway();
      if (this.streams.length === 0)
        this.connection.close('FlushWriteAndDelay', 'downstream_connection_drained');
    }
  }

  /** Asks the client to go; a request that is on its way is still answered, for `drain_timeout`. */
  private drain(details: string): void {
    if (this.codec === undefined) {
      this.connection.close('FlushWriteAndDelay', details);
      return;
    }
    if (this.drainState !== 'none') return;
    this.drainState = 'draining';
    this.codec.shutdownNotice();
    this.drainTimer = new Timer(this);
    this.drainTimer.enable(this.config.drainTimeoutMs, monotonicNow());
  }

  onAboveWriteBufferHighWatermark(): void {
    this.config.stats.values[this.config.stats.base + STAT.downstream_flow_control_paused_reading_total]++;
    this.codec?.onUnderlyingConnectionAboveWriteBufferHighWatermark();
    for (const stream of this.streams) stream.onAboveWriteBufferHighWatermark();
  }

  onBelowWriteBufferLowWatermark(): void {
    this.config.stats.values[this.config.stats.base + STAT.downstream_flow_control_resumed_reading_total]++;
    this.codec?.onUnderlyingConnectionBelowWriteBufferLowWatermark();
    for (const stream of this.streams) stream.onBelowWriteBufferLowWatermark();
  }
}
