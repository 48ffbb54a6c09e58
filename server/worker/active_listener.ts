// A listener at work on one thread: takes accepted sockets through listener filters, filter chain match and transport
// socket, and keeps its connections by filter chain. Follows Envoy's source/common/listener_manager/active_tcp_listener.cc.

import type { StatBlock, StatStore } from '../api/stats.ts';
import { type Address, ResponseFlag, type StreamInfo } from '../api/stream_info.ts';
import { connectionLogContext } from '../common/access_log/connection_log_context.ts';
import { requestCapture } from '../common/capture/request_capture.ts';
import { monotonicNow } from '../common/event/dispatcher.ts';
import type { BalancedWorker } from '../common/listener/exact_balance.ts';
import type { FilterChainConfig, ListenerConfig } from '../common/listener/listener_config.ts';
import { ipAddress, pipeAddress } from '../common/network/address.ts';
import { newConnectionId } from '../common/network/connection.ts';
import { handleAddress, type SocketHandle } from '../common/network/socket.ts';
import { LISTENER_STATS, PER_HANDLER_LISTENER_STATS } from '../common/stats/families/listener.ts';
import { ConnectionInfoRecord } from '../common/stream_info/stream_info.ts';
import { AcceptedSocket } from './accepted_socket.ts';
import { ActiveConnection } from './active_connection.ts';

const STAT = LISTENER_STATS.offset;
/** Clients of Unix sockets have no name. */
const NAMELESS_PIPE = pipeAddress('');
const WORKER_STAT = PER_HANDLER_LISTENER_STATS.offset;

/** Finds the listener for a destination that an original_dst filter restored. */
export interface ListenerLookup {
  findByDestination(address: Address): ActiveListener | undefined;
}

export class ActiveListener {
  config: ListenerConfig;
  readonly stats: StatBlock;
  readonly workerIndex: number;
  /** This worker as the others see it, where connections are balanced. */
  private readonly balanced: BalancedWorker | undefined;
  private readonly workerStats: StatBlock;
  private readonly store: StatStore;
  private readonly lookup: ListenerLookup;
  private readonly connections = new Map<FilterChainConfig, Set<ActiveConnection>>();
  private readonly accepting = new Set<AcceptedSocket>();
  private connectionCount = 0;
  /** Called whenever a socket is no longer this listener's; a draining one is done when it has none. */
  onSocketGone: () => void = () => {};
  private closingListenSockets = 0;
  private present = false;

  constructor(config: ListenerConfig, workerIndex: number, store: StatStore, lookup: ListenerLookup) {
    this.config = config;
    this.workerIndex = workerIndex;
    this.balanced = config.exactBalance?.[workerIndex];
    this.lookup = lookup;
    this.store = store;
    this.stats = store.block(LISTENER_STATS, `listener.${config.statName}.`);
    this.workerStats = store.block(
      PER_HANDLER_LISTENER_STATS,
      `listener.${config.statName}.worker_${workerIndex}.`,
    );
  }

  /** Tells the other workers whether new connections may come here. */
  takesConnections(takes: boolean): void {
    if (this.balanced === undefined || takes === this.present) return;
    this.present = takes;
    if (takes) this.balanced.present.tryAcquire(Number.MAX_SAFE_INTEGER);
    else this.balanced.present.release();
  }

  /**
   * A connection from a listening socket of this listener at `address`; nothing is read yet. Where connections are balanced it
   * is counted already.
   */
  onAccept(handle: SocketHandle, address: Address): void {
    const info = connectionInfo(handle, address, this.config.name);
    // Without an address it was gone before we looked.
    if (info === undefined) {
      this.balanced?.connections.release();
      handle.close();
    } else this.accept(new AcceptedSocket(handle, info, this));
  }

  private accept(accepted: AcceptedSocket): void {
    this.accepting.add(accepted);
    this.stats.values[this.stats.base + STAT.downstream_pre_cx_active]++;
    accepted.start(this.config);
  }

  /** One of its listen sockets takes its last connections; to be called again with `false` when it is closed. */
  setClosing(closing: boolean): void {
    this.closingListenSockets += closing ? 1 : -1;
    if (!closing) this.onSocketGone();
  }

  /** Listener filters are done. `false`: the socket is closed already. */
  onListenerFiltersDone(accepted: AcceptedSocket, success: boolean): void {
    this.accepting.delete(accepted);
    this.stats.values[this.stats.base + STAT.downstream_pre_cx_active]--;
    if (success) this.dispatch(accepted);
    else this.balanced?.connections.release();
    this.onSocketGone();
  }

