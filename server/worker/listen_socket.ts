// One listening socket. Which listener gets its connections is a field, so that a listener is replaced without a moment in
// which nobody accepts. Envoy: source/common/network/tcp_listener_impl.cc.

import { createServer, type Server } from 'node:net';
import type { Address } from '../api/stream_info.ts';
import { enter, leave } from '../common/event/dispatcher.ts';
import { logger } from '../common/log.ts';
import { acceptHandles, type SocketHandle } from '../common/network/socket.ts';
import { HANDSHAKE_SETTLE_MS, stopHandshakes } from '../common/network/stop_handshakes.ts';
import type { ActiveListener } from './active_listener.ts';

const log = logger('conn_handler');

/** Bound by main, listened on here: node's net.BoundSocket (the typings do not know it yet) or a descriptor. */
export type BoundSocket = object | number;

export class ListenSocket {
  listener: ActiveListener;
  private readonly server: Server;
  private readonly address: Address;

  constructor(listener: ActiveListener, bound: BoundSocket, address: Address) {
    this.listener = listener;
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

  private onConnection(handle: SocketHandle): void {
    enter();
    try {
      this.listener.onAccept(handle, this.address);
    } finally {
      leave();
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
