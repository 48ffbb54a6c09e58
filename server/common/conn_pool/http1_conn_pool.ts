// Connections to one host that speak HTTP/1.1: one request at a time on each, idle ones used again, the newest first (its
// congestion window is warm). Requests wait in a bounded queue while connections are being made.
// Follows Envoy's source/common/http/http1/conn_pool.cc and source/common/conn_pool/conn_pool_base.cc.

import type {
  ClientConnection,
  ClientConnectionCallbacks,
  CodecError,
  RequestEncoder,
  ResponseDecoder,
  StreamResetReason,
} from '../../api/http/codec.ts';
import type { DownstreamWatermarkCallbacks } from '../../api/http/filter.ts';
import type { RequestHeaderMap, ResponseHeaderMap, TrailerMap } from '../../api/http/header_map.ts';
import type { ConnectionEvent } from '../../api/network/filter.ts';
import { HostSlot } from '../../api/upstream/host.ts';
import { monotonicNow } from '../event/dispatcher.ts';
import { Timer, type TimerOwner } from '../event/timer.ts';
import { Http1ClientConnection } from '../http/http1/client_connection.ts';
import type { ByteReader } from '../network/connection.ts';
import { NetworkFilterManager } from '../network/filter_manager.ts';
import { CLUSTER_TRAFFIC_STATS } from '../stats/families/cluster.ts';
import type { Host } from '../upstream/host.ts';
import type { ThreadLocalCluster } from '../upstream/thread_local_cluster.ts';
import type {
  Cancellable,
  HttpConnPool,
  PoolCallbacks,
  PoolFailureReason,
  PoolOptions,
  PoolStream,
} from './http_conn_pool.ts';
import { UpstreamConnection, type UpstreamConnectionOwner } from './upstream_connection.ts';

const STAT = CLUSTER_TRAFFIC_STATS.offset;

class PendingRequest implements Cancellable {
  readonly decoder: ResponseDecoder;
  readonly callbacks: PoolCallbacks;
  private readonly pool: Http1ConnPool;

  constructor(pool: Http1ConnPool, decoder: ResponseDecoder, callbacks: PoolCallbacks) {
    this.pool = pool;
    this.decoder = decoder;
    this.callbacks = callbacks;
  }

  cancel(): void {
    this.pool.cancel(this);
  }
}

export class Http1ConnPool implements HttpConnPool {
  readonly cluster: ThreadLocalCluster;
  host: Host;
  readonly options: PoolOptions;
  private readonly idle: Http1ActiveClient[] = [];
  private pending: PendingRequest[] = [];
  private connecting = 0;
  private clients = 0;
  draining = false;

  constructor(cluster: ThreadLocalCluster, host: Host, options: PoolOptions) {
    this.cluster = cluster;
    this.host = host;
    this.options = options;
  }

  newStream(decoder: ResponseDecoder, callbacks: PoolCallbacks): Cancellable | undefined {
    const { cluster } = this;
    const client = this.idle.pop();
    if (client !== undefined) {
      this.attach(client, decoder, callbacks);
      return undefined;
    }
    const { stats } = cluster;
    const resources = cluster.resourceManager(this.options.priority);
    if (!resources.tryAcquirePendingRequest()) {
      stats.values[stats.base + STAT.upstream_rq_pending_overflow]++;
      callbacks.onPoolFailure('Overflow', '', undefined);
      return undefined;
    }
    stats.values[stats.base + STAT.upstream_rq_pending_total]++;
    stats.values[stats.base + STAT.upstream_rq_pending_active]++;
    const request = new PendingRequest(this, decoder, callbacks);
    this.pending.push(request);
    this.connectIfNeeded();
    return request;
  }

  /** One connection attempt per waiting request, as far as the breaker allows; the first one always. */
  private connectIfNeeded(): void {
    while (this.connecting < this.pending.length) {
      const resources = this.cluster.resourceManager(this.options.priority);
      if (!resources.tryAcquireConnection()) {
        const { stats } = this.cluster;
        stats.values[stats.base + STAT.upstream_cx_overflow]++;
        if (this.clients > 0) return;
        resources.acquireConnection();
      }
      this.connecting++;
      this.clients++;
      new Http1ActiveClient(this);
    }
  }

