// The TCP proxy: a connection to a host of a cluster for each downstream connection, and bytes both ways until both sides
// have ended. Nothing is read from the client before there is somebody to give it to.
// Follows Envoy's source/common/tcp_proxy/tcp_proxy.cc (Filter); docs: configuration/listeners/network_filters/tcp_proxy_filter.

import type { AccessLogType } from '../../../../api/access_log.ts';
import {
  type ConnectionCallbacks,
  type ConnectionEvent,
  type ConnectionFacts,
  type NetworkFilter,
  NetworkFilterStatus,
  type ReadFilterCallbacks,
} from '../../../../api/network/filter.ts';
import { ResponseFlag, type StreamInfo } from '../../../../api/stream_info.ts';
import { DEFAULT_PRIORITY, type HostLookupCallbacks } from '../../../../api/upstream/cluster.ts';
import { connectionLogContext } from '../../../../common/access_log/connection_log_context.ts';
import { requestCapture } from '../../../../common/capture/request_capture.ts';
import type { PoolFailureReason } from '../../../../common/conn_pool/http_conn_pool.ts';
import { TcpActiveClient } from '../../../../common/conn_pool/tcp_conn_pool.ts';
import type { UpstreamConnection } from '../../../../common/conn_pool/upstream_connection.ts';
import { monotonicNow } from '../../../../common/event/dispatcher.ts';
import { Timer, type TimerOwner } from '../../../../common/event/timer.ts';
import { randomUuid } from '../../../../common/http/random_uuid.ts';
import type { SocketConnection } from '../../../../common/network/connection.ts';
import { CLUSTER_TRAFFIC_STATS } from '../../../../common/stats/families/cluster.ts';
import { TCP_PROXY_STATS } from '../../../../common/stats/families/tcp_proxy.ts';
import type { Host } from '../../../../common/upstream/host.ts';
import type { ThreadLocalCluster } from '../../../../common/upstream/thread_local_cluster.ts';
import type { TcpProxyConfig, TcpRoute } from './config.ts';
import { Drainer } from './drainer.ts';
import type { ConnectingUpstream, GenericUpstream } from './generic_upstream.ts';
import { HttpUpstream } from './http_upstream.ts';
import { TcpLoadBalancerContext } from './load_balancer_context.ts';
import { UpstreamCallbacks } from './upstream_callbacks.ts';

const STAT = TCP_PROXY_STATS.offset;
const CLUSTER_STAT = CLUSTER_TRAFFIC_STATS.offset;

/** Filter state that chooses the cluster instead of the configuration (sni_cluster). */
const CLUSTER_KEY = 'envoy.tcp_proxy.cluster';
/** Filter state that holds the idle timeout of this connection, ms. */
const IDLE_TIMEOUT_KEY = 'envoy.tcp_proxy.per_connection_idle_timeout_ms';

/** Why there is no upstream connection, by Envoy's number (it stands in the local close reason). Envoy: UpstreamFailureReason. */
const UpstreamFailureReason = {
  ConnectFailed: 0,
  NoHealthyUpstream: 1,
  ResourceLimitExceeded: 2,
  NoRoute: 3,
} as const;

const NOBODY_WAITS: HostLookupCallbacks = { onHostLookedUp: () => undefined };

export class TcpProxy implements NetworkFilter, ConnectionCallbacks, TimerOwner {
  private readonly config: TcpProxyConfig;
  private connection!: SocketConnection;
  private info!: StreamInfo;
  private route!: TcpRoute;
  private cluster: ThreadLocalCluster | undefined = undefined;
  /** While it connects and while it is connected. */
  private client: ConnectingUpstream | undefined = undefined;
  /** Only while connected: the path of every read. */
  private upstream: GenericUpstream | undefined = undefined;
  private upstreamCallbacks: UpstreamCallbacks | undefined = undefined;
  private attempts = 0;
  private nextBackoffMs = 0;
  private idleTimeoutMs = 0;
  private downstreamPaused = false;
  private upstreamPaused = false;
  private unsentWhenIdle = 0;
  private idleTimer: Timer | undefined = undefined;
  private durationTimer: Timer | undefined = undefined;
  private logTimer: Timer | undefined = undefined;
  private retryTimer: Timer | undefined = undefined;

  constructor(config: TcpProxyConfig) {
    this.config = config;
  }

  get streamInfo(): StreamInfo {
    return this.info;
  }

  // ---- downstream ----------------------------------------------------------------------------------------------------

