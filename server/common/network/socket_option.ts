// The few system calls that node has no word for: getsockopt, setsockopt and dup, through koffi. koffi is loaded when the
// first of them is used, so that a process without transparent proxying does not pay its memory.
// Envoy: source/common/network/socket_option_impl.cc; Utility::getOriginalDst in source/common/network/utility.cc.

import { createRequire } from 'node:module';
import type { Address } from '../../api/stream_info.ts';
import { canonicalIpv6, ipAddress } from './address.ts';

/** linux/netfilter_ipv4.h SO_ORIGINAL_DST and linux/netfilter_ipv6/ip6_tables.h IP6T_SO_ORIGINAL_DST. */
const SO_ORIGINAL_DST = 80;
/** netinet/in.h. */
const SOL_IP = 0;
const SOL_IPV6 = 41;
/** asm-generic/socket.h. */
const SOL_SOCKET = 1;
const SO_ATTACH_FILTER = 26;
/** Sizes of linux/filter.h struct sock_filter, and of sock_fprog on 64-bit systems. */
const FILTER_INSTRUCTION_BYTES = 8;
const SOCK_FPROG_BYTES = 16;
/** Size of sockaddr_in6, the larger of the two. */
const SOCKADDR_BYTES = 28;

interface SystemCalls {
  getsockopt(fd: number, level: number, name: number, value: Uint8Array, length: number[]): number;
  setsockopt(fd: number, level: number, name: number, value: Uint8Array, length: number): number;
  /** setsockopt with a `struct sock_fprog`. */
  setFilter(fd: number, level: number, name: number, program: SocketFilter, length: number): number;
  dup(fd: number): number;
  errno(): number;
}

/** linux/filter.h struct sock_fprog: `len` instructions of 8 bytes each. */
interface SocketFilter {
  readonly len: number;
  readonly filter: Uint8Array;
}

let loaded: SystemCalls | undefined;

function systemCalls(): SystemCalls {
  return (loaded ??= load());
}

/** Without a name, the symbols are those of this process: its C library, whichever it is. */
function load(): SystemCalls {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const library = koffi.load(null);
  koffi.struct('sock_fprog', { len: 'uint16_t', filter: 'uint8_t *' });
  return {
    getsockopt: library.func('int getsockopt(int, int, int, _Out_ uint8_t *, _Inout_ uint32_t *)'),
    setsockopt: library.func('int setsockopt(int, int, int, uint8_t *, uint32_t)'),
    setFilter: library.func('int setsockopt(int, int, int, sock_fprog *, uint32_t)'),
    dup: library.func('int dup(int)'),
    errno: () => koffi.errno(),
  };
}

/**
 * Where a redirected connection was going (iptables REDIRECT), or undefined when it was not redirected or `fd` is -1.
 * `version` is that of the socket's local address.
 */
export function originalDestination(fd: number, version: 4 | 6): Address | undefined {
  if (fd < 0) return undefined;
  const bytes = Buffer.alloc(SOCKADDR_BYTES);
  const level = version === 4 ? SOL_IP : SOL_IPV6;
  if (systemCalls().getsockopt(fd, level, SO_ORIGINAL_DST, bytes, [SOCKADDR_BYTES]) !== 0) return undefined;
  return parseSockaddr(bytes, version);
}

/** Reads a sockaddr_in (port at 2, address at 4) or sockaddr_in6 (port at 2, address at 8). */
export function parseSockaddr(bytes: Buffer, version: 4 | 6): Address {
  const port = bytes.readUInt16BE(2);
  if (version === 4) return ipAddress(bytes.subarray(4, 8).join('.'), port);
  const groups: string[] = [];
  for (let i = 8; i < 24; i += 2) groups.push(bytes.readUInt16BE(i).toString(16));
  return ipAddress(canonicalIpv6(groups.join(':')), port);
}

/** A second descriptor of the same open socket. Throws when the process has no more. */
export function duplicateFd(fd: number): number {
  const copy = systemCalls().dup(fd);
  if (copy < 0) throw new Error(`dup(${fd}) failed with errno ${systemCalls().errno()}`);
  return copy;
}

/** Sets a socket option to raw bytes; false when the system refused. */
export function setSocketOption(fd: number, level: number, name: number, value: Uint8Array): boolean {
  return systemCalls().setsockopt(fd, level, name, value, value.length) === 0;
}

/** Reads a socket option of at most `size` bytes; undefined when the system refused. */
export function getSocketOption(
  fd: number,
  level: number,
  name: number,
  size: number,
): Uint8Array | undefined {
  const value = Buffer.alloc(size);
  const length = [size];
  if (systemCalls().getsockopt(fd, level, name, value, length) !== 0) return undefined;
  return value.subarray(0, length[0]);
}

/** Linux only: lets the kernel drop packets to this socket by a classic BPF program. False when the system refused. */
export function attachSocketFilter(fd: number, program: Uint8Array): boolean {
  const filter = { len: program.length / FILTER_INSTRUCTION_BYTES, filter: program };
  return systemCalls().setFilter(fd, SOL_SOCKET, SO_ATTACH_FILTER, filter, SOCK_FPROG_BYTES) === 0;
}
