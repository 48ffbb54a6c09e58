// One listening socket. Which listener gets its connections is a field, so that a listener is replaced without a moment in
// which nobody accepts. Envoy: source/common/network/tcp_listener_impl.cc.

import { createRequire } from 'node:module';
import { createServer, type Server } from 'node:net';
import type { Address } from '../api/stream_info.ts';
import { enter, leave } from '../common/event/dispatcher.ts';
import { chooseWorker } from '../common/listener/exact_balance.ts';
import { logger } from '../common/log.ts';
import { acceptHandles, type SocketHandle } from '../common/network/socket.ts';
import { HANDSHAKE_SETTLE_MS, stopHandshakes } from '../common/network/stop_handshakes.ts';
import type { TcpKeepalive } from '../common/network/tcp_keepalive.ts';
import type { ActiveListener } from './active_listener.ts';
import type { ConnectionExchange } from './connection_exchange.ts';

const log = logger('conn_handler');
const require = createRequire(import.meta.url);

/** Bound by main, listened on here: node's net.BoundSocket (the typings do not know it yet) or a descriptor. */
export type BoundSocket = object | number;

export class ListenSocket {
  listener: ActiveListener;
  readonly key: string;
  readonly address: Address;
  private readonly server: Server;
  private readonly exchange: ConnectionExchange;
  private keepalive: TcpKeepalive | undefined = undefined;

  /** `key` as main knows it. */
  constructor(
    listener: ActiveListener,
    bound: BoundSocket,
    key: string,
    address: Address,
    exchange: ConnectionExchange,
  ) {
    this.listener = listener;
    this.key = key;
    this.exchange = exchange;
    this.address = address;
    const { backlog } = listener.config;
    this.server = createServer();
    this.server.on('error', (error) =>
      log.error(`listener ${this.listener.config.name} at ${address.text}: ${error.message}`),
    );
    if (typeof bound === 'number') this.server.listen({ fd: bound, backlog });
    else this.server.listen(bound, backlog);
    acceptHandles(this.server, (handle) => this.onConnection(handle));
  }

  /** What connections from now on have. */
  setKeepalive(keepalive: TcpKeepalive | undefined): void {
    if (keepalive === this.keepalive) return;
    this.keepalive = keepalive;
    const { setListenKeepalive } =
      require('../common/network/tcp_keepalive.ts') as typeof import('../common/network/tcp_keepalive.ts');
    setListenKeepalive(this.server, keepalive);
  }

  private onConnection(handle: SocketHandle): void {
    enter();
    try {
      if (!this.giveAway(handle)) this.listener.onAccept(handle, this.address);
    } finally {
      leave();
    }
  }

  /** True when another worker has it now. */
  private giveAway(handle: SocketHandle): boolean {
    const { workerIndex } = this.listener;
    const { exactBalance } = this.listener.config;
    if (exactBalance === undefined) return false;
    const chosen = chooseWorker(exactBalance, workerIndex);
    if (chosen === workerIndex) {
      exactBalance[chosen].connections.adopt();
      return false;
    }
    try {
      this.exchange.give(chosen, this.key, handle);
      return true;
    } catch (error) {
      log.error(`listener ${this.listener.config.name}: ${(error as Error).message}`);
      exactBalance[chosen].connections.adopt();
      exactBalance[chosen].connections.release();
      exactBalance[workerIndex].connections.tryAcquire(Number.MAX_SAFE_INTEGER);
      return false;
    }
  }

  /** Takes who has connected already, then nobody. `closed` is called when that is so. */
  close(closed: () => void): void {
    const close = (): void => {
      this.server.close();
      closed();
    };
    if (this.address.ip !== '' && stopHandshakes(this.server)) setTimeout(close, HANDSHAKE_SETTLE_MS);
    else close();
  }
}
