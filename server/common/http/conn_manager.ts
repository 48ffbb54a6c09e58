// The HTTP connection manager of one downstream connection: it owns the codec, the streams, the connection's timers and
// its drain state. What happens to one request is in active_stream.ts.
// Follows Envoy's source/common/http/conn_manager_impl.cc (ConnectionManagerImpl).

import type {
  BytesMeter,
  CodecError,
  RequestDecoder,
  ResponseEncoder,
  ServerConnection,
  ServerConnectionCallbacks,
} from '../../api/http/codec.ts';
import {
  type ConnectionCallbacks,
  type ConnectionEvent,
  type ConnectionFacts,
  type NetworkFilter,
  NetworkFilterStatus,
  type ReadFilterCallbacks,
} from '../../api/network/filter.ts';
import { ResponseFlag, type StreamInfo } from '../../api/stream_info.ts';
import { copyBytes } from '../buffer/copy_bytes.ts';
import { monotonicNow } from '../event/dispatcher.ts';
import { Timer, type TimerOwner } from '../event/timer.ts';
import type { SocketConnection } from '../network/connection.ts';
import { HTTP_STATS } from '../stats/families/http.ts';
import { ActiveStream } from './active_stream.ts';
import { selectCodec } from './codec_selection.ts';
import type { ConnectionManagerConfig } from './conn_manager_config.ts';
import { DeferredRequests } from './deferred_requests.ts';
import { PrematureResets } from './premature_resets.ts';
import { keepDownstream } from './recreated_stream.ts';

const STAT = HTTP_STATS.offset;
/** Why connections are closed. Envoy: StreamInfo::LocalCloseReasons. */
const DRAINED = 'deferred_close_on_drained_connection';

