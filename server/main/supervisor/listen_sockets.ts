// The listening sockets, bound here on the main thread so that an address that cannot be had is known at once, and handed
// to the workers. Every worker has a socket of its own on the same port (SO_REUSEPORT): the kernel spreads connections.
// Without SO_REUSEPORT, and for Unix sockets, there is one socket: it stays here, and every worker has a descriptor of it.
// Envoy: source/common/listener_manager/listener_impl.cc (ListenSocketFactoryImpl).

import { closeSync } from 'node:fs';
import type { Listener } from '../../../xds-protos/generated/envoy/config/listener/v3.ts';
import { decode } from '../../../xds-protos/load.ts';
import type { Address } from '../../api/stream_info.ts';
import { listenSocketKeys } from '../../common/listener/listen_socket_key.ts';
import { logger } from '../../common/log.ts';
import { duplicateFd } from '../../common/network/socket_option.ts';
import type { ListenSocketBinder } from '../config_store/services.ts';
import { type BoundSocket, bindSocket, portOf, type SocketToBind, socketsToBind } from './bound_socket.ts';

const log = logger('config');

/** A socket that the workers have. */
interface Published {
  readonly wanted: SocketToBind;
  /** The port in use, which the system chose where 0 was configured. */
  readonly port: number;
  /** The one that all workers share, until it is closed. */
  shared: BoundSocket | undefined;
  /** Nobody is to come in any more. */
  stopped: boolean;
  /** Names of the listeners that use it. */
  readonly users: Set<string>;
}

/** A socket for one worker: one of its own, or a descriptor of a shared one. */
export type WorkerSocket =
  | { readonly key: string; readonly socket: BoundSocket }
  | { readonly key: string; readonly fd: number };

/** Closes a socket that no worker took. */
export function discard(socket: WorkerSocket): void {
  if ('socket' in socket) socket.socket.close();
  else closeSync(socket.fd);
}

export class ListenSockets implements ListenSocketBinder {
  readonly #workers: number;
  readonly #published = new Map<string, Published>();
  readonly #keysOf = new Map<string, readonly string[]>();
  /** By listener name, then key: bound for a version of the listener that the workers have not got yet. */
  readonly #claims = new Map<string, Map<string, readonly BoundSocket[]>>();

  constructor(workers: number) {
    this.#workers = workers;
  }

  /** The addresses a listener really has: with the ports the system chose instead of 0. */
  localAddresses(listenerName: string, addresses: readonly Address[]): readonly Address[] {
    const keys = listenSocketKeys(listenerName, addresses);
    return addresses.map((address, index) => {
      if (address.ip === '' || address.port !== 0) return address;
      const { port } = this.#published.get(keys[index] as string) ?? address;
      return { ip: address.ip, port, text: address.text.replace(/:0$/, `:${port}`) };
    });
  }

  bind(name: string, listener: Listener): void {
    const before = this.#claims.get(name);
    const claims = new Map<string, readonly BoundSocket[]>();
    const fresh: BoundSocket[] = [];
    try {
      for (const wanted of socketsToBind(name, listener)) {
        const published = this.#published.get(wanted.key);
        // Another listener's socket: it may be gone before this one is warm, so where a second one can be had, take it.
        if (published?.users.has(name) || (published !== undefined && !wanted.reusePort)) continue;
        let sockets = before?.get(wanted.key);
        if (sockets === undefined) {
          sockets = this.#bindAll(wanted);
          fresh.push(...sockets);
        }
        claims.set(wanted.key, sockets);
      }
    } catch (error) {
      for (const socket of fresh) socket.close();
      throw error;
    }
    for (const [key, sockets] of before ?? []) if (!claims.has(key)) closeAll(sockets);
    if (claims.size > 0) this.#claims.set(name, claims);
    else this.#claims.delete(name);
  }

