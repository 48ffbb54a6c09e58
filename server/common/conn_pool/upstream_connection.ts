// Opens a connection to a host: source address, keep-alive, TLS where the host wants it, the connect timeout, and the
// stats every upstream connection has. The pools build on it. Envoy: HostImplBase::createConnection and ActiveClient
// (source/common/upstream/upstream_impl.cc, source/common/conn_pool/conn_pool_base.cc).

import type { Socket } from 'node:net';
import type { ConnectionEvent } from '../../api/network/filter.ts';
import type { UpstreamTransportSocketOptions } from '../../api/network/transport_socket.ts';
import type { Priority } from '../../api/upstream/cluster.ts';
import { HostSlot } from '../../api/upstream/host.ts';
import { enter, leave, monotonicNow } from '../event/dispatcher.ts';
import { Timer, type TimerOwner } from '../event/timer.ts';
import { ipAddress } from '../network/address.ts';
import { newConnectionId, SocketConnection } from '../network/connection.ts';
import { connectSocket, fromDataEvents, PrivateReadBuffer, type ReadableSocket } from '../network/socket.ts';
import { CLUSTER_TRAFFIC_STATS } from '../stats/families/cluster.ts';
import { ConnectionInfoRecord } from '../stream_info/stream_info.ts';
import type { Host } from '../upstream/host.ts';
import type { ThreadLocalCluster } from '../upstream/thread_local_cluster.ts';
import type { HappyEyeballs } from './happy_eyeballs.ts';

const STAT = CLUSTER_TRAFFIC_STATS.offset;

/** Told how a connection attempt ended. Exactly one of the two is called, once. */
export interface UpstreamConnectionOwner {
  onUpstreamConnected(): void;
  /** `timeout`: the connect timeout fired. */
  onUpstreamConnectFailed(timeout: boolean, event: ConnectionEvent): void;
  /** The connection was up and is gone. */
  onUpstreamClosed(event: ConnectionEvent): void;
}

/** A connection to a host. `connection.reader` is the owner's to set. */
export class UpstreamConnection implements TimerOwner {
  readonly connection: SocketConnection;
  readonly host: Host;
  readonly cluster: ThreadLocalCluster;
  connected = false;
  /** `performance.now()` ms. */
  readonly connectStart: number;
  connectEnd = 0;
  handshakeEnd = 0;
  /** Who is told. Changes hands when it turns out which protocol is spoken. */
  owner: UpstreamConnectionOwner;
  private readonly timer: Timer;
  private readonly readable: ReadableSocket;
  private readonly priority: Priority;
  private readonly race: HappyEyeballs | undefined;
  private finished = false;
  private timedOut = false;

  /**
   * `bulk`: read into a private, growing buffer (TCP proxying) instead of the shared one. `attempt`: to one of several
   * addresses, and one of several connections of which one will be; it counts, and has an owner, when it has won.
   */
  constructor(
    cluster: ThreadLocalCluster,
    host: Host,
    priority: Priority,
    options: UpstreamTransportSocketOptions | undefined,
    bulk: boolean,
    owner: UpstreamConnectionOwner,
    attempt?: { readonly race: HappyEyeballs; readonly ip: string },
  ) {
    this.cluster = cluster;
    this.host = host;
    this.owner = owner;
    this.priority = priority;
    this.race = attempt?.race;
    this.connectStart = attempt?.race.connectStart ?? monotonicNow();
    const ip = attempt?.ip ?? host.address.ip;
    const { config } = cluster;
    const bind = config.bindAddress;
    const secure = host.transportSocket;
    const privateBuffer =
      bulk && secure === undefined ? new PrivateReadBuffer(config.perConnectionBufferLimitBytes) : undefined;
    const raw = connectSocket(
      {
        ip,
        port: host.address.port,
        path: ip === '' ? host.address.text : '',
        localAddress: bind?.ip,
        localPort: bind?.port ?? 0,
      },
      secure === undefined,
      privateBuffer,
    );
    const id = newConnectionId();
    const info = new ConnectionInfoRecord(
      id,
      attempt === undefined ? host.address : ipAddress(ip, host.address.port),
      UNKNOWN_ADDRESS,
      '',
      Date.now(),
      this.connectStart,
    );
    let socket: Socket = raw.socket;
    if (secure === undefined) {
      this.readable = raw;
      socket.once('connect', () => this.onConnected());
    } else {
      socket.once('connect', () => {
        this.connectEnd = performance.now();
      });
      socket = secure.wrap(raw.socket, options ?? defaultOptions(host), (error, ssl) => {
        info.ssl = ssl;
        if (error === undefined) this.onConnected();
        else this.onHandshakeFailed(error);
      });
      this.readable = fromDataEvents(socket);
    }
    this.connection = new SocketConnection(socket, info, config.perConnectionBufferLimitBytes);
    this.connection.privateBuffer = privateBuffer;
    this.readable.setReader(this.connection);
    this.connection.stats = {
      block: cluster.stats,
      rxBytesTotal: STAT.upstream_cx_rx_bytes_total,
      txBytesTotal: STAT.upstream_cx_tx_bytes_total,
    };
    this.connection.addConnectionCallbacks({ onEvent: (event) => this.onEvent(event) });
    if (config.tcpKeepalive !== undefined && ip !== '') {
      const { time, interval, probes } = config.tcpKeepalive;
      raw.socket.setKeepAlive(true, time * 1000, interval * 1000, probes);
    }
    this.timer = new Timer(this);
    if (attempt !== undefined) return;
    this.timer.enable(config.connectTimeoutMs, this.connectStart);
    UpstreamConnection.countBegin(cluster, host);
  }

