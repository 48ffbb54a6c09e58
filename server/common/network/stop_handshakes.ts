// Closing a listening socket resets the connections that the kernel has made and nobody has accepted yet: requests that
// fail although nothing was wrong with them. So new handshakes are held off first; a client that tries again a second later
// finds the port closed. What was on its way is accepted, and then the socket can close without anybody in it.

import type { Server } from 'node:net';
import { attachSocketFilter } from './socket_option.ts';

/** ms in which handshakes that have begun come to their end. */
export const HANDSHAKE_SETTLE_MS = 100;

// linux/bpf_common.h, classic BPF.
const LOAD_BYTE = 0x30;
const AND = 0x54;
const JUMP_IF_EQUAL = 0x15;
const RETURN = 0x06;
/** RFC 9293 3.1: the byte with the flags, and two of them. */
const FLAGS = 13;
const SYN = 0x02;
const ACK = 0x10;

/** Drops a segment that asks for a new connection: SYN without ACK. */
const DROP_SYN = program([
  [LOAD_BYTE, 0, 0, FLAGS],
  [AND, 0, 0, SYN | ACK],
  [JUMP_IF_EQUAL, 0, 1, SYN],
  [RETURN, 0, 0, 0],
  [RETURN, 0, 0, 0xffff_ffff],
]);

/** From now on no handshake begins on this TCP socket. False where the system cannot do that: then it closes as it is. */
export function stopHandshakes(server: Server): boolean {
  if (process.platform !== 'linux') return false;
  const { _handle: handle } = server as unknown as { readonly _handle: { readonly fd: number } | null };
  return handle !== null && handle.fd >= 0 && attachSocketFilter(handle.fd, DROP_SYN);
}

function program(
  instructions: readonly (readonly [code: number, jt: number, jf: number, k: number])[],
): Buffer {
  const bytes = Buffer.alloc(instructions.length * 8);
  instructions.forEach(([code, jumpTrue, jumpFalse, k], index) => {
    const at = index * 8;
    bytes.writeUInt16LE(code, at);
    bytes[at + 2] = jumpTrue;
    bytes[at + 3] = jumpFalse;
    bytes.writeUInt32LE(k, at + 4);
  });
  return bytes;
}
