// Waits for a handshake to end, on either side. Envoy: SslSocket::doHandshake, source/common/tls/ssl_socket.cc.

import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { SslStats } from './ssl_stats.ts';
import { NO_CERTIFICATE_ERROR, tlsErrorOf } from './tls_error.ts';

export const CLOSED_IN_HANDSHAKE = 'connection closed during TLS handshake';

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
    // That one has a stat of its own.
    if (reason !== undefined && reason !== NO_CERTIFICATE_ERROR) stats.count('connection_error');
    fail(reason ?? `connection error during TLS handshake: ${error.code ?? error.message}`);
  };
  const onClose = () => {
    stop();
    fail(CLOSED_IN_HANDSHAKE);
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
  done: (error: string | undefined, ssl: undefined, socket: Socket) => void,
): Socket {
  socket.on('error', ignoreError);
  socket.destroy();
  process.nextTick(done, reason, undefined, socket);
  return socket;
}
