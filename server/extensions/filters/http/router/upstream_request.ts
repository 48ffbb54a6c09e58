// One attempt at one host: waits for a connection, sends the request, and hands the response to the router.
// Follows Envoy's source/common/router/upstream_request.cc.

import type { BytesMeter, ResponseDecoder, StreamResetReason } from '../../../../api/http/codec.ts';
import type { DownstreamWatermarkCallbacks } from '../../../../api/http/filter.ts';
import type { RequestHeaderMap, ResponseHeaderMap, TrailerMap } from '../../../../api/http/header_map.ts';
import { ResponseFlag, type StreamInfo } from '../../../../api/stream_info.ts';
import type {
  Cancellable,
  GenericConnPool,
  PoolCallbacks,
  PoolFailureReason,
  PoolStream,
  UpstreamProtocol,
} from '../../../../common/conn_pool/http_conn_pool.ts';
import type { UpstreamConnection } from '../../../../common/conn_pool/upstream_connection.ts';
import { monotonicNow } from '../../../../common/event/dispatcher.ts';
import { Timer, type TimerOwner } from '../../../../common/event/timer.ts';
import type { SocketConnection } from '../../../../common/network/connection.ts';
import { UpstreamTracing } from '../../../../common/tracing/upstream_tracing.ts';
import type { Host } from '../../../../common/upstream/host.ts';
import type { OutlierMonitor } from '../../../../common/upstream/outlier_monitor.ts';
import type { ThreadLocalCluster } from '../../../../common/upstream/thread_local_cluster.ts';
import { resetReasonText, responseFlagOf } from './reset_reason.ts';
import { putResponse } from './response_stats.ts';
import { ResponseWatch } from './response_watch.ts';
import type { Router } from './router.ts';
import type { UpstreamLog, UpstreamLogs } from './upstream_log.ts';