  initializeReadFilterCallbacks(callbacks: ReadFilterCallbacks): void {
    const { stats } = this.config;
    const connection = (this.connection = callbacks.connection as SocketConnection);
    this.info = connection.streamInfo;
    connection.addConnectionCallbacks(this);
    connection.enableHalfClose(true);
    connection.readDisable(true);
    connection.stats = {
      block: stats,
      rxBytesTotal: STAT.downstream_cx_rx_bytes_total,
      txBytesTotal: STAT.downstream_cx_tx_bytes_total,
    };
    stats.values[stats.base + STAT.downstream_cx_total]++;
  }

  onNewConnection(): NetworkFilterStatus {
    const { config, info } = this;
    if (config.accessLogs.length > 0) info.requestId = randomUuid();
    const idle = info.filterState.get(IDLE_TIMEOUT_KEY);
    this.idleTimeoutMs = idle === undefined ? config.idleTimeoutMs : Number(idle.serializeAsString());
    const now = monotonicNow();
    if (config.maxDurationMs > 0) {
      const jitter = (config.maxDurationJitterPercent / 100) * Math.random();
      this.durationTimer = new Timer(this);
      this.durationTimer.enable(config.maxDurationMs * (1 + jitter), now);
    }
    const { logMoments } = config;
    if (logMoments.intervalMs > 0) {
      this.logTimer = new Timer(this);
      this.logTimer.enable(logMoments.intervalMs, now);
    }
    if (logMoments.onStart) this.log('TcpConnectionStart');
    const cluster = info.filterState.get(CLUSTER_KEY);
    this.route =
      cluster === undefined
        ? config.pickRoute(Math.random())
        : { clusterName: cluster.serializeAsString(), metadataMatch: config.defaultMetadataMatch };
    this.connect();
    return NetworkFilterStatus.Continue;
  }

  onData(bytes: Uint8Array, start: number, end: number, endStream: boolean): NetworkFilterStatus {
    const { upstream } = this;
    if (upstream === undefined) return NetworkFilterStatus.StopIteration;
    if (end > start) {
      const { info } = this;
      info.bytesReceived += end - start;
      if (info.firstUpstreamTxByte === 0) info.firstUpstreamTxByte = monotonicNow();
      if (!upstream.writeThrough(bytes.subarray(start, end)) && !this.downstreamPaused)
        this.connection.privateBuffer?.detach();
    }
    if (endStream) upstream.endWrite();
    this.restartIdleTimer();
    return NetworkFilterStatus.StopIteration;
  }

  facts(): ConnectionFacts {
    const { idleTimer, idleTimeoutMs } = this;
    return {
      protocol: 'TCP',
      activeStreams: 0,
      streams: 0,
      draining: false,
      idleSince: idleTimer?.enabled === true ? idleTimer.deadline - idleTimeoutMs : undefined,
    };
  }

  onEvent(event: ConnectionEvent): void {
    if (event === 'Connected') return;
    const { client, upstream, connection } = this;
    this.client = undefined;
    this.upstream = undefined;
    this.idleTimer?.disable();
    this.durationTimer?.disable();
    this.logTimer?.disable();
    this.retryTimer?.disable();
    if (upstream === undefined) client?.cancel();
    else if (event === 'LocalClose') upstream.close('NoFlush', connection.info.localCloseReason);
    else if (connection.remoteReset) upstream.close('AbortReset');
    else this.flushUpstream(upstream);
    this.info.requestComplete = monotonicNow();
    this.log('TcpConnectionEnd');
    if (this.info.responseFlags !== 0) requestCapture.offerConnection(this.info);
  }

  /** The client has gone in an orderly way: what it sent is delivered all the same. */
  private flushUpstream(upstream: GenericUpstream): void {
    // Before it closes, so that its end is the drainer's business and no longer ours.
    if (upstream.unsentBytes > 0) {
      const callbacks = this.upstreamCallbacks!;
      const drainer = new Drainer(this.config, upstream, this.idleTimeoutMs);
      callbacks.drain(drainer);
    }
    upstream.close('FlushWrite');
  }

  /** The client is slow: the upstream waits. */
  onAboveWriteBufferHighWatermark(): void {
    if (this.upstreamPaused || this.upstream === undefined) return;
    this.upstreamPaused = true;
    const { values, base } = this.cluster!.stats;
    values[base + CLUSTER_STAT.upstream_flow_control_paused_reading_total]++;
    this.upstream.readDisable(true);
  }

