// Waits for a handshake to end, on either side, and takes OpenSSL's verdict on the peer's chain from node.

import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { ChainError } from './certificate_validator.ts';
import type { SslStats } from './ssl_stats.ts';
import { tlsErrorOf } from './tls_error.ts';

/** What node keeps behind `ssl`. Server sockets that are made by hand have no `authorizationError`. */
interface VerifyingHandle {
  verifyError(): (Error & { code: string }) | null | undefined;
}

/** Undefined when the chain is good. */
export function chainErrorOf(socket: TLSSocket): ChainError | undefined {
  const error = (socket as unknown as { readonly ssl: VerifyingHandle }).ssl.verifyError();
  return error ?? undefined;
}

/**
 * Calls `finish` once, when the handshake is done ('secure' for servers, 'secureConnect' for clients), or `fail` once with
 * the reason that it was not. An 'error' handler stays for good: it keeps a late error from ending the process.
 */
export function onHandshake(
  socket: TLSSocket,
  event: 'secure' | 'secureConnect',
  stats: SslStats,
  finish: () => void,
  fail: (reason: string) => void,
): void {
  // Idle connections are many: nothing of the handshake stays with them.
  const stop = () => {
    socket.off(event, onSecure);
    socket.off('error', onError);
    socket.off('end', onClose);
    socket.off('close', onClose);
    socket.on('error', ignoreError);
  };
  const onSecure = () => {
    stop();
    finish();
  };
  const onError = (error: NodeJS.ErrnoException) => {
    stop();
    const reason = tlsErrorOf(error);
    if (reason !== undefined) stats.count('connection_error');
    fail(reason ?? `connection error during TLS handshake: ${error.code ?? error.message}`);
  };
  const onClose = () => {
    stop();
    fail('connection closed during TLS handshake');
  };
  socket.on(event, onSecure);
  socket.on('error', onError);
  socket.on('end', onClose);
  socket.on('close', onClose);
  // Nobody hears of the end of a stream that is not read. No bytes come before the handshake is done, so none are lost.
  socket.resume();
}

function ignoreError(): void {}

/** Ends a connection for which no handshake can begin. `done` hears of it after the caller has its socket. */
export function refuse(
  socket: Socket,
  reason: string,
  done: (error: string | undefined, ssl: undefined) => void,
): Socket {
  socket.on('error', ignoreError);
  socket.destroy();
  process.nextTick(done, reason, undefined);
  return socket;
}
