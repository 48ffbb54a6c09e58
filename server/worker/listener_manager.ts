// The listeners of one worker: swaps filter chains in place or a whole listener behind its socket, and drains what was
// replaced. Follows Envoy's source/common/listener_manager/connection_handler_impl.cc and listener_manager_impl.cc.

import { decode } from '../../xds-protos/load.ts';
import type { FactoryContext } from '../api/registry.ts';
import type { StatBlock } from '../api/stats.ts';
import type { Address } from '../api/stream_info.ts';
import { listenSocketKeys } from '../common/listener/listen_socket_key.ts';
import {
  compileListener,
  type FilterChainConfig,
  type ListenerConfig,
} from '../common/listener/listener_config.ts';
import { formatAddress } from '../common/network/address.ts';
import type { SocketHandle } from '../common/network/socket.ts';
import type { TcpKeepalive } from '../common/network/tcp_keepalive.ts';
import { forgetRouteHits } from '../common/router/route_hits.ts';
import { LISTENER_MANAGER_STATS } from '../common/stats/families/managers.ts';
import type { ResourceUpdate } from '../messages.ts';
import { ActiveListener, type ListenerLookup } from './active_listener.ts';
import { ConnectionExchange } from './connection_exchange.ts';
import { type BoundSocket, ListenSocket } from './listen_socket.ts';

type ListenerUpdate = Extract<ResourceUpdate, { kind: 'listener' }>;

/** How long and in what manner replaced chains drain. */
export interface DrainOptions {
  /** ms. Source: --drain-time-s, 600 s. */
  readonly drainTimeMs: number;
  readonly drainStrategy: 'gradual' | 'immediate';
  /** Name of the channel to the other workers. */
  readonly exchange: string;
}

const AT = LISTENER_MANAGER_STATS.offset;
/** Why a connection was closed (%CONNECTION_TERMINATION_DETAILS% has no word of Envoy's for it). */
const DRAINED = 'drain_time_exceeded';
/** ms between looks for idle connections while everything drains. */
const SWEEP_INTERVAL_MS = 100;

export class WorkerListenerManager implements ListenerLookup {
  private readonly context: FactoryContext;
  private readonly workerIndex: number;
  private readonly options: DrainOptions;
  private readonly stats: StatBlock;
  private readonly listeners = new Map<string, ActiveListener>();
  /** Replaced or removed listeners with connections. */
  private readonly draining = new Set<ActiveListener>();
  /** Sockets by key; those from main that no listener uses yet are in `bound`. */
  private readonly sockets = new Map<string, ListenSocket>();
  private readonly bound = new Map<string, BoundSocket>();
  /** Sockets that take their last connections. */
  private readonly leaving = new Map<string, ListenSocket>();
  /** For use_original_dst: listeners by address. */
  private byAddress = new Map<string, ActiveListener>();
  private readonly timers = new Set<NodeJS.Timeout>();
  private readonly exchange: ConnectionExchange;
  private stopped = false;

  constructor(context: FactoryContext, workerIndex: number, options: DrainOptions) {
    this.context = context;
    this.workerIndex = workerIndex;
    this.options = options;
    this.stats = context.stats.block(LISTENER_MANAGER_STATS, 'listener_manager.');
    this.exchange = new ConnectionExchange(workerIndex, options.exchange, (key, handle) =>
      this.onGiven(key, handle),
    );
  }

  /** A socket that main has bound for a listener to come. */
  addBoundSocket(key: string, socket: BoundSocket): void {
    this.bound.set(key, socket);
  }

  apply(update: ListenerUpdate): void {
    try {
      this.applyListener(update);
      this.count(AT.listener_create_success);
    } catch (error) {
      this.count(AT.listener_create_failure);
      throw error;
    }
  }

  private count(offset: number): void {
    this.stats.values[this.stats.base + offset] = (this.stats.values[this.stats.base + offset] as number) + 1;
  }

  private applyListener(update: ListenerUpdate): void {
    const before = this.listeners.get(update.name);
    const message = decode('envoy.config.listener.v3.Listener', update.bytes);
    const config = compileListener(message, this.context, '', before?.config);
    if (before !== undefined && before.config.shellKey === config.shellKey)
      this.updateInPlace(before, config);
    else this.replace(update.name, before, config);
    this.indexAddresses();
  }

  /** Only filter chains differ: connections of equal chains stay, those of the others drain. */
  private updateInPlace(listener: ActiveListener, config: ListenerConfig): void {
    const kept = new Set(config.filterChains);
    const gone = listener.config.filterChains.filter((chain) => !kept.has(chain));
    listener.config = config;
    for (const chain of gone) this.drainChain(listener, chain);
  }

  /** `name`: a static listener without one has one of main's making. */
  private replace(name: string, before: ActiveListener | undefined, config: ListenerConfig): void {
    const listener = new ActiveListener(config, this.workerIndex, this.context.stats, this);
    this.listeners.set(name, listener);
    const used = new Set<string>();
    if (config.bindToPort && !this.stopped) {
      const keys = listenSocketKeys(name, config.addresses);
      for (const [index, address] of config.addresses.entries()) {
        const key = keys[index] as string;
        used.add(key);
        this.listen(key, address, listener, config.tcpKeepalives[index]);
      }
    }
    if (config.exactBalance !== undefined) this.exchange.open();
    listener.takesConnections(true);
    if (before === undefined) return;
    for (const key of listenSocketKeys(name, before.config.addresses)) {
      if (!used.has(key)) this.closeSocket(key, before);
    }
    this.drainListener(before);
  }