  onBelowWriteBufferLowWatermark(): void {
    if (!this.upstreamPaused || this.upstream === undefined) return;
    this.upstreamPaused = false;
    const { values, base } = this.cluster!.stats;
    values[base + CLUSTER_STAT.upstream_flow_control_resumed_reading_total]++;
    this.upstream.readDisable(false);
    this.restartIdleTimer();
  }

  /** The upstream is slow: the client waits, or goes on. */
  pauseDownstream(pause: boolean): void {
    if (this.downstreamPaused === pause || this.connection.state !== 'open') return;
    this.downstreamPaused = pause;
    const { values, base } = this.config.stats;
    values[
      base +
        (pause
          ? STAT.downstream_flow_control_paused_reading_total
          : STAT.downstream_flow_control_resumed_reading_total)
    ]++;
    this.connection.readDisable(pause);
    if (!pause) this.restartIdleTimer();
  }

  // ---- upstream ------------------------------------------------------------------------------------------------------

  private connect(): void {
    const { config, info } = this;
    const cluster = config.clusterManager.getCluster(this.route.clusterName) as
      | ThreadLocalCluster
      | undefined;
    this.cluster = cluster;
    if (cluster === undefined) {
      config.stats.values[config.stats.base + STAT.downstream_cx_no_route]++;
      this.fail(ResponseFlag.NoClusterFound, UpstreamFailureReason.NoRoute);
      return;
    }
    info.upstreamCluster = cluster;
    info.upstreamClusterName = cluster.name;
    const { values, base } = cluster.stats;
    const resources = cluster.resourceManager(DEFAULT_PRIORITY);
    if (!resources.tryAcquireConnection()) {
      values[base + CLUSTER_STAT.upstream_cx_overflow]++;
      this.fail(ResponseFlag.UpstreamOverflow, UpstreamFailureReason.ResourceLimitExceeded);
      return;
    }
    if (this.attempts >= config.maxConnectAttempts) {
      resources.releaseConnection();
      values[base + CLUSTER_STAT.upstream_cx_connect_attempts_exceeded]++;
      this.fail(ResponseFlag.UpstreamRetryLimitExceeded, UpstreamFailureReason.ConnectFailed);
      return;
    }
    const context = new TcpLoadBalancerContext(info, this.route.metadataMatch, config.hash);
    const host = cluster.chooseHost(context);
    if (host === undefined) {
      resources.releaseConnection();
      // As in Envoy, a connection does not wait for its host to be looked up: that is for the next ones.
      const lookup = cluster.lookUpHost(context, NOBODY_WAITS);
      if (typeof lookup === 'object') lookup.cancel();
      else values[base + CLUSTER_STAT.upstream_cx_none_healthy]++;
      this.fail(ResponseFlag.NoHealthyUpstream, UpstreamFailureReason.NoHealthyUpstream);
      return;
    }
    info.upstreamRequestAttemptCount = ++this.attempts;
    info.upstreamHost = host;
    const owner = cluster.ownerOf(host);
    if (owner !== cluster) {
      resources.releaseConnection();
      owner.resourceManager(DEFAULT_PRIORITY).acquireConnection();
      this.cluster = owner;
    }
    if (config.tunneling !== undefined) {
      // The pool counts its connections itself.
      owner.resourceManager(DEFAULT_PRIORITY).releaseConnection();
      const pool = owner.httpPool(host, DEFAULT_PRIORITY, info, undefined);
      if (pool === undefined) {
        this.fail(ResponseFlag.NoHealthyUpstream, UpstreamFailureReason.NoHealthyUpstream);
        return;
      }
      const upstream = new HttpUpstream(this, config.tunneling);
      this.client = upstream;
      upstream.connect(pool);
      return;
    }
    this.upstreamCallbacks = new UpstreamCallbacks(this);
    this.client = TcpActiveClient.connect(owner, host, owner.tcpOptions(host, info), this.upstreamCallbacks);
  }

  private fail(flag: number, reason: number): void {
    this.info.responseFlags |= flag;
    this.connection.close('NoFlush', `tcp_initializion_failure:${reason}`);
  }

