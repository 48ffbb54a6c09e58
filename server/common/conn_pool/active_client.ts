// A connection of a pool of HTTP connections: how many streams it still takes, and when it ends by itself.
// Follows Envoy's ActiveClient (source/common/conn_pool/conn_pool_base.cc) and CodecClient (source/common/http/codec_client.cc).

import type { ResponseDecoder } from '../../api/http/codec.ts';
import type { ConnectionEvent } from '../../api/network/filter.ts';
import { monotonicNow } from '../event/dispatcher.ts';
import { Timer, type TimerOwner } from '../event/timer.ts';
import { CLUSTER_TRAFFIC_STATS } from '../stats/families/cluster.ts';
import type { ConnPoolBase } from './conn_pool_base.ts';
import type { PoolStream } from './http_conn_pool.ts';
import { UpstreamConnection, type UpstreamConnectionOwner } from './upstream_connection.ts';

const STAT = CLUSTER_TRAFFIC_STATS.offset;

export abstract class ActiveClient implements UpstreamConnectionOwner, TimerOwner {
  abstract readonly protocol: 'HTTP/1.0' | 'HTTP/1.1' | 'HTTP/2';
  readonly pool: ConnPoolBase;
  readonly upstream: UpstreamConnection;
  /** In the pool's list of those with room. */
  ready = false;
  /** Takes no more streams: it closes with the last one. */
  draining = false;
  activeStreams = 0;
  /** Streams at a time that both ends allow. */
  protected concurrentStreamLimit: number;
  /** Streams that the connection can take when it is made. */
  readonly capacity: number;
  protected closedBy: ConnectionEvent = 'LocalClose';
  private remainingStreams: number;
  private streamCount = 0;
  private readonly idleTimer: Timer;
  private readonly durationTimer: Timer | undefined;

  /** Connects, or takes `upstream`, which is connected. */
  constructor(pool: ConnPoolBase, concurrentStreamLimit: number, upstream: UpstreamConnection | undefined) {
    this.pool = pool;
    const { cluster, host, options } = pool;
    const { maxRequestsPerConnection, maxConnectionDurationMs } = cluster.features;
    this.concurrentStreamLimit = concurrentStreamLimit;
    this.remainingStreams = maxRequestsPerConnection > 0 ? maxRequestsPerConnection : Number.MAX_SAFE_INTEGER;
    this.capacity = Math.min(concurrentStreamLimit, this.remainingStreams);
    this.idleTimer = new Timer(this);
    this.durationTimer = maxConnectionDurationMs > 0 ? new Timer(this) : undefined;
    if (upstream === undefined) {
      this.upstream = new UpstreamConnection(
        cluster,
        host,
        options.priority,
        options.transportSocket,
        false,
        this,
      );
    } else {
      this.upstream = upstream;
      upstream.owner = this;
    }
  }

  /** Begins a stream. Only while there is `room`. */
  abstract newStream(decoder: ResponseDecoder): PoolStream;

  /** Streams that may begin now. Negative when the peer has lowered its limit below what is under way. */
  get room(): number {
    if (this.draining) return 0;
    return Math.min(this.concurrentStreamLimit - this.activeStreams, this.remainingStreams);
  }

  /** Counts a stream in. */
  protected beginStream(): void {
    this.idleTimer.disable();
    this.activeStreams++;
    this.streamCount++;
    if (--this.remainingStreams > 0) return;
    this.draining = true;
    const { values, base } = this.pool.cluster.stats;
    values[base + STAT.upstream_cx_max_requests]++;
  }

  /** Counts it out. The pool may begin another within the call, or close the connection. */
  protected endStream(): void {
    this.activeStreams--;
    this.pool.onStreamEnded(this);
  }

  onUpstreamConnected(): void {
    this.onConnected();
    this.pool.onConnected(this, this.capacity);
  }

  /** The connection is there; streams may come as soon as this returns. */
  onConnected(): void {
    const { maxConnectionDurationMs } = this.pool.cluster.features;
    this.durationTimer?.enable(maxConnectionDurationMs, monotonicNow());
  }

  onUpstreamConnectFailed(timeout: boolean): void {
    const reason = timeout ? 'Timeout' : 'RemoteConnectionFailure';
    this.pool.onConnectFailed(this.capacity, reason, this.upstream.connection.transportFailureReason);
  }

  onUpstreamClosed(event: ConnectionEvent): void {
    this.idleTimer.disable();
    this.durationTimer?.disable();
    this.closedBy = event;
    this.draining = true;
    const { stats } = this.pool.cluster;
    stats.record(STAT.upstream_rq_per_cx, this.streamCount);
    this.endStreams();
    this.pool.onClosed(this);
  }

  /** The connection is gone: so are the streams on it. */
  protected abstract endStreams(): void;

  protected countDestroyWithActiveRequest(): void {
    const { values, base } = this.pool.cluster.stats;
    values[base + STAT.upstream_cx_destroy_with_active_rq]++;
    values[
      base +
        (this.closedBy === 'RemoteClose'
          ? STAT.upstream_cx_destroy_remote_with_active_rq
          : STAT.upstream_cx_destroy_local_with_active_rq)
    ]++;
  }

  close(): void {
    this.upstream.connection.close('NoFlush');
  }

  /** Nothing is under way: it may wait for the next stream so long. */
  waitIdle(): void {
    const { idleTimeoutMs } = this.pool.cluster.features;
    if (idleTimeoutMs > 0) this.idleTimer.enable(idleTimeoutMs, monotonicNow());
  }

  onTimeout(timer: Timer): void {
    const { values, base } = this.pool.cluster.stats;
    if (timer === this.idleTimer) {
      values[base + STAT.upstream_cx_idle_timeout]++;
      this.close();
      return;
    }
    values[base + STAT.upstream_cx_max_duration_reached]++;
    this.draining = true;
    this.pool.onRoomChanged(this);
  }
}