export class UpstreamRequest
  implements ResponseDecoder, PoolCallbacks, TimerOwner, DownstreamWatermarkCallbacks
{
  readonly host: Host;
  /** ms, monotonic. */
  startedAt = 0;
  /** The response's head was given to the router: this attempt decides the outcome. */
  headersReceived = false;
  /** Something of the request reached the connection. */
  sent = false;
  private readonly router: Router;
  private readonly info: StreamInfo;
  private readonly headers: RequestHeaderMap;
  private readonly outlierMonitor: OutlierMonitor | undefined;
  /** Who looks at answers; undefined for most clusters. */
  private readonly watch: ResponseWatch | undefined;
  private readonly tracing: UpstreamTracing | undefined;
  private readonly log: UpstreamLog | undefined;
  private connection: SocketConnection | undefined = undefined;
  /** Of an HTTP/2 stream; the bytes of an HTTP/1 connection are its stream's. */
  private meter: BytesMeter | undefined = undefined;
  private receivedBefore = 0;
  private sentBefore = 0;
  private pending: Cancellable | undefined = undefined;
  private stream: PoolStream | undefined = undefined;
  private perTryTimer: Timer | undefined = undefined;
  private perTryIdleTimer: Timer | undefined = undefined;
  private durationTimer: Timer | undefined = undefined;
  private maxDurationMs = 0;
  private done = false;
  private pausedDownstream = false;
  private informed = false;
  /** Also before there is a stream. */
  private readDisabled = false;

  /** `headers` are the request's; the host's cluster is told how it does. */
  constructor(
    router: Router,
    host: Host,
    info: StreamInfo,
    headers: RequestHeaderMap,
    cluster: ThreadLocalCluster,
    logs: UpstreamLogs | undefined,
  ) {
    this.router = router;
    this.host = host;
    this.info = info;
    this.headers = headers;
    const owner = cluster.ownerOf(host);
    this.outlierMonitor = owner.outlierMonitor;
    this.watch = ResponseWatch.create(owner, host);
    this.tracing = info.tracing === undefined ? undefined : UpstreamTracing.begin(host, headers, info);
    this.log = logs?.begin(host, headers, info);
  }

  /** `maxDurationMs`: what the upstream gets for all of it; 0 = no limit. */
  start(pool: GenericConnPool, maxDurationMs: number): void {
    this.startedAt = monotonicNow();
    this.maxDurationMs = maxDurationMs;
    this.pending = pool.newStream(this, this);
  }

  get ready(): boolean {
    return this.stream !== undefined;
  }

  /** The request is complete: from now on the upstream is the one who takes time. */
  startTimers(perTryMs: number, perTryIdleMs: number): void {
    if (this.done) return;
    const now = monotonicNow();
    if (perTryMs > 0) (this.perTryTimer ??= new Timer(this)).enable(perTryMs, now);
    if (perTryIdleMs > 0) (this.perTryIdleTimer ??= new Timer(this)).enable(perTryIdleMs, now);
  }

  onTimeout(timer: Timer): void {
    if (timer === this.durationTimer) {
      this.router.onMaxStreamDurationReached(this);
      return;
    }
    this.blameForTimeout();
    this.log?.onReset(ResponseFlag.UpstreamRequestTimeout, '');
    this.router.onPerTryTimeout(this, timer === this.perTryIdleTimer);
  }

  /** Time is up for the attempt. A host that was never asked, or has begun to answer, is not to blame. */
  blameForTimeout(): void {
    if (this.sent && !this.headersReceived) this.outlierMonitor?.putTimeout(this.host);
  }

  // ---- pool ----------------------------------------------------------------------------------------------------------

  onPoolReady(stream: PoolStream, upstream: UpstreamConnection, protocol: UpstreamProtocol): void {
    this.pending = undefined;
    if (this.done) {
      stream.resetStream('LocalReset');
      return;
    }
    this.stream = stream;
    this.sent = true;
    this.meter = stream.bytesMeter;
    if (this.meter === undefined) {
      this.connection = upstream.connection;
      this.receivedBefore = upstream.connection.bytesReceived;
      this.sentBefore = upstream.connection.wireBytesSent;
    }
    if (this.maxDurationMs > 0)
      (this.durationTimer = new Timer(this)).enable(this.maxDurationMs, monotonicNow());
    stream.setWatermarkCallbacks(this);
    if (this.readDisabled) stream.readDisable(true);
    this.outlierMonitor?.putConnectSuccess(this.host);
    if (this.tracing !== undefined) this.tracing.onReady(protocol);
    else this.info.tracing?.span?.injectContext(this.headers);
    this.log?.onReady(upstream, protocol);
    this.router.onUpstreamReady(this, upstream, protocol);
  }

  onPoolFailure(reason: PoolFailureReason, transportFailure: string, host: Host | undefined): void {
    this.pending = undefined;
    if (this.done) return;
    const reset = reason === 'Timeout' ? 'ConnectionTimeout' : reason;
    this.tracing?.onReset(responseFlagOf(reset), resetReasonText(reset), host);
    this.log?.onReset(responseFlagOf(reset), transportFailure);
    this.finish();
    // Too many requests at once are no host's fault.
    if (reason !== 'Overflow') this.outlierMonitor?.putConnectFailed(this.host);
    this.router.onUpstreamReset(this, reset, transportFailure, host);
  }

  // ---- request -------------------------------------------------------------------------------------------------------

  /** The stream's encoder; only while `ready`. */
  get encoder(): PoolStream {
    return this.stream!;
  }

  /** Sends what there is of the request; `complete`: that is all of it. Only while `ready`. */
  send(
    headers: RequestHeaderMap,
    body: Uint8Array | undefined,
    trailers: TrailerMap | undefined,
    complete: boolean,
  ): void {
    this.encoder.encodeHeaders(headers, complete && body === undefined && trailers === undefined);
    // Any of these may end the attempt.
    if (body !== undefined && this.ready)
      this.encoder.encodeData(body, 0, body.length, complete && trailers === undefined);
    if (trailers !== undefined && this.ready) this.encoder.encodeTrailers(trailers);
  }

  onAboveWriteBufferHighWatermark(): void {
    if (this.pausedDownstream || this.done) return;
    this.pausedDownstream = true;
    this.router.pauseDownstream(true);
  }

  onBelowWriteBufferLowWatermark(): void {
    if (!this.pausedDownstream) return;
    this.pausedDownstream = false;
    this.router.pauseDownstream(false);
  }

  /** Stops (or goes on) reading the response because the client is slow. */
  readDisable(disable: boolean): void {
    this.readDisabled = disable;
    this.stream?.readDisable(disable);
  }

  /** Gives the attempt up. Nothing more comes from it. */
  reset(): void {
    if (this.done) return;
    const { stream, pending } = this;
    this.tracing?.onCancel();
    this.finish();
    pending?.cancel();
    stream?.resetStream('LocalReset');
  }

  // ---- response ------------------------------------------------------------------------------------------------------

  onInformationalHeaders(headers: ResponseHeaderMap): void {
    const { status } = headers;
    // The first one counts, and only these. Source: HeaderUtility::isSpecial1xx.
    if (this.done || this.informed || (status !== 100 && !(status >= 102 && status <= 104))) return;
    this.informed = true;
    this.router.onUpstreamInformational(headers);
  }

  onResponseHeaders(headers: ResponseHeaderMap, endStream: boolean): void {
    if (this.done) return;
    this.perTryTimer?.disable();
    this.perTryIdleTimer?.disable();
    this.tracing?.onResponseHeaders(headers);
    this.log?.onResponseHeaders(headers);
    if (endStream) this.finish();
    this.watch?.onHeaders(headers);
    if (this.outlierMonitor !== undefined) putResponse(this.outlierMonitor, this.host, this.headers, headers);
    this.router.onUpstreamHeaders(this, headers, endStream);
  }

  onData(bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    if (this.done) return;
    this.log?.onData(end - start);
    if (endStream) this.finish();
    this.router.onUpstreamData(bytes, start, end, endStream);
  }

  onResponseTrailers(trailers: TrailerMap): void {
    if (this.done) return;
    this.tracing?.onResponseTrailers(trailers);
    this.log?.onResponseTrailers(trailers);
    this.finish();
    this.watch?.onTrailers(trailers);
    this.router.onUpstreamTrailers(trailers);
  }

  onResetStream(reason: StreamResetReason, details: string): void {
    if (this.done) return;
    this.tracing?.onReset(responseFlagOf(reason), resetReasonText(reason), this.host);
    this.log?.onReset(responseFlagOf(reason), '');
    this.finish();
    this.outlierMonitor?.putConnectFailed(this.host);
    this.router.onUpstreamReset(this, reason, details, this.host);
  }

  private finish(): void {
    this.done = true;
    this.stream = undefined;
    const { connection, meter, info } = this;
    // All attempts of a request are counted together, as Envoy does.
    if (meter !== undefined) {
      info.upstreamWireBytesReceived += meter.wireBytesReceived;
      info.upstreamWireBytesSent += meter.wireBytesSent;
      this.meter = undefined;
    } else if (connection !== undefined) {
      info.upstreamWireBytesReceived += connection.bytesReceived - this.receivedBefore;
      info.upstreamWireBytesSent += connection.wireBytesSent - this.sentBefore;
      this.connection = undefined;
    }
    this.perTryTimer?.disable();
    this.perTryIdleTimer?.disable();
    this.durationTimer?.disable();
    this.tracing?.finish();
    this.log?.finish();
    if (this.pausedDownstream) {
      this.pausedDownstream = false;
      this.router.pauseDownstream(false);
    }
  }
}