export class ConnectionManager
  implements NetworkFilter, ServerConnectionCallbacks, ConnectionCallbacks, TimerOwner
{
  readonly config: ConnectionManagerConfig;
  connection!: SocketConnection;
  codec: ServerConnection | undefined = undefined;
  /** 'closing': the connection ends when its last stream does. */
  drainState: 'none' | 'draining' | 'closing' = 'none';
  isHttp2 = false;
  private readonly streams: ActiveStream[] = [];
  private streamCount = 0;
  private prematureResets: PrematureResets | undefined = undefined;
  private deferredRequests: DeferredRequests | undefined = undefined;
  /** First bytes that do not tell yet which protocol this is. */
  private undecided: Uint8Array | undefined = undefined;
  private aboveHighWatermark = false;
  private dispatching = false;
  private idleTimer: Timer | undefined = undefined;
  private durationTimer: Timer | undefined = undefined;
  private drainTimer: Timer | undefined = undefined;
  private startedAt = 0;
  private receivedBefore = 0;
  private sentBefore = 0;
  private failure: CodecError | undefined = undefined;

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
    if (this.codec === undefined) {
      this.createCodec(bytes, start, end);
      return NetworkFilterStatus.StopIteration;
    }
    this.dispatching = true;
    this.deferredRequests?.onRead();
    this.codec.dispatch(bytes, start, end);
    this.dispatching = false;
    if (this.failure !== undefined) this.closeAfterError(this.failure);
    return NetworkFilterStatus.StopIteration;
  }

  private createCodec(bytes: Uint8Array, start: number, end: number): void {
    const { config, connection, undecided } = this;
    if (undecided !== undefined) {
      bytes = Buffer.concat([undecided, bytes.subarray(start, end)]);
      start = 0;
      end = bytes.length;
    }
    const type = selectCodec(config.codecType, connection.info, bytes, start, end);
    if (type === undefined) {
      this.undecided = copyBytes(bytes, start, end);
      return;
    }
    this.undecided = undefined;
    const { values, base } = config.stats;
    if (type === 'HTTP1') {
      this.codec = config.createHttp1Codec(connection, this);
      values[base + STAT.downstream_cx_http1_total]++;
      values[base + STAT.downstream_cx_http1_active]++;
    } else {
      this.isHttp2 = true;
      this.prematureResets = new PrematureResets();
      this.deferredRequests = DeferredRequests.create(config.runtime);
      this.codec = config.createHttp2Codec(connection, this);
      values[base + STAT.downstream_cx_http2_total]++;
      values[base + STAT.downstream_cx_http2_active]++;
    }
    this.onData(bytes, start, end);
  }

  // ---- streams -------------------------------------------------------------------------------------------------------

  newStream(encoder: ResponseEncoder): RequestDecoder {
    const stream = this.createStream(encoder);
    return this.deferredRequests?.decoderOf(stream) ?? stream;
  }

  /** A stream for a request that has come already, in place of the one with `info` that has been its stream until now. */
  recreateStream(encoder: ResponseEncoder, info: StreamInfo): ActiveStream {
    const stream = this.createStream(encoder);
    encoder.setRequestDecoder(stream);
    keepDownstream(info, stream.streamInfo);
    stream.recreated = true;
    return stream;
  }

  private createStream(encoder: ResponseEncoder): ActiveStream {
    this.idleTimer?.disable();
    const { streams, config } = this;
    const stream = new ActiveStream(this, encoder, streams.length);
    streams.push(stream);
    if (this.isHttp2) {
      encoder.setStreamCallbacks!(stream);
      if (this.aboveHighWatermark) stream.onAboveWriteBufferHighWatermark();
    }
    this.streamCount++;
    const limit = config.maxRequestsPerConnection;
    if (limit > 0 && this.streamCount >= limit && this.drainState === 'none') {
      config.stats.values[config.stats.base + STAT.downstream_cx_max_requests_reached]++;
      if (this.isHttp2) this.startDrainSequence();
      else this.drainState = 'closing';
    }
    return stream;
  }

  /** What went over the connection for a stream. On HTTP/1 that is what went over it since the stream before. */
  countWireBytes(info: StreamInfo, meter: BytesMeter | undefined): void {
    if (meter !== undefined) {
      info.downstreamWireBytesReceived = meter.wireBytesReceived;
      info.downstreamWireBytesSent = meter.wireBytesSent;
      return;
    }
    const { bytesReceived, wireBytesSent } = this.connection;
    info.downstreamWireBytesReceived = bytesReceived - this.receivedBefore;
    info.downstreamWireBytesSent = wireBytesSent - this.sentBefore;
  }

  /** A stream is over. The last one takes its place. */
  streamEnded(stream: ActiveStream): void {
    const { streams, connection } = this;
    this.receivedBefore = connection.bytesReceived;
    this.sentBefore = connection.wireBytesSent;
    const last = streams.pop()!;
    if (last !== stream) {
      streams[stream.position] = last;
      last.position = stream.position;
    }
    if (connection.state !== 'open') return;
    if (this.prematureResets?.onStreamEnded(stream.streamInfo, this.config.runtime) === true) {
      const { values, base } = this.config.stats;
      values[base + STAT.downstream_rq_too_many_premature_resets]++;
      connection.close('NoFlush', 'too_many_premature_resets');
      return;
    }
    this.checkIdle();
  }

  onStreamClosed(): void {
    this.checkIdle();
  }

  /** Nothing is under way: a draining connection ends, another one may wait for so long. Envoy: checkForDeferredClose. */
  private checkIdle(): void {
    const { connection } = this;
    if (this.busy || connection.state !== 'open') return;
    if (this.drainState === 'closing' || (this.drainState === 'draining' && !this.isHttp2)) {
      const { failure } = this;
      connection.close('FlushWriteAndDelay', failure === undefined ? DRAINED : codecErrorReason(failure));
    } else if (this.idleTimer !== undefined) {
      this.idleTimer.enable(this.config.idleTimeoutMs, monotonicNow());
    }
  }

  /** The end of an answer may still wait for the client's windows. */
  private get busy(): boolean {
    return this.streams.length > 0 || (this.codec?.activeStreams ?? 0) > 0;
  }

  /** HTTP/1: nothing can follow the message that is under way. Streams of HTTP/2 are not each other's concern. */
  closeAfterStream(): void {
    if (!this.isHttp2) this.drainState = 'closing';
  }

  /** An upgrade is refused: on HTTP/1 what follows may be of the other protocol, and Envoy lets HTTP/2 drain as well. */
  drainAfterUpgrade(): void {
    if (this.isHttp2 && this.drainState === 'none') this.startDrainSequence();
  }

  /** Should the answer ask the client to close? True while the listener drains or this connection does. */
  shouldClose(): boolean {
    if (this.drainState === 'none' && this.config.listener.draining()) {
      this.startDrainSequence();
      this.config.stats.values[this.config.stats.base + STAT.downstream_cx_drain_close]++;
    }
    return this.drainState !== 'none';
  }

  /** Idle connections may be closed when the process wants to end. A client of HTTP/2 is first told to send nothing more. */
  closeIfIdle(): void {
    if (this.busy) return;
    if (this.isHttp2 && this.drainState === 'none') this.startDrainSequence();
    else this.closeDrained();
  }

  /** As `closeIfIdle`; what is under way finishes. */
  drain(): void {
    if (this.busy || this.isHttp2) this.announceEnd('downstream_connection_drained');
    else this.closeDrained();
  }

  facts(): ConnectionFacts {
    const { idleTimer, codec, isHttp2, drainState } = this;
    return {
      protocol: codec === undefined ? '' : isHttp2 ? 'HTTP/2' : 'HTTP/1.1',
      activeStreams: this.streams.length,
      streams: this.streamCount,
      draining: drainState !== 'none',
      idleSince: idleTimer?.enabled === true ? idleTimer.deadline - this.config.idleTimeoutMs : undefined,
    };
  }

  private closeDrained(): void {
    if (this.isHttp2) this.codec!.goAway();
    this.connection.close('FlushWriteAndDelay', DRAINED);
  }

  // ---- codec ---------------------------------------------------------------------------------------------------------

  onCodecError(error: CodecError): void {
    if (this.failure !== undefined) return;
    if (error.flood !== true) {
      const { values, base } = this.config.stats;
      values[base + STAT.downstream_cx_protocol_error]++;
    }
    this.failure = error;
    this.drainState = 'closing';
    if (!this.isHttp2) this.streams.at(-1)?.onCodecError(error);
    // Found while an answer was being written: its stream has to unwind first.
    if (!this.dispatching) queueMicrotask(() => this.closeAfterError(error));
  }

  readDisable(disable: boolean): void {
    this.connection.readDisable(disable);
  }

  closeConnection(): void {
    if (this.isHttp2) this.connection.close('NoFlush', 'http2_ping_timeout');
    else this.connection.close('FlushWriteAndDelay', 'codec_close');
  }

  onGoAway(): void {
    // A client's GOAWAY only announces that it opens no more streams.
  }

  private closeAfterError(error: CodecError): void {
    const reason = codecErrorReason(error);
    const details = this.isHttp2 ? reason : 'codec_error';
    for (const stream of [...this.streams]) stream.onResetStream('ProtocolError', details);
    this.connection.close('FlushWriteAndDelay', reason);
  }

  // ---- connection ----------------------------------------------------------------------------------------------------

  onEvent(event: ConnectionEvent): void {
    if (event === 'Connected') return;
    this.codec?.onConnectionClosed?.();
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
      const details = remote ? 'downstream_remote_disconnect' : this.localDisconnect();
      for (const stream of [...this.streams]) stream.onResetStream('ConnectionTermination', details);
    }
  }

  private localDisconnect(): string {
    const reason = this.connection.info.localCloseReason.replaceAll(/\s/g, '_');
    return `downstream_local_disconnect${reason === '' ? '' : `(${reason})`}`;
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
      values[base + (this.isHttp2 ? STAT.downstream_cx_http2_active : STAT.downstream_cx_http1_active)]--;
    }
    config.stats.record(STAT.downstream_cx_length_ms, monotonicNow() - this.startedAt);
  }

  onTimeout(timer: Timer): void {
    const { values, base } = this.config.stats;
    if (timer === this.idleTimer) {
      values[base + STAT.downstream_cx_idle_timeout]++;
      this.announceEnd('on_idle_timeout');
    } else if (timer === this.durationTimer) {
      values[base + STAT.downstream_cx_max_duration_reached]++;
      this.announceEnd('max_duration_reached');
    } else {
      this.drainState = 'closing';
      if (this.busy) this.codec?.goAway();
      else this.closeDrained();
    }
  }

  /** Asks the client to go; a request that is on its way is still answered, for `drain_timeout`. */
  private announceEnd(details: string): void {
    if (this.codec === undefined) {
      this.connection.close('FlushWriteAndDelay', details);
      return;
    }
    if (this.drainState === 'none') this.startDrainSequence();
  }

  /** HTTP/2: announces that the connection will go away, which it does `drain_timeout` later. Envoy: startDrainSequence. */
  private startDrainSequence(): void {
    this.drainState = 'draining';
    this.codec!.shutdownNotice();
    this.drainTimer = new Timer(this);
    this.drainTimer.enable(this.config.drainTimeoutMs, monotonicNow());
  }

  onAboveWriteBufferHighWatermark(): void {
    this.config.stats.values[this.config.stats.base + STAT.downstream_flow_control_paused_reading_total]++;
    this.aboveHighWatermark = true;
    this.codec?.onUnderlyingConnectionAboveWriteBufferHighWatermark();
    for (const stream of this.streams) stream.onAboveWriteBufferHighWatermark();
  }

  onBelowWriteBufferLowWatermark(): void {
    this.config.stats.values[this.config.stats.base + STAT.downstream_flow_control_resumed_reading_total]++;
    this.aboveHighWatermark = false;
    this.codec?.onUnderlyingConnectionBelowWriteBufferLowWatermark();
    for (const stream of this.streams) stream.onBelowWriteBufferLowWatermark();
  }
}

function codecErrorReason({ message }: CodecError): string {
  return `codec_error:${message.replaceAll(' ', '_')}`;
}
