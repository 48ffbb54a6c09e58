// TCP keep-alive as configured: fields that are not set are the operating system's, which node would replace by its own.
// Follows core.v3.TcpKeepalive; Envoy: source/common/network/socket_option_factory.cc (buildTcpKeepaliveOptions).

import { readFileSync } from 'node:fs';
import type { Server } from 'node:net';
import type { TcpKeepalive as TcpKeepaliveMessage } from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import { wrapperValue } from '../../../xds-protos/well_known.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import { rejectOtherFields } from '../config/handled_fields.ts';

/** Whole seconds. */
export interface TcpKeepalive {
  /** Without an answer before the connection ends. */
  readonly probes: number;
  /** Of silence before the first probe. */
  readonly time: number;
  /** Between probes. */
  readonly interval: number;
}

/** By field: the system's setting below /proc/sys/net/ipv4, its default (tcp(7)), and the most that it takes (linux/tcp.h). */
const SETTINGS = {
  keepalive_probes: { file: 'tcp_keepalive_probes', usual: 9, most: 127 },
  keepalive_time: { file: 'tcp_keepalive_time', usual: 7200, most: 32_767 },
  keepalive_interval: { file: 'tcp_keepalive_intvl', usual: 75, most: 32_767 },
} as const;
const FIELDS = new Set(Object.keys(SETTINGS));

/** Undefined: none, for which any field of 0 asks. Throws ConfigError. */
export function compileTcpKeepalive(message: TcpKeepaliveMessage, path: string): TcpKeepalive | undefined {
  rejectOtherFields(message, FIELDS, path);
  const value = (field: keyof typeof SETTINGS): number => {
    const { file, usual, most } = SETTINGS[field];
    const configured = wrapperValue(message[field]);
    if (configured === undefined) return systemSetting(file) ?? usual;
    if (configured > most) throw new ConfigError(at(path, field), `must be at most ${most}`);
    return configured;
  };
  const probes = value('keepalive_probes');
  const time = value('keepalive_time');
  const interval = value('keepalive_interval');
  return probes === 0 || time === 0 || interval === 0 ? undefined : Object.freeze({ probes, time, interval });
}

function systemSetting(file: string): number | undefined {
  try {
    return Number(readFileSync(`/proc/sys/net/ipv4/${file}`, 'latin1'));
  } catch {
    return undefined;
  }
}

/** What accepted connections inherit. Call it after `listen`. */
export function setListenKeepalive(server: Server, keepalive: TcpKeepalive | undefined): void {
  const { _handle: handle } = server as unknown as { readonly _handle: ListeningHandle | null };
  if (keepalive === undefined) handle?.setKeepAlive?.(false, 0);
  else handle?.setKeepAlive?.(true, keepalive.time, keepalive.interval, keepalive.probes);
}

/** As node's own Socket.setKeepAlive calls it; Unix sockets have none. */
interface ListeningHandle {
  setKeepAlive?(enable: boolean, time: number, interval?: number, probes?: number): number;
}
