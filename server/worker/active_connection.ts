// A downstream connection of a listener: the socket under its transport socket, with the network filters of its chain.
// Follows Envoy's source/common/listener_manager/active_tcp_listener.cc (newActiveConnection).

import type { Socket } from 'node:net';
import type { ConnectionCallbacks, ConnectionEvent, NetworkFilter } from '../api/network/filter.ts';
import type { DownstreamTransportSocketFactory } from '../api/network/transport_socket.ts';
import { enter, leave, monotonicNow } from '../common/event/dispatcher.ts';
import { Timer } from '../common/event/timer.ts';
import type { FilterChainConfig } from '../common/listener/listener_config.ts';
import { logger } from '../common/log.ts';
import { SocketConnection } from '../common/network/connection.ts';
import { NetworkFilterManager } from '../common/network/filter_manager.ts';
import {
  fromDataEvents,
  PrivateReadBuffer,
  type ReadableSocket,
  takeHandle,
  wrapHandle,
} from '../common/network/socket.ts';
import { LISTENER_STATS } from '../common/stats/families/listener.ts';
import type { ConnectionInfoRecord } from '../common/stream_info/stream_info.ts';
import type { AcceptedSocket } from './accepted_socket.ts';
import type { ActiveListener } from './active_listener.ts';

const STAT = LISTENER_STATS.offset;
const log = logger('connection');
/** node tells of a drained socket only above this many bytes; see SocketConnection's watermarks. */
const MAX_WRITABLE_HIGH_WATER_MARK = 65_536;

/** Why a connection was closed that somebody chose. */
const DRAINED_ALONE = 'connection_drained';

export class ActiveConnection implements ConnectionCallbacks {
  readonly info: ConnectionInfoRecord;
  readonly chain: FilterChainConfig;
  private readonly listener: ActiveListener;
  /** While the handshake lasts. */
  private handshaking: Socket | undefined = undefined;
  /** Undefined before the handshake is done. */
  connection: SocketConnection | undefined = undefined;
  terminal: NetworkFilter | undefined = undefined;

  /** Makes the connection; its filters begin after the handshake where there is one. */
  static create(accepted: AcceptedSocket, chain: FilterChainConfig, listener: ActiveListener): void {
    accepted.release();
    const connection = new ActiveConnection(accepted, chain, listener);
    // A connection in its handshake is one of the listener's already: it drains with its chain.
    listener.addConnection(connection, chain);
    if (chain.transportSocket === undefined) connection.beginPlain(accepted);
    else connection.beginSecure(accepted, chain.transportSocket);
  }

  private constructor(accepted: AcceptedSocket, chain: FilterChainConfig, listener: ActiveListener) {
    this.info = accepted.info;
    this.chain = chain;
    this.listener = listener;
  }

  private beginPlain(accepted: AcceptedSocket): void {
    const limit = this.listener.config.perConnectionBufferLimitBytes;
    const highWaterMark =
      limit === 0 ? MAX_WRITABLE_HIGH_WATER_MARK : Math.min(limit, MAX_WRITABLE_HIGH_WATER_MARK);
    const privateBuffer = this.chain.bulk ? new PrivateReadBuffer(limit) : undefined;
    const handle = accepted.takeHandle();
    if (handle !== undefined) {
      this.begin(accepted.info, wrapHandle(handle, highWaterMark, privateBuffer), undefined, privateBuffer);
      return;
    }
    const { socket, peeked } = accepted;
    // Bytes (or the FIN) that came while listener filters were looking are still in the old stream.
    const late = socket.read() as Buffer | null;
    const first = late === null ? peeked : peeked === undefined ? late : Buffer.concat([peeked, late]);
    const ended =
      socket.readableEnded ||
      (socket as unknown as { _readableState: { ended: boolean } })._readableState.ended;
    const taken = ended ? undefined : takeHandle(socket);
    if (taken === undefined) this.begin(accepted.info, fromDataEvents(socket), first, undefined);
    else this.begin(accepted.info, wrapHandle(taken, highWaterMark, privateBuffer), first, privateBuffer);
  }

  private beginSecure(accepted: AcceptedSocket, factory: DownstreamTransportSocketFactory): void {
    const { socket, peeked, info } = accepted;
    if (peeked !== undefined) socket.unshift(peeked);
    let timer: Timer | undefined;
    this.handshaking = socket;
    factory.wrap(socket, info, (error, ssl, secure) => {
      timer?.disable();
      this.handshaking = undefined;
      info.ssl = ssl;
      enter();
      try {
        if (error === undefined) this.begin(info, fromDataEvents(secure), undefined, undefined);
        else this.failHandshake(info, error, secure);
      } finally {
        leave();
      }
    });
    if (this.handshaking === undefined || this.chain.transportSocketConnectTimeoutMs === 0) return;
    const { stats } = this.listener;
    timer = new Timer({
      onTimeout: () => {
        stats.values[stats.base + STAT.downstream_cx_transport_socket_connect_timeout]++;
        socket.destroy();
      },
    });
    timer.enable(this.chain.transportSocketConnectTimeoutMs, monotonicNow());
  }

  private failHandshake(info: ConnectionInfoRecord, error: string, secure: Socket): void {
    info.downstreamTransportFailureReason = error;
    if (log.enabled('debug')) log.debug(`[C${info.id}] remote address:${info.remoteAddress.text},${error}`);
    secure.destroy();
    this.listener.removeConnection(this, this.chain);
  }

  private begin(
    info: ConnectionInfoRecord,
    readable: ReadableSocket,
    first: Buffer | undefined,
    privateBuffer: PrivateReadBuffer | undefined,
  ): void {
    const { chain, listener } = this;
    const connection = new SocketConnection(
      readable.socket,
      info,
      listener.config.perConnectionBufferLimitBytes,
    );
    this.connection = connection;
    connection.privateBuffer = privateBuffer;
    readable.setReader(connection);
    try {
      this.terminal = NetworkFilterManager.install(connection, chain.filters);
    } catch (error) {
      connection.fail(error);
    }
    if (connection.state === 'closed') {
      listener.removeConnection(this, chain);
      return;
    }
    // After the filters, so that they have had their say when the connection is logged.
    connection.addConnectionCallbacks(this);
    if (first !== undefined) connection.onRead(first, 0, first.length);
    // A filter that is not ready for bytes (tcp_proxy without an upstream) starts reading itself.
    if (connection.state === 'open' && !connection.readDisabled) readable.start();
  }

  onEvent(event: ConnectionEvent): void {
    if (event !== 'Connected') this.listener.removeConnection(this, this.chain);
  }

  closeIfIdle(): void {
    this.terminal?.closeIfIdle?.();
  }

  /** HTTP: what is under way finishes. */
  drain(): void {
    if (this.terminal?.drain === undefined) this.close(DRAINED_ALONE);
    else this.terminal.drain();
  }

  close(reason: string): void {
    // The end of a handshake is told to its callback.
    this.handshaking?.destroy();
    this.connection?.close('FlushWriteAndDelay', reason);
  }
}