  onUpstreamFailure(reason: PoolFailureReason, transportFailure: string): void {
    const { info, config } = this;
    this.client = undefined;
    info.upstreamTransportFailureReason = transportFailure;
    if (reason === 'RemoteConnectionFailure' || reason === 'Timeout') {
      info.responseFlags |= ResponseFlag.UpstreamConnectionFailure;
      this.blameHost(reason === 'Timeout');
    }
    if (config.backoff === undefined || this.attempts >= config.maxConnectAttempts) {
      this.connect();
      return;
    }
    const { baseMs, maxMs } = config.backoff;
    const interval = this.nextBackoffMs === 0 ? baseMs : this.nextBackoffMs;
    this.nextBackoffMs = Math.min(interval * 2, maxMs);
    this.retryTimer ??= new Timer(this);
    this.retryTimer.enable(Math.random() * interval, monotonicNow());
  }

  /** `through`: where bytes go, `upstream.connection` or a stream on it. */
  /** The host could not be reached: what outlier detection is to know. */
  private blameHost(timeout: boolean): void {
    const monitor = this.cluster?.outlierMonitor;
    const host = this.info.upstreamHost as Host | undefined;
    if (monitor === undefined || host === undefined) return;
    if (timeout) monitor.putTimeout(host);
    else monitor.putConnectFailed(host);
  }

  onUpstreamReady(upstream: UpstreamConnection, through: GenericUpstream): void {
    const { info, config } = this;
    this.cluster?.outlierMonitor?.putConnectSuccessFinal(info.upstreamHost as Host);
    const { connection } = upstream;
    this.upstream = through;
    info.upstreamConnection = connection.info;
    info.upstreamFilterState = connection.info.filterState;
    info.upstreamConnectStart = upstream.connectStart;
    info.upstreamConnectEnd = upstream.connectEnd;
    info.upstreamHandshakeEnd = upstream.handshakeEnd;
    this.connection.readDisable(false);
    if (this.idleTimeoutMs > 0) {
      this.idleTimer = new Timer(this);
      this.restartIdleTimer();
    }
    if (config.logMoments.onConnected) this.log('TcpUpstreamConnected');
  }

  onUpstreamData(bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    const { connection, info } = this;
    if (end > start) {
      info.bytesSent += end - start;
      if (info.firstUpstreamRxByte === 0) info.firstUpstreamRxByte = monotonicNow();
      if (!connection.writeThrough(bytes.subarray(start, end)) && !this.upstreamPaused)
        this.upstream?.privateBuffer?.detach();
    }
    if (endStream) connection.endWrite();
    this.restartIdleTimer();
  }

  onUpstreamClosed(): void {
    const { upstream, connection } = this;
    this.client = undefined;
    this.upstream = undefined;
    this.idleTimer?.disable();
    if (connection.state !== 'open') return;
    if (upstream?.remoteReset === true) {
      this.info.responseFlags |= ResponseFlag.UpstreamRemoteReset;
      connection.close('AbortReset');
    } else connection.close('FlushWrite');
  }

  // ---- timers and logs -----------------------------------------------------------------------------------------------

  private restartIdleTimer(): void {
    if (this.idleTimer !== undefined && this.upstream !== undefined)
      this.idleTimer.enable(this.idleTimeoutMs, monotonicNow());
  }

  onTimeout(timer: Timer): void {
    const { values, base } = this.config.stats;
    if (timer === this.idleTimer) {
      // A peer that reads slowly is not idle: what is on its way to it has become less.
      const unsent = this.connection.unsentBytes + (this.upstream?.unsentBytes ?? 0);
      if (unsent > 0 && unsent !== this.unsentWhenIdle) {
        this.unsentWhenIdle = unsent;
        this.restartIdleTimer();
        return;
      }
      values[base + STAT.idle_timeout]++;
      this.connection.close('NoFlush', 'tcp_session_idle_timeout');
    } else if (timer === this.durationTimer) {
      values[base + STAT.max_downstream_connection_duration]++;
      this.info.responseFlags |= ResponseFlag.DurationTimeout;
      this.connection.close('NoFlush', 'max_connection_duration_reached');
    } else if (timer === this.logTimer) {
      this.log('TcpPeriodic');
      timer.enable(this.config.logMoments.intervalMs, monotonicNow());
    } else this.connect();
  }

  private log(accessLogType: AccessLogType): void {
    const { info, config } = this;
    info.downstreamWireBytesReceived = info.bytesReceived;
    info.downstreamWireBytesSent = info.bytesSent;
    info.upstreamWireBytesReceived = info.bytesSent;
    info.upstreamWireBytesSent = info.bytesReceived;
    if (config.accessLogs.length === 0) return;
    const context = connectionLogContext(info, accessLogType);
    for (const log of config.accessLogs) log.log(context);
  }
}
