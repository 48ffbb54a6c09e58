// Waits for a handshake to end, on either side, and takes OpenSSL's verdict on the peer's chain from node.

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
 * the reason that it was not. The 'error' handler stays for good: it keeps a late error from ending the process.
 */
export function onHandshake(
  socket: TLSSocket,
  event: 'secure' | 'secureConnect',
  stats: SslStats,
  finish: () => void,
  fail: (reason: string) => void,
): void {
  let pending = true;
  const failOnce = (reason: string) => {
    if (!pending) return;
    pending = false;
    fail(reason);
  };
  socket.once(event, () => {
    if (!pending) return;
    pending = false;
    finish();
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    if (!pending) return;
    const reason = tlsErrorOf(error);
    if (reason !== undefined) stats.count('connection_error');
    failOnce(reason ?? `connection error during TLS handshake: ${error.code ?? error.message}`);
  });
  socket.once('close', () => failOnce('connection closed during TLS handshake'));
}
