// What the kernel knows of a socket of another process: options that cannot be seen from outside in a second, like TCP
// keep-alive. Linux, as root: the descriptor is copied into this process (pidfd_getfd).

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import koffi from 'koffi';
import { getSocketOption } from '../../server/common/network/socket_option.ts';

/** asm-generic/unistd.h. */
const SYS_PIDFD_OPEN = 434;
const SYS_PIDFD_GETFD = 438;
/** asm-generic/socket.h and netinet/tcp.h. */
const SOL_SOCKET = 1;
const IPPROTO_TCP = 6;
const OPTIONS = {
  SO_KEEPALIVE: [SOL_SOCKET, 9],
  TCP_NODELAY: [IPPROTO_TCP, 1],
  TCP_KEEPIDLE: [IPPROTO_TCP, 4],
  TCP_KEEPINTVL: [IPPROTO_TCP, 5],
  TCP_KEEPCNT: [IPPROTO_TCP, 6],
} as const;

export type SocketOptions = Readonly<Record<keyof typeof OPTIONS, number>>;

/** Of the established connection from or to `port`, where that end is the other process's peer. Undefined: there is none. */
export function socketOptionsOf(remotePort: number): SocketOptions | undefined {
  const inode = inodeOf(remotePort);
  const place = inode === undefined ? undefined : holderOf(inode);
  if (place === undefined) return undefined;
  const library = koffi.load(null);
  const syscall = library.func('long syscall(long, long, long, long)') as (...args: number[]) => number;
  const close = library.func('int close(int)') as (fd: number) => number;
  const process = syscall(SYS_PIDFD_OPEN, place.pid, 0, 0);
  const fd = syscall(SYS_PIDFD_GETFD, process, place.fd, 0);
  close(process);
  if (fd < 0) return undefined;
  const read = ([level, name]: readonly [number, number]): number =>
    Buffer.from(getSocketOption(fd, level, name, 4)!).readInt32LE();
  const options = Object.fromEntries(
    Object.entries(OPTIONS).map(([name, option]) => [name, read(option)]),
  ) as Record<keyof typeof OPTIONS, number>;
  close(fd);
  return options;
}

/** Column 2 of /proc/net/tcp is the remote address, 3 the state (01: established), 9 the inode. */
function inodeOf(remotePort: number): string | undefined {
  const port = remotePort.toString(16).toUpperCase().padStart(4, '0');
  for (const line of readFileSync('/proc/net/tcp', 'latin1').split('\n').slice(1)) {
    const columns = line.trim().split(/\s+/);
    if (columns[2]?.endsWith(`:${port}`) && columns[3] === '01') return columns[9];
  }
  return undefined;
}

function holderOf(inode: string): { readonly pid: number; readonly fd: number } | undefined {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      for (const fd of readdirSync(`/proc/${pid}/fd`))
        if (readlinkSync(`/proc/${pid}/fd/${fd}`) === `socket:[${inode}]`)
          return { pid: Number(pid), fd: Number(fd) };
    } catch {
      // It has ended.
    }
  }
  return undefined;
}
