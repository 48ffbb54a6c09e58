// Socket addresses and CIDR ranges: from configuration, from node's sockets, and as text.
// Envoy: source/common/network/address_impl.cc, cidr_range.cc; api/envoy/config/core/v3/address.proto.

import { isIP, SocketAddress as NodeSocketAddress } from 'node:net';
import type * as core from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import { bufferOf } from '../../../xds-protos/wire.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { Address } from '../../api/stream_info.ts';

/** Bytes of sockaddr_un.sun_path, its closing NUL included (unix(7)). */
const MAX_PIPE_PATH = 108;

/** An IP address as a number, for comparing with ranges. */
export interface IpNumber {
  readonly version: 4 | 6;
  readonly value: bigint;
}

/** The number of an IPv4 or IPv6 address (a zone is ignored), or undefined when `text` is neither. */
export function parseIp(text: string): IpNumber | undefined {
  const version = isIP(text);
  if (version === 4) return { version: 4, value: BigInt(ipv4Number(text)) };
  if (version === 6) return { version: 6, value: ipv6Number(text) };
  return undefined;
}

export function ipv4Number(text: string): number {
  let value = 0;
  for (const part of text.split('.')) value = value * 256 + Number(part);
  return value;
}

function ipv6Number(text: string): bigint {
  const zone = text.indexOf('%');
  const [head, tail] = (zone < 0 ? text : text.slice(0, zone)).split('::');
  const left = ipv6Groups(head);
  const right = tail === undefined ? [] : ipv6Groups(tail);
  const zeros = new Array<number>(8 - left.length - right.length).fill(0);
  let value = 0n;
  for (const group of [...left, ...zeros, ...right]) value = (value << 16n) | BigInt(group);
  return value;
}

function ipv6Groups(text: string): number[] {
  const groups: number[] = [];
  for (const part of text === '' ? [] : text.split(':')) {
    if (part.includes('.')) {
      const v4 = ipv4Number(part);
      groups.push(Math.floor(v4 / 0x10000), v4 % 0x10000);
    } else {
      groups.push(Number.parseInt(part, 16));
    }
  }
  return groups;
}

