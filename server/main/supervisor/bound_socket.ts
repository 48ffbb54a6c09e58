// Binds one address of a listener: what the listener says about its sockets, and Envoy's words for what can go wrong.
// Envoy: source/common/network/listen_socket_impl.cc; document: config.core.v3.Address.

import { accessSync, chmodSync, rmSync } from 'node:fs';
import * as net from 'node:net';
import { dirname } from 'node:path';
import type { Listener } from '../../../xds-protos/generated/envoy/config/listener/v3.ts';
import { ConfigError } from '../../api/config_error.ts';
import type { Address } from '../../api/stream_info.ts';
import { listenSocketKeys } from '../../common/listener/listen_socket_key.ts';
import { parseAddress } from '../../common/network/address.ts';
import { strerror } from '../../common/network/transport_failure.ts';

/** node's net.BoundSocket (26.10), which the typings do not know yet. A TCP one can be transferred to another thread. */
export interface BoundSocket {
  fd(): number;
  /** A Unix socket's is its path. */
  address(): { readonly address: string; readonly port: number } | string;
  close(): void;
}
type BoundSocketOptions =
  | { readonly host: string; readonly port: number; readonly reusePort: boolean; readonly ipv6Only?: boolean }
  | { readonly path: string };
const { BoundSocket } = net as unknown as { BoundSocket: new (options: BoundSocketOptions) => BoundSocket };

export interface SocketToBind {
  /** See listenSocketKeys. */
  readonly key: string;
  readonly address: Address;
  readonly reusePort: boolean;
  /** Does a socket on `::` leave IPv4 alone? */
  readonly ipv6Only: boolean;
  readonly inbound: boolean;
  /** Permissions of a Unix socket's file; 0 = as the umask says. */
  readonly mode: number;
}

/** 0 for a Unix socket. */
export function portOf(socket: BoundSocket): number {
  const address = socket.address();
  return typeof address === 'string' ? 0 : address.port;
}

/** All addresses of a listener that listens itself, each once. */
export function socketsToBind(name: string, listener: Listener): readonly SocketToBind[] {
  if ((listener.bind_to_port ?? listener.deprecated_v1?.bind_to_port)?.value === false) return [];
  const byKey = new Map<string, SocketToBind>();
  const messages = [listener.address, ...listener.additional_addresses.map((more) => more.address)];
  const addresses = messages.map((message) => parseAddress(message, 'address'));
  const keys = listenSocketKeys(name, addresses);
  for (const [index, address] of addresses.entries()) {
    const message = messages[index];
    const key = keys[index] as string;
    byKey.set(key, {
      key,
      address,
      reusePort: address.ip !== '' && (listener.enable_reuse_port?.value ?? true),
      ipv6Only: address.ip.includes(':') && message?.socket_address?.ipv4_compat !== true,
      inbound: listener.traffic_direction === 'INBOUND',
      mode: message?.pipe?.mode ?? 0,
    });
  }
  return [...byKey.values()];
}

/** `port` instead of the configured one. Throws ConfigError. */
export function bindSocket({ address, reusePort, ipv6Only, mode }: SocketToBind, port: number): BoundSocket {
  try {
    if (address.ip !== '') return new BoundSocket({ host: address.ip, port, reusePort, ipv6Only });
    return bindPipe(address.text, mode);
  } catch (error) {
    throw new ConfigError('', `cannot bind '${address.text}': ${strerror(error as NodeJS.ErrnoException)}`);
  }
}

function bindPipe(path: string, mode: number): BoundSocket {
  if (path.startsWith('@')) return new BoundSocket({ path: `\0${path.slice(1)}` });
  // libuv says EACCES of a folder that is not there.
  accessSync(dirname(path));
  // What an earlier process left behind. Like Envoy, does not ask whether somebody still listens there.
  rmSync(path, { force: true });
  const socket = new BoundSocket({ path });
  if (mode !== 0) chmodSync(path, mode);
  return socket;
}