  private dispatch(accepted: AcceptedSocket): void {
    const { info } = accepted;
    if (this.config.useOriginalDst && info.localAddressRestored && !accepted.handedOff) {
      const other = this.lookup.findByDestination(info.localAddress);
      if (other !== undefined && other !== this) {
        this.balanced?.connections.release();
        accepted.handOffTo(other);
        // It stays on this thread.
        other.balanced?.connections.tryAcquire(Number.MAX_SAFE_INTEGER);
        other.accept(accepted);
        return;
      }
    }
    const chain = this.config.matcher.find(info);
    if (chain === undefined) {
      this.stats.values[this.stats.base + STAT.no_filter_chain_match]++;
      this.balanced?.connections.release();
      accepted.destroy();
      this.logUnmatched(info.streamInfo);
      return;
    }
    info.filterChainName = chain.name;
    info.filterChainMetadata = chain.metadata;
    ActiveConnection.create(accepted, chain, this);
  }

  /** A connection begins to be one. */
  addConnection(connection: ActiveConnection, chain: FilterChainConfig): void {
    let set = this.connections.get(chain);
    if (set === undefined) this.connections.set(chain, (set = new Set()));
    set.add(connection);
    this.connectionCount++;
    const { stats, workerStats } = this;
    stats.values[stats.base + STAT.downstream_cx_total]++;
    stats.values[stats.base + STAT.downstream_cx_active]++;
    workerStats.values[workerStats.base + WORKER_STAT.downstream_cx_total]++;
    workerStats.values[workerStats.base + WORKER_STAT.downstream_cx_active]++;
  }

  /** It is closed, or never got through its handshake. */
  removeConnection(connection: ActiveConnection, chain: FilterChainConfig): void {
    const set = this.connections.get(chain);
    if (set === undefined || !set.delete(connection)) return;
    if (set.size === 0) this.connections.delete(chain);
    this.connectionCount--;
    this.balanced?.connections.release();
    const { stats, workerStats } = this;
    stats.values[stats.base + STAT.downstream_cx_destroy]++;
    stats.values[stats.base + STAT.downstream_cx_active]--;
    workerStats.values[workerStats.base + WORKER_STAT.downstream_cx_active]--;
    const now = monotonicNow();
    const { info } = connection;
    stats.record(STAT.downstream_cx_length_ms, now - info.startTimeMonotonic);
    if (this.config.accessLogs.length > 0) this.log(info.streamInfo, now);
    this.onSocketGone();
  }

  /** Envoy: ActiveStreamListenerBase::newConnection. */
  private logUnmatched(streamInfo: StreamInfo): void {
    streamInfo.responseFlags |= ResponseFlag.NoRouteFound;
    streamInfo.responseCodeDetails = 'filter_chain_not_found';
    if (this.config.accessLogs.length > 0) this.log(streamInfo, monotonicNow());
    requestCapture.offerConnection(streamInfo);
  }

  private log(streamInfo: StreamInfo, now: number): void {
    streamInfo.requestComplete = now;
    const context = connectionLogContext(streamInfo);
    for (const log of this.config.accessLogs) log.log(context);
  }

  /** Connections in whatever chain, sockets that are still in listener filters, and listen sockets that close. */
  get openSockets(): number {
    return this.connectionCount + this.accepting.size + this.closingListenSockets;
  }

  *allConnections(): Generator<ActiveConnection> {
    for (const connections of this.connections.values()) yield* connections;
  }

  chainsWithConnections(): readonly FilterChainConfig[] {
    return [...this.connections.keys()];
  }

  /** Connections of a draining chain that are idle close now. */
  closeIdle(chain: FilterChainConfig): void {
    for (const connection of [...(this.connections.get(chain) ?? [])]) connection.closeIfIdle();
  }

  closeChain(chain: FilterChainConfig, reason: string): void {
    for (const connection of [...(this.connections.get(chain) ?? [])]) connection.close(reason);
  }

  /** Sockets that are still in listener filters have no chain that could drain. */
  closeAccepting(): void {
    for (const accepted of [...this.accepting]) accepted.destroy();
  }

  releaseStats(): void {
    this.store.release(this.stats);
    this.store.release(this.workerStats);
  }
}

/** `configured`: the address of the listening socket. Undefined when the connection is gone already. */
function connectionInfo(
  handle: SocketHandle,
  configured: Address,
  listenerName: string,
): ConnectionInfoRecord | undefined {
  const id = newConnectionId();
  const now = Date.now();
  if (configured.ip === '')
    return new ConnectionInfoRecord(id, NAMELESS_PIPE, configured, listenerName, now, monotonicNow());
  const remote = handleAddress(handle, 'peer');
  const local = handleAddress(handle, 'local');
  if (remote === undefined || local === undefined) return undefined;
  // Nearly always the address that was configured: thousands of connections share that one object.
  const same = configured.ip === local.address && configured.port === local.port;
  return new ConnectionInfoRecord(
    id,
    ipAddress(remote.address, remote.port),
    same ? configured : ipAddress(local.address, local.port),
    listenerName,
    now,
    monotonicNow(),
  );
}
