// A downstream connection of a listener: the socket under its transport socket, with the network filters of its chain.
// Follows Envoy's source/common/listener_manager/active_tcp_listener.cc (newActiveConnection).

import type { Socket } from 'node:net';
import type { NetworkFilter } from '../api/network/filter.ts';
import { enter, leave, monotonicNow } from '../common/event/dispatcher.ts';
import { Timer } from '../common/event/timer.ts';
import type { FilterChainConfig } from '../common/listener/listener_config.ts';
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
import type { AcceptedSocket } from './accepted_socket.ts';
import type { ActiveListener } from './active_listener.ts';

const STAT = LISTENER_STATS.offset;
/** node tells of a drained socket only above this many bytes; see SocketConnection's watermarks. */
const MAX_WRITABLE_HIGH_WATER_MARK = 65_536;

export class ActiveConnection {
  private readonly connection: SocketConnection;
  private readonly terminal: NetworkFilter | undefined;

  private constructor(connection: SocketConnection, terminal: NetworkFilter | undefined) {
    this.connection = connection;
    this.terminal = terminal;
  }

  /** Makes the connection, after the handshake where there is one. */
  static create(accepted: AcceptedSocket, chain: FilterChainConfig, listener: ActiveListener): void {
    accepted.release();
    if (chain.transportSocket === undefined) ActiveConnection.createPlain(accepted, chain, listener);
    else ActiveConnection.createSecure(accepted, chain, listener);
  }

  private static createPlain(
    accepted: AcceptedSocket,
    chain: FilterChainConfig,
    listener: ActiveListener,
  ): void {
    const limit = listener.config.perConnectionBufferLimitBytes;
    const highWaterMark =
      limit === 0 ? MAX_WRITABLE_HIGH_WATER_MARK : Math.min(limit, MAX_WRITABLE_HIGH_WATER_MARK);
    const privateBuffer = chain.bulk ? new PrivateReadBuffer() : undefined;
    const handle = accepted.takeHandle();
    if (handle !== undefined) {
      begin(
        wrapHandle(handle, highWaterMark, privateBuffer),
        accepted,
        chain,
        listener,
        undefined,
        privateBuffer,
      );
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
    if (taken === undefined) begin(fromDataEvents(socket), accepted, chain, listener, first, undefined);
    else
      begin(wrapHandle(taken, highWaterMark, privateBuffer), accepted, chain, listener, first, privateBuffer);
  }

  private static createSecure(
    accepted: AcceptedSocket,
    chain: FilterChainConfig,
    listener: ActiveListener,
  ): void {
    const { socket, peeked, info } = accepted;
    const factory = chain.transportSocket!;
    if (peeked !== undefined) socket.unshift(peeked);
    let timer: Timer | undefined;
    const secure: Socket = factory.wrap(socket, info, (error, ssl) => {
      timer?.disable();
      if (error !== undefined) {
        accepted.streamInfo.connectionTerminationDetails = error;
        secure.destroy();
        return;
      }
      info.ssl = ssl;
      enter();
      try {
        begin(fromDataEvents(secure), accepted, chain, listener, undefined, undefined);
      } finally {
        leave();
      }
    });
    if (chain.transportSocketConnectTimeoutMs > 0) {
      timer = new Timer({
        onTimeout: () => {
          listener.stats.values[listener.stats.base + STAT.downstream_cx_transport_socket_connect_timeout]++;
          secure.destroy();
        },
      });
      timer.enable(chain.transportSocketConnectTimeoutMs, monotonicNow());
    }
  }

  static attach(
    connection: SocketConnection,
    chain: FilterChainConfig,
    listener: ActiveListener,
    terminal: NetworkFilter | undefined,
  ): void {
    const active = new ActiveConnection(connection, terminal);
    listener.addConnection(active, chain);
    connection.addConnectionCallbacks({
      onEvent: (event) => {
        if (event !== 'Connected') listener.removeConnection(active, chain, connection);
      },
    });
  }

  closeIfIdle(): void {
    this.terminal?.closeIfIdle?.();
  }

  close(reason: string): void {
    this.connection.close('FlushWriteAndDelay', reason);
  }
}

function begin(
  readable: ReadableSocket,
  accepted: AcceptedSocket,
  chain: FilterChainConfig,
  listener: ActiveListener,
  first: Buffer | undefined,
  privateBuffer: PrivateReadBuffer | undefined,
): void {
  const connection = new SocketConnection(
    readable.socket,
    accepted.info,
    accepted.streamInfo,
    listener.config.perConnectionBufferLimitBytes,
  );
  connection.privateBuffer = privateBuffer;
  readable.setReader(connection);
  const terminal = NetworkFilterManager.install(connection, chain.filters);
  if (connection.state !== 'open') return;
  ActiveConnection.attach(connection, chain, listener, terminal);
  if (first !== undefined) connection.onRead(first, 0, first.length);
  // A filter that is not ready for bytes (tcp_proxy without an upstream) starts reading itself.
  if (connection.state === 'open' && !connection.readDisabled) readable.start();
}
