// One connection to a host for one downstream connection: TCP connections are never used again, so the pool is the
// accounting around each of them. Follows Envoy's source/common/tcp/conn_pool.cc.

import type { ConnectionEvent } from '../../api/network/filter.ts';
import type { UpstreamTransportSocketOptions } from '../../api/network/transport_socket.ts';
import { DEFAULT_PRIORITY } from '../../api/upstream/cluster.ts';
import { HostSlot } from '../../api/upstream/host.ts';
import type { ByteReader } from '../network/connection.ts';
import { NetworkFilterManager } from '../network/filter_manager.ts';
import { CLUSTER_TRAFFIC_STATS } from '../stats/families/cluster.ts';
import type { Host } from '../upstream/host.ts';
import type { ThreadLocalCluster } from '../upstream/thread_local_cluster.ts';
import { happyEyeballs } from './connect_to_any.ts';
import type { HappyEyeballs, HappyEyeballsCallbacks } from './happy_eyeballs.ts';
import type { PoolFailureReason } from './http_conn_pool.ts';
import { UpstreamConnection, type UpstreamConnectionOwner } from './upstream_connection.ts';

const STAT = CLUSTER_TRAFFIC_STATS.offset;

/** Told how the attempt ended (once), then of the connection's end. `client.upstream.connection` reads into `reader`. */
export interface TcpPoolCallbacks extends ByteReader {
  onPoolReady(client: TcpActiveClient): void;
  onPoolFailure(reason: PoolFailureReason, transportFailure: string): void;
  onUpstreamEvent(event: ConnectionEvent): void;
}

/** A connection of its own for `callbacks`. */
export class TcpActiveClient implements UpstreamConnectionOwner, HappyEyeballsCallbacks {
  /** From when it is connected; before, where its host has one address. */
  upstream!: UpstreamConnection;
  readonly host: Host;
  private readonly cluster: ThreadLocalCluster;
  private readonly callbacks: TcpPoolCallbacks;
  private cancelled = false;
  /** While several addresses are tried. */
  private race: HappyEyeballs | undefined = undefined;

  /**
   * Starts to connect. The caller has a connection of the breaker already. Undefined, after `onPoolFailure('Overflow')`,
   * where too many wait for connections.
   */
  static connect(
    cluster: ThreadLocalCluster,
    host: Host,
    options: UpstreamTransportSocketOptions | undefined,
    callbacks: TcpPoolCallbacks,
  ): TcpActiveClient | undefined {
    const resources = cluster.resourceManager(DEFAULT_PRIORITY);
    const { values, base } = cluster.stats;
    if (!resources.tryAcquirePendingRequest()) {
      resources.releaseConnection();
      values[base + STAT.upstream_rq_pending_overflow]++;
      callbacks.onPoolFailure('Overflow', '');
      return undefined;
    }
    values[base + STAT.upstream_rq_pending_total]++;
    values[base + STAT.upstream_rq_pending_active]++;
    return new TcpActiveClient(cluster, host, options, callbacks);
  }

  private constructor(
    cluster: ThreadLocalCluster,
    host: Host,
    options: UpstreamTransportSocketOptions | undefined,
    callbacks: TcpPoolCallbacks,
  ) {
    this.cluster = cluster;
    this.host = host;
    this.callbacks = callbacks;
    if (host.otherIps.length === 0)
      this.ownerOf(new UpstreamConnection(cluster, host, DEFAULT_PRIORITY, options, true, this));
    else {
      const Race = happyEyeballs();
      this.race = new Race(cluster, host, DEFAULT_PRIORITY, options, true, this);
    }
  }

  ownerOf(upstream: UpstreamConnection): this {
    this.upstream = upstream;
    this.race = undefined;
    const { connection } = upstream;
    connection.enableHalfClose(true);
    connection.reader = this.callbacks;
    const { filters } = this.cluster.config;
    if (filters.length > 0) NetworkFilterManager.install(connection, filters, this.callbacks);
    return this;
  }

  onConnectFailed(timeout: boolean, event: ConnectionEvent, transportFailure: string): void {
    this.onFailed(timeout, event, transportFailure);
  }

  /** Gives a connection up that is still being made. Nothing is called any more. */
  cancel(): void {
    this.cancelled = true;
    const { values, base } = this.cluster.stats;
    values[base + STAT.upstream_rq_cancelled]++;
    if (this.race !== undefined) this.race.close();
    else this.upstream.connection.close('NoFlush');
  }

  onUpstreamConnected(): void {
    this.leaveQueue();
    const { values, base } = this.cluster.stats;
    values[base + STAT.upstream_rq_total]++;
    values[base + STAT.upstream_rq_active]++;
    this.cluster.resourceManager(DEFAULT_PRIORITY).acquireRequest();
    this.host.add(HostSlot.RequestTotal, 1);
    this.host.add(HostSlot.ActiveRequests, 1);
    this.callbacks.onPoolReady(this);
  }

  onUpstreamConnectFailed(timeout: boolean, event: ConnectionEvent): void {
    this.onFailed(timeout, event, this.upstream.connection.transportFailureReason);
  }

  private onFailed(timeout: boolean, event: ConnectionEvent, transportFailure: string): void {
    this.leaveQueue();
    if (this.cancelled) return;
    const { values, base } = this.cluster.stats;
    values[base + STAT.upstream_rq_pending_failure_eject]++;
    const remote = event === 'RemoteClose' ? 'RemoteConnectionFailure' : 'LocalConnectionFailure';
    this.callbacks.onPoolFailure(timeout ? 'Timeout' : remote, transportFailure);
  }

  onUpstreamClosed(event: ConnectionEvent): void {
    const { values, base } = this.cluster.stats;
    values[base + STAT.upstream_rq_active]--;
    values[base + STAT.upstream_cx_destroy_with_active_rq]++;
    values[
      base +
        (event === 'RemoteClose'
          ? STAT.upstream_cx_destroy_remote_with_active_rq
          : STAT.upstream_cx_destroy_local_with_active_rq)
    ]++;
    this.cluster.resourceManager(DEFAULT_PRIORITY).releaseRequest();
    this.host.add(HostSlot.ActiveRequests, -1);
    this.callbacks.onUpstreamEvent(event);
  }

  private leaveQueue(): void {
    const { values, base } = this.cluster.stats;
    values[base + STAT.upstream_rq_pending_active]--;
    this.cluster.resourceManager(DEFAULT_PRIORITY).releasePendingRequest();
  }
}