/** `1.2.3.4:80` or `[::1]:80`. */
export function formatAddress(ip: string, port: number): string {
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`;
}

/** An IP address whose text is made when it is asked for: of most connections nobody ever asks. */
class IpAddress implements Address {
  readonly ip: string;
  readonly port: number;
  private formatted: string | undefined = undefined;

  constructor(ip: string, port: number) {
    this.ip = ip;
    this.port = port;
  }

  get text(): string {
    return (this.formatted ??= formatAddress(this.ip, this.port));
  }
}

/** An address from a socket. An IPv4 peer of a dual-stack socket (`::ffff:1.2.3.4`) is shown as IPv4, as Envoy does. */
export function ipAddress(ip: string, port: number): Address {
  return new IpAddress(ip.startsWith('::ffff:') && ip.includes('.') ? ip.slice(7) : ip, port);
}

/** A Unix socket's address; `@` begins a name in the abstract namespace. */
export function pipeAddress(path: string): Address {
  return { ip: '', port: 0, text: path };
}

/** A configured IP address or Unix socket. Throws ConfigError for host names, named ports and internal addresses. */
export function parseAddress(address: core.Address | undefined, path: string): Address {
  if (address?.socket_address !== undefined) {
    return parseSocketAddress(address.socket_address, at(path, 'socket_address'));
  }
  if (address?.pipe !== undefined) return parsePipe(address.pipe, at(path, 'pipe'));
  if (address?.envoy_internal_address !== undefined) {
    throw new ConfigError(at(path, 'envoy_internal_address'), 'internal addresses are not supported');
  }
  throw new ConfigError(path, 'Address must be a socket or pipe');
}

/** An IP socket address. Throws ConfigError as `parseAddress`. */
export function parseSocketAddress(address: core.SocketAddress, path: string): Address {
  if (address.resolver_name !== '') {
    throw new ConfigError(at(path, 'resolver_name'), `Unknown address resolver: ${address.resolver_name}`);
  }
  if (address.named_port !== undefined) {
    throw new ConfigError(at(path, 'named_port'), 'named ports are not supported');
  }
  const version = isIP(address.address);
  if (version === 0) throw new ConfigError(at(path, 'address'), `malformed IP address: ${address.address}`);
  const ip = version === 6 ? canonicalIpv6(address.address) : address.address;
  const port = address.port_value ?? 0;
  return { ip, port, text: formatAddress(ip, port) };
}

/** The usual text of an IPv6 address: lower case, the longest run of zeros shortened. */
export function canonicalIpv6(text: string): string {
  return new NodeSocketAddress({ family: 'ipv6', address: text }).address;
}

/** The text of 4 or 16 bytes of address, as `Address.ip` has it; '' for what is no address. */
export function ipOfBytes(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.length !== 16) return '';
  return canonicalIpv6(
    bufferOf(bytes)
      .toString('hex')
      .replace(/(....)(?!$)/g, '$1:'),
  );
}

function parsePipe(pipe: core.Pipe, path: string): Address {
  if (Buffer.byteLength(pipe.path) >= MAX_PIPE_PATH) {
    throw new ConfigError(
      at(path, 'path'),
      `Path "${pipe.path}" exceeds maximum UNIX domain socket path size of ${MAX_PIPE_PATH}.`,
    );
  }
  return pipeAddress(pipe.path);
}

/** True for a Unix socket, for 127.0.0.1 and ::1, and when both ends have one IP. Envoy: Utility::isSameIpOrLoopback. */
export function isSameIpOrLoopback(remote: Address, local: Address): boolean {
  if (remote.ip === '' || remote.ip === '127.0.0.1' || remote.ip === '::1') return true;
  return remote.ip === local.ip;
}

/** What both `envoy.config.core.v3.CidrRange` and `xds.core.v3.CidrRange` look like. */
export interface CidrRangeMessage {
  readonly address_prefix: string;
  readonly prefix_len?: { readonly value: number } | undefined;
}

/** A range of IP addresses. `network` is the address without its host bits, shifted right by `hostBits`. */
export class CidrRange {
  readonly version: 4 | 6;
  readonly length: number;
  readonly hostBits: bigint;
  readonly network: bigint;
  readonly text: string;

  constructor(ip: IpNumber, length: number) {
    const width = ip.version === 4 ? 32 : 128;
    this.version = ip.version;
    this.length = Math.min(length, width);
    this.hostBits = BigInt(width - this.length);
    this.network = ip.value >> this.hostBits;
    this.text = `${ipText(ip.version, this.network << this.hostBits)}/${this.length}`;
  }

  /** Throws ConfigError when the prefix is no IP address. A length beyond the address's is the whole address. */
  static compile(range: CidrRangeMessage, path: string): CidrRange {
    const ip = parseIp(range.address_prefix);
    if (ip === undefined) {
      throw new ConfigError(at(path, 'address_prefix'), `malformed IP address: ${range.address_prefix}`);
    }
    return new CidrRange(ip, range.prefix_len?.value ?? 0);
  }

  contains(ip: IpNumber): boolean {
    return ip.version === this.version && ip.value >> this.hostBits === this.network;
  }

  /** Is this address in the range? A Unix socket never is. */
  containsAddress(address: Address): boolean {
    const ip = parseIp(address.ip);
    return ip !== undefined && this.contains(ip);
  }
}

function ipText(version: 4 | 6, value: bigint): string {
  if (version === 4) return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 255n)).join('.');
  const groups: string[] = [];
  for (let shift = 112n; shift >= 0n; shift -= 16n) groups.push(((value >> shift) & 0xffffn).toString(16));
  return canonicalIpv6(groups.join(':'));
}