  private listen(
    key: string,
    address: Address,
    listener: ActiveListener,
    keepalive: TcpKeepalive | undefined,
  ): void {
    let socket = this.sockets.get(key);
    if (socket === undefined) {
      const bound = this.bound.get(key);
      if (bound === undefined) return;
      this.bound.delete(key);
      socket = new ListenSocket(listener, bound, key, address, this.exchange);
      this.sockets.set(key, socket);
    }
    socket.listener = listener;
    socket.setKeepalive(keepalive);
  }

  private closeSocket(key: string, owner: ActiveListener): void {
    const socket = this.sockets.get(key);
    if (socket === undefined || socket.listener !== owner) return;
    this.sockets.delete(key);
    this.leaving.set(key, socket);
    owner.setClosing(true);
    socket.close(() => {
      if (this.leaving.get(key) === socket) this.leaving.delete(key);
      owner.setClosing(false);
    });
  }

  remove(name: string): void {
    const listener = this.listeners.get(name);
    if (listener === undefined) return;
    this.listeners.delete(name);
    forgetRouteHits(`listener ${name}`);
    for (const key of listenSocketKeys(name, listener.config.addresses)) this.closeSocket(key, listener);
    this.indexAddresses();
    this.drainListener(listener);
  }

  /** A connection that another worker has accepted. It is too late for one whose listener has gone. */
  private onGiven(key: string, handle: SocketHandle): void {
    const socket = this.sockets.get(key) ?? this.leaving.get(key);
    if (socket === undefined) {
      handle.close();
      return;
    }
    const { listener } = socket;
    listener.config.exactBalance?.[this.workerIndex].connections.adopt();
    listener.onAccept(handle, socket.address);
  }

  /** The old listener ends when its last socket has gone, or with the drain time. */
  private drainListener(listener: ActiveListener): void {
    listener.takesConnections(false);
    this.draining.add(listener);
    for (const chain of listener.config.filterChains) this.startDrain(chain);
    const timer = this.afterDrainTime(() => {
      listener.closeAccepting();
      for (const chain of listener.chainsWithConnections()) listener.closeChain(chain, DRAINED);
    });
    listener.onSocketGone = () => {
      if (listener.openSockets > 0 || !this.draining.delete(listener)) return;
      this.cancel(timer);
      listener.releaseStats();
    };
    listener.onSocketGone();
  }

  private drainChain(listener: ActiveListener, chain: FilterChainConfig): void {
    this.startDrain(chain);
    this.afterDrainTime(() => listener.closeChain(chain, DRAINED));
  }

  private startDrain(chain: FilterChainConfig): void {
    const { drainTimeMs, drainStrategy } = this.options;
    chain.drain.start(drainStrategy === 'immediate' ? 0 : drainTimeMs);
  }

  private afterDrainTime(end: () => void): NodeJS.Timeout {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      end();
    }, this.options.drainTimeMs).unref();
    this.timers.add(timer);
    return timer;
  }

  private cancel(timer: NodeJS.Timeout): void {
    clearTimeout(timer);
    this.timers.delete(timer);
  }

  findByDestination(address: Address): ActiveListener | undefined {
    const { byAddress } = this;
    const any = address.ip.includes(':') ? '::' : '0.0.0.0';
    return byAddress.get(address.text) ?? byAddress.get(formatAddress(any, address.port));
  }

  private indexAddresses(): void {
    const index = new Map<string, ActiveListener>();
    for (const listener of this.listeners.values()) {
      for (const address of listener.config.addresses)
        if (address.ip !== '') index.set(address.text, listener);
    }
    this.byAddress = index;
  }

  /** Those in force, and those that drain. */
  *allListeners(): Generator<ActiveListener> {
    yield* this.listeners.values();
    yield* this.draining;
  }

  /** Every answer asks its client to go; with `stopAccepting` nobody new comes in. `scope` as in /drain_listeners. */
  drainAll(scope: 'all' | 'inboundonly', stopAccepting: boolean, graceful: boolean): void {
    for (const [name, listener] of this.listeners) {
      if (scope === 'inboundonly' && listener.config.trafficDirection !== 'INBOUND') continue;
      const { drainTimeMs, drainStrategy } = this.options;
      const ms = graceful && drainStrategy === 'gradual' ? drainTimeMs : 0;
      for (const chain of listener.config.filterChains) chain.drain.start(ms);
      if (!stopAccepting) continue;
      listener.takesConnections(false);
      for (const key of listenSocketKeys(name, listener.config.addresses)) this.closeSocket(key, listener);
    }
  }

  /** Ends all connections within `graceMs`: requests finish, idle connections close. `done` is called once. */
  shutdown(graceMs: number, done: () => void): void {
    this.stopped = true;
    this.drainAll('all', true, false);
    const all = [...this.listeners.values(), ...this.draining];
    const deadline = performance.now() + graceMs;
    const sweep = setInterval(() => {
      const late = performance.now() >= deadline;
      for (const listener of all) {
        for (const chain of listener.chainsWithConnections()) {
          if (late) listener.closeChain(chain, 'shutdown_grace_exceeded');
          else listener.closeIdle(chain);
        }
      }
      if (!late && all.some((listener) => listener.openSockets > 0)) return;
      clearInterval(sweep);
      done();
    }, SWEEP_INTERVAL_MS);
  }

  close(): void {
    for (const timer of this.timers) clearTimeout(timer);
    this.exchange.close();
    for (const socket of this.sockets.values()) socket.close(() => undefined);
  }
}