  cancel(request: PendingRequest): void {
    const at = this.pending.indexOf(request);
    if (at < 0) return;
    this.pending.splice(at, 1);
    this.releasePending();
    const { stats } = this.cluster;
    stats.values[stats.base + STAT.upstream_rq_cancelled]++;
  }

  private releasePending(): void {
    const { stats } = this.cluster;
    stats.values[stats.base + STAT.upstream_rq_pending_active]--;
    this.cluster.resourceManager(this.options.priority).releasePendingRequest();
  }

  private attach(client: Http1ActiveClient, decoder: ResponseDecoder, callbacks: PoolCallbacks): void {
    const { stats } = this.cluster;
    if (!this.cluster.resourceManager(this.options.priority).tryAcquireRequest()) {
      stats.values[stats.base + STAT.upstream_rq_active_overflow]++;
      this.release(client);
      callbacks.onPoolFailure('Overflow', '', this.host);
      return;
    }
    stats.values[stats.base + STAT.upstream_rq_total]++;
    stats.values[stats.base + STAT.upstream_rq_active]++;
    this.host.add(HostSlot.RequestTotal, 1);
    this.host.add(HostSlot.ActiveRequests, 1);
    client.begin(decoder);
    callbacks.onPoolReady(client, client.upstream, 'HTTP/1.1');
  }

  /** A request on a connection is over, one way or another. */
  streamEnded(): void {
    const { stats } = this.cluster;
    stats.values[stats.base + STAT.upstream_rq_active]--;
    this.host.add(HostSlot.ActiveRequests, -1);
    this.cluster.resourceManager(this.options.priority).releaseRequest();
  }

  onConnected(client: Http1ActiveClient): void {
    this.connecting--;
    this.release(client);
  }

  /** A connection is free. The request that has waited longest gets it. */
  release(client: Http1ActiveClient): void {
    if (this.draining) {
      if (this.pending.length === 0) {
        client.close('draining');
        return;
      }
    }
    const request = this.pending.shift();
    if (request === undefined) {
      client.waitIdle();
      this.idle.push(client);
      return;
    }
    this.releasePending();
    this.attach(client, request.decoder, request.callbacks);
  }

  onConnectFailed(client: Http1ActiveClient, reason: PoolFailureReason): void {
    this.connecting--;
    this.clients--;
    const failure = client.upstream.connection.transportFailureReason;
    // Everyone who waits has seen this host fail; a retry may choose another one.
    const waiting = this.pending;
    this.pending = [];
    const { stats } = this.cluster;
    for (const request of waiting) {
      this.releasePending();
      stats.values[stats.base + STAT.upstream_rq_pending_failure_eject]++;
      request.callbacks.onPoolFailure(reason, failure, this.host);
    }
    this.connectIfNeeded();
    this.checkEmpty();
  }

  onClosed(client: Http1ActiveClient): void {
    this.clients--;
    const at = this.idle.indexOf(client);
    if (at >= 0) this.idle.splice(at, 1);
    this.connectIfNeeded();
    this.checkEmpty();
  }

  private checkEmpty(): void {
    if (this.clients === 0 && this.pending.length === 0) this.options.onEmpty?.();
  }

  drain(): void {
    this.draining = true;
    for (const client of this.idle.splice(0)) client.close('draining');
  }
}