  abandon(name: string): void {
    for (const sockets of this.#claims.get(name)?.values() ?? []) closeAll(sockets);
    this.#claims.delete(name);
  }

  /** A listener goes to the workers: the sockets they have not got yet, per worker. */
  publish(name: string, bytes: Uint8Array): readonly (readonly WorkerSocket[])[] {
    const perWorker: WorkerSocket[][] = Array.from({ length: this.#workers }, () => []);
    const keys: string[] = [];
    for (const wanted of socketsToBind(name, decode('envoy.config.listener.v3.Listener', bytes))) {
      const { key } = wanted;
      const claimed = this.#takeClaim(name, key);
      let published = this.#published.get(key);
      if (published !== undefined) closeAll(claimed ?? []);
      else {
        const sockets = claimed ?? this.#bindLate(wanted);
        if (sockets === undefined) continue;
        const shared = wanted.reusePort ? undefined : sockets[0];
        published = { wanted, port: portOf(sockets[0]), shared, stopped: false, users: new Set() };
        this.#published.set(key, published);
        for (const [worker, own] of perWorker.entries()) {
          if (shared === undefined) own.push({ key, socket: sockets[worker] });
          else own.push({ key, fd: duplicateFd(shared.fd()) });
        }
      }
      published.users.add(name);
      keys.push(key);
    }
    this.#setKeys(name, keys);
    return perWorker;
  }

  /** A listener is gone; the workers close its sockets. */
  remove(name: string): void {
    this.#setKeys(name, []);
    this.#keysOf.delete(name);
  }

  /** Sockets for a worker that takes the place of one that died. */
  rebind(worker: number): readonly WorkerSocket[] {
    const sockets: WorkerSocket[] = [];
    for (const [key, { wanted, port, shared, stopped }] of this.#published) {
      if (stopped) continue;
      try {
        if (shared === undefined) sockets.push({ key, socket: bindSocket(wanted, port) });
        else sockets.push({ key, fd: duplicateFd(shared.fd()) });
      } catch (error) {
        log.critical(`worker_${worker}: ${(error as Error).message}`);
      }
    }
    return sockets;
  }

  /** Nobody new comes in any more: what the workers still accept from is theirs alone. */
  stop(scope: 'all' | 'inboundonly'): void {
    for (const published of this.#published.values()) {
      if (scope === 'inboundonly' && !published.wanted.inbound) continue;
      published.stopped = true;
      published.shared?.close();
      published.shared = undefined;
    }
  }

  close(): void {
    this.stop('all');
    for (const name of [...this.#claims.keys()]) this.abandon(name);
  }

  #takeClaim(name: string, key: string): readonly BoundSocket[] | undefined {
    const claims = this.#claims.get(name);
    const sockets = claims?.get(key);
    if (claims?.delete(key) && claims.size === 0) this.#claims.delete(name);
    return sockets;
  }

  /** For a version that was superseded, or whose address another listener had until now. */
  #bindLate(wanted: SocketToBind): readonly BoundSocket[] | undefined {
    try {
      return this.#bindAll(wanted);
    } catch (error) {
      log.critical((error as Error).message);
      return undefined;
    }
  }

  #setKeys(name: string, keys: readonly string[]): void {
    for (const key of this.#keysOf.get(name) ?? []) {
      if (keys.includes(key)) continue;
      const published = this.#published.get(key);
      if (published?.users.delete(name) !== true || published.users.size > 0) continue;
      published.shared?.close();
      this.#published.delete(key);
    }
    this.#keysOf.set(name, keys);
  }

  /** One for each worker that shall have one. Throws ConfigError. */
  #bindAll(wanted: SocketToBind): readonly BoundSocket[] {
    const sockets: BoundSocket[] = [];
    try {
      const count = wanted.reusePort ? this.#workers : 1;
      for (let i = 0; i < count; i++)
        sockets.push(bindSocket(wanted, i === 0 ? wanted.address.port : portOf(sockets[0])));
      return sockets;
    } catch (error) {
      closeAll(sockets);
      throw error;
    }
  }
}

function closeAll(sockets: readonly BoundSocket[]): void {
  for (const socket of sockets) socket.close();
}