  static countBegin(cluster: ThreadLocalCluster, host: Host): void {
    cluster.hold();
    const { values, base } = cluster.stats;
    values[base + STAT.upstream_cx_total]++;
    values[base + STAT.upstream_cx_active]++;
    host.add(HostSlot.ActiveConnections, 1);
    host.add(HostSlot.ConnectionTotal, 1);
  }

  /** All but `letGo`, which comes after whoever is told of the end. */
  static countEnd(
    cluster: ThreadLocalCluster,
    host: Host,
    priority: Priority,
    event: ConnectionEvent,
    connectStart: number,
  ): void {
    const { values, base } = cluster.stats;
    values[base + STAT.upstream_cx_active]--;
    values[base + STAT.upstream_cx_destroy]++;
    values[
      base + (event === 'RemoteClose' ? STAT.upstream_cx_destroy_remote : STAT.upstream_cx_destroy_local)
    ]++;
    host.add(HostSlot.ActiveConnections, -1);
    cluster.resourceManager(priority).releaseConnection();
    cluster.stats.record(STAT.upstream_cx_length_ms, monotonicNow() - connectStart);
  }

  static countConnectFailed({ stats }: ThreadLocalCluster, host: Host): void {
    stats.values[stats.base + STAT.upstream_cx_connect_fail]++;
    host.add(HostSlot.ConnectFail, 1);
  }

  onTimeout(): void {
    const { values, base } = this.cluster.stats;
    values[base + STAT.upstream_cx_connect_timeout]++;
    this.timedOut = true;
    this.connection.close('NoFlush', 'connect_timeout');
  }

  private onConnected(): void {
    if (this.finished || this.connection.state === 'closed') return;
    enter();
    try {
      this.timer.disable();
      this.connected = true;
      this.race?.onWon(this);
      const now = monotonicNow();
      const { socket } = this.connection;
      if (this.host.transportSocket === undefined) this.connectEnd = now;
      else this.handshakeEnd = now;
      const info = this.connection.info as ConnectionInfoRecord;
      if (socket.localAddress !== undefined)
        info.localAddress = ipAddress(socket.localAddress, socket.localPort ?? 0);
      this.cluster.stats.record(STAT.upstream_cx_connect_ms, now - this.connectStart);
      this.readable.start();
      this.connection.raiseConnected();
      this.owner.onUpstreamConnected();
    } finally {
      leave();
    }
  }

  private onHandshakeFailed(error: string): void {
    this.connection.transportFailureReason = error;
    enter();
    try {
      this.connection.close('NoFlush', error);
    } finally {
      leave();
    }
  }

  private onEvent(event: ConnectionEvent): void {
    if (event === 'Connected' || this.finished) return;
    this.finished = true;
    this.timer.disable();
    const { cluster, host, race } = this;
    if (race !== undefined && !this.connected) {
      race.onLost(this, event);
      return;
    }
    UpstreamConnection.countEnd(cluster, host, this.priority, event, this.connectStart);
    if (this.connected) {
      this.owner.onUpstreamClosed(event);
    } else {
      UpstreamConnection.countConnectFailed(cluster, host);
      this.owner.onUpstreamConnectFailed(this.timedOut, event);
    }
    cluster.letGo();
  }
}

const UNKNOWN_ADDRESS = { ip: '', port: 0, text: '' };

function defaultOptions(host: Host): UpstreamTransportSocketOptions {
  return {
    host,
    alpnOverride: undefined,
    alpnFallback: [],
    sniOverride: undefined,
    sanOverride: undefined,
    downstreamAddresses: undefined,
    hashKey: '',
  };
}