/** One connection and the request on it. It stands between codec and router to see both ends of the message. */
class Http1ActiveClient
  implements UpstreamConnectionOwner, ClientConnectionCallbacks, ResponseDecoder, PoolStream, TimerOwner
{
  readonly upstream: UpstreamConnection;
  private readonly pool: Http1ConnPool;
  private readonly codec: Http1ClientConnection;
  private readonly idleTimer: Timer;
  private readonly durationTimer: Timer | undefined;
  private decoder: ResponseDecoder | undefined = undefined;
  private encoder: RequestEncoder | undefined = undefined;
  private requestComplete = false;
  private closeAfterResponse = false;
  private closedBy: ConnectionEvent = 'LocalClose';
  private requests = 0;
  private readDisables = 0;
  private watermark: DownstreamWatermarkCallbacks | undefined = undefined;

  constructor(pool: Http1ConnPool) {
    this.pool = pool;
    const { cluster } = pool;
    const { stats } = cluster;
    stats.values[stats.base + STAT.upstream_cx_http1_total]++;
    this.idleTimer = new Timer(this);
    this.upstream = new UpstreamConnection(
      cluster,
      pool.host,
      pool.options.priority,
      pool.options.transportSocket,
      false,
      this,
    );
    const { connection } = this.upstream;
    this.codec = new Http1ClientConnection(connection, this, cluster.http1Settings);
    const reader = new CodecReader(this.codec);
    connection.reader = reader;
    const { maxConnectionDurationMs } = cluster.features;
    this.durationTimer = maxConnectionDurationMs > 0 ? new Timer(this) : undefined;
    connection.addConnectionCallbacks({
      onEvent: () => {},
      onAboveWriteBufferHighWatermark: () => this.watermark?.onAboveWriteBufferHighWatermark(),
      onBelowWriteBufferLowWatermark: () => this.watermark?.onBelowWriteBufferLowWatermark(),
    });
    if (cluster.config.filters.length > 0)
      NetworkFilterManager.install(connection, cluster.config.filters, reader);
  }

  setWatermarkCallbacks(callbacks: DownstreamWatermarkCallbacks): void {
    this.watermark = callbacks;
  }

  // ---- connection ----------------------------------------------------------------------------------------------------

  onUpstreamConnected(): void {
    this.durationTimer?.enable(this.pool.cluster.features.maxConnectionDurationMs, monotonicNow());
    this.pool.onConnected(this);
  }

  onUpstreamConnectFailed(timeout: boolean): void {
    this.pool.onConnectFailed(this, timeout ? 'Timeout' : 'RemoteConnectionFailure');
  }

  onUpstreamClosed(event: ConnectionEvent): void {
    this.idleTimer.disable();
    this.durationTimer?.disable();
    const { stats } = this.pool.cluster;
    stats.record(STAT.upstream_rq_per_cx, this.requests);
    this.closedBy = event;
    // A response without a length ends with the connection: the codec knows whether this is such an end.
    if (this.decoder !== undefined) this.codec.onHalfClose();
    this.fail('ConnectionTermination', this.upstream.connection.transportFailureReason);
    this.pool.onClosed(this);
  }

  private countDestroyWithActiveRequest(): void {
    const { stats } = this.pool.cluster;
    stats.values[stats.base + STAT.upstream_cx_destroy_with_active_rq]++;
    stats.values[
      stats.base +
        (this.closedBy === 'RemoteClose'
          ? STAT.upstream_cx_destroy_remote_with_active_rq
          : STAT.upstream_cx_destroy_local_with_active_rq)
    ]++;
  }

  close(reason: string): void {
    this.upstream.connection.close('NoFlush', reason);
  }

  waitIdle(): void {
    const { idleTimeoutMs } = this.pool.cluster.features;
    if (idleTimeoutMs > 0) this.idleTimer.enable(idleTimeoutMs, monotonicNow());
  }

  onTimeout(timer: Timer): void {
    const { stats } = this.pool.cluster;
    if (timer === this.idleTimer) {
      stats.values[stats.base + STAT.upstream_cx_idle_timeout]++;
      this.close('idle_timeout');
      return;
    }
    stats.values[stats.base + STAT.upstream_cx_max_duration_reached]++;
    if (this.decoder === undefined) this.close('max_duration');
    else this.closeAfterResponse = true;
  }

  // ---- request: from the router to the codec -----------------------------------------------------------------------------

  begin(decoder: ResponseDecoder): void {
    this.idleTimer.disable();
    this.requests++;
    this.decoder = decoder;
    this.requestComplete = false;
    this.encoder = this.codec.newStream(this);
    const { maxRequestsPerConnection } = this.pool.cluster.features;
    if (maxRequestsPerConnection > 0 && this.requests >= maxRequestsPerConnection) {
      this.closeAfterResponse = true;
      const { stats } = this.pool.cluster;
      stats.values[stats.base + STAT.upstream_cx_max_requests]++;
    }
  }

  encodeHeaders(headers: RequestHeaderMap, endStream: boolean): void {
    this.requestComplete = endStream;
    this.encoder!.encodeHeaders(headers, endStream);
  }

  encodeData(bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    if (endStream) this.requestComplete = true;
    this.encoder?.encodeData(bytes, start, end, endStream);
  }

  encodeTrailers(trailers: TrailerMap): void {
    this.requestComplete = true;
    this.encoder?.encodeTrailers(trailers);
  }

  resetStream(_reason: StreamResetReason): void {
    if (this.decoder === undefined) return;
    this.countDestroyWithActiveRequest();
    this.detach();
    this.close('stream_reset');
  }

  readDisable(disable: boolean): void {
    this.readDisables += disable ? 1 : -1;
    this.upstream.connection.readDisable(disable);
  }

  // ---- response: from the codec to the router ----------------------------------------------------------------------------

  onInformationalHeaders(headers: ResponseHeaderMap): void {
    this.decoder?.onInformationalHeaders(headers);
  }

  onResponseHeaders(headers: ResponseHeaderMap, endStream: boolean): void {
    if (this.codec.closeNotified) {
      const { stats } = this.pool.cluster;
      stats.values[stats.base + STAT.upstream_cx_close_notify]++;
    }
    this.decoder?.onResponseHeaders(headers, endStream);
    if (endStream) this.finishResponse();
  }

  onData(bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    this.decoder?.onData(bytes, start, end, endStream);
    if (endStream) this.finishResponse();
  }

  onResponseTrailers(trailers: TrailerMap): void {
    this.decoder?.onResponseTrailers(trailers);
    this.finishResponse();
  }

  onResetStream(reason: StreamResetReason, details: string): void {
    this.fail(reason, details);
  }

  onCodecError(_error: CodecError): void {
    const { stats } = this.pool.cluster;
    stats.values[stats.base + STAT.upstream_cx_protocol_error]++;
    this.fail('ProtocolError', '');
    this.close('codec_error');
  }

  onGoAway(): void {
    // HTTP/1 has none.
  }
  onMaxStreamsChanged(): void {
    // HTTP/1 has one stream, always.
  }

  closeConnection(): void {
    this.close('codec_close');
  }

  private fail(reason: StreamResetReason, details: string): void {
    const decoder = this.decoder;
    if (decoder === undefined) return;
    this.countDestroyWithActiveRequest();
    this.detach();
    decoder.onResetStream(reason, details);
  }

  private finishResponse(): void {
    if (this.decoder === undefined) return;
    const early = !this.requestComplete;
    if (early) this.countDestroyWithActiveRequest();
    this.detach();
    // A request still being sent when its answer is complete leaves the connection in the middle of a message.
    if (early || this.closeAfterResponse || !this.codec.reusable || this.upstream.connection.state !== 'open')
      this.close('response_complete');
    else this.pool.release(this);
  }

  private detach(): void {
    this.decoder = undefined;
    this.encoder = undefined;
    this.watermark = undefined;
    for (; this.readDisables > 0; this.readDisables--) this.upstream.connection.readDisable(false);
    this.pool.streamEnded();
  }
}

/** Feeds what a connection reads to its codec. */
class CodecReader implements ByteReader {
  private readonly codec: ClientConnection;

  constructor(codec: ClientConnection) {
    this.codec = codec;
  }

  onData(bytes: Uint8Array, start: number, end: number): void {
    this.codec.dispatch(bytes, start, end);
  }
}
