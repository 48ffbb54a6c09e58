// The listening sockets, bound here on the main thread so that a port that cannot be had is known at once, and handed to
// the workers. Every worker has a socket of its own on the same port (SO_REUSEPORT): the kernel spreads connections.
// Envoy: source/common/listener_manager/listener_impl.cc (ListenSocketFactoryImpl).

import * as net from 'node:net';
import type { Listener } from '../../../xds-protos/generated/envoy/config/listener/v3.ts';
import { decode } from '../../../xds-protos/load.ts';
import { ConfigError } from '../../api/config_error.ts';
import type { Address } from '../../api/stream_info.ts';
import { listenSocketKey } from '../../common/listener/listen_socket_key.ts';
import { parseAddress } from '../../common/network/address.ts';

/** node's net.BoundSocket (26.10), which the typings do not know yet. */
interface BoundSocket {
  address(): { readonly address: string; readonly port: number };
  close(): void;
}
const { BoundSocket } = net as unknown as {
  BoundSocket: new (options: {
    host: string;
    port: number;
    reusePort: boolean;
    ipv6Only?: boolean;
  }) => BoundSocket;
};

interface Bound {
  readonly address: Address;
  readonly reusePort: boolean;
  /** The port in use, which the system chose where 0 was configured. */
  port: number;
  /** Listener names that use it. */
  readonly users: Set<string>;
}

/** A socket for one worker. */
export interface WorkerSocket {
  readonly key: string;
  readonly socket: object;
}

export class ListenSockets {
  readonly #workers: number;
  readonly #bound = new Map<string, Bound>();
  readonly #keysOf = new Map<string, readonly string[]>();
  /** Sockets that were bound before their listener was published. */
  readonly #waiting = new Map<string, BoundSocket[]>();

  constructor(workers: number) {
    this.#workers = workers;
  }

  /** The address a listener really has: the port the system chose instead of 0. */
  localAddress(listenerName: string, address: Address): Address {
    const bound = this.#bound.get(listenSocketKey(listenerName, address));
    if (bound === undefined || bound.port === address.port) return address;
    return { ip: address.ip, port: bound.port, text: address.text.replace(/:0$/, `:${bound.port}`) };
  }

  /**
   * Binds what the listener needs and has not got. Throws ConfigError when a port cannot be had; nothing stays bound then.
   * A socket that the listener's older version has is kept.
   */
  bind(message: Listener): void {
    const fresh: string[] = [];
    try {
      for (const [key, address] of addressesOf(message)) {
        if (this.#bound.has(key) || this.#waiting.has(key)) continue;
        const reusePort = message.enable_reuse_port?.value ?? true;
        this.#waiting.set(key, this.#bindAll(address, reusePort, message.name));
        fresh.push(key);
      }
    } catch (error) {
      for (const key of fresh) this.#closeWaiting(key);
      throw error;
    }
  }

  /** A listener goes to the workers: the sockets they have not got yet, per worker. */
  publish(bytes: Uint8Array): readonly (readonly WorkerSocket[])[] {
    const message = decode('envoy.config.listener.v3.Listener', bytes);
    this.bind(message);
    const perWorker: WorkerSocket[][] = Array.from({ length: this.#workers }, () => []);
    const keys: string[] = [];
    for (const [key, address] of addressesOf(message)) {
      keys.push(key);
      const sockets = this.#waiting.get(key);
      if (sockets !== undefined) {
        this.#waiting.delete(key);
        this.#bound.set(key, {
          address,
          reusePort: message.enable_reuse_port?.value ?? true,
          port: sockets[0].address().port,
          users: new Set(),
        });
        sockets.forEach((socket, worker) => {
          perWorker[worker].push({ key, socket });
        });
      }
      this.#bound.get(key)?.users.add(message.name);
    }
    this.#setKeys(message.name, keys);
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
    for (const [key, { address, port, reusePort }] of this.#bound) {
      if (!reusePort && worker > 0) continue;
      sockets.push({ key, socket: bindOne(address, port, reusePort) });
    }
    return sockets;
  }

  close(): void {
    for (const key of [...this.#waiting.keys()]) this.#closeWaiting(key);
  }

  #setKeys(name: string, keys: readonly string[]): void {
    for (const key of this.#keysOf.get(name) ?? []) {
      if (keys.includes(key)) continue;
      const bound = this.#bound.get(key);
      if (bound?.users.delete(name) === true && bound.users.size === 0) this.#bound.delete(key);
    }
    this.#keysOf.set(name, keys);
  }

  #bindAll(address: Address, reusePort: boolean, name: string): BoundSocket[] {
    const sockets: BoundSocket[] = [];
    try {
      // Without SO_REUSEPORT there is one socket, which the first worker has.
      const count = reusePort ? this.#workers : 1;
      for (let i = 0; i < count; i++)
        sockets.push(bindOne(address, sockets[0]?.address().port ?? address.port, reusePort));
      return sockets;
    } catch (error) {
      for (const socket of sockets) socket.close();
      const { code } = error as NodeJS.ErrnoException;
      throw new ConfigError('', `cannot bind '${address.text}': ${reasonOf(code)} (listener ${name})`);
    }
  }

  #closeWaiting(key: string): void {
    for (const socket of this.#waiting.get(key) ?? []) socket.close();
    this.#waiting.delete(key);
  }
}

function bindOne(address: Address, port: number, reusePort: boolean): BoundSocket {
  return new BoundSocket({ host: address.ip, port, reusePort });
}

/** TCP addresses to bind, by key. Unix sockets are bound by the first worker. */
function addressesOf(message: Listener): Map<string, Address> {
  const result = new Map<string, Address>();
  if ((message.bind_to_port ?? message.deprecated_v1?.bind_to_port)?.value === false) return result;
  for (const one of [
    message.address,
    ...message.additional_addresses.map((additional) => additional.address),
  ]) {
    const address = parseAddress(one, 'address');
    if (address.ip !== '') result.set(listenSocketKey(message.name, address), address);
  }
  return result;
}

function reasonOf(code: string | undefined): string {
  if (code === 'EADDRINUSE') return 'Address already in use';
  if (code === 'EACCES') return 'Permission denied';
  if (code === 'EADDRNOTAVAIL') return 'Cannot assign requested address';
  return code ?? 'unknown error';
}
