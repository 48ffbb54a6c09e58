// Waits for the first message of a TLS client, so that certificate and ALPN are known before the handshake begins: node then
// needs no callbacks in it. What was read is given back. A ClientHello with a post-quantum key share rarely fits one packet.

import type { Socket } from 'node:net';
import { type ClientHello, parseClientHello } from './client_hello.ts';

/**
 * Calls `found` once: at once when the bytes are there already (tls_inspector has peeked), with undefined when they are no
 * ClientHello. Calls `gone` instead when the connection ends before. The number of bytes kept is the parser's limit.
 */
export function readClientHello(
  socket: Socket,
  found: (hello: ClientHello | undefined) => void,
  gone: () => void,
): void {
  let bytes: Buffer | undefined;
  const stop = (): void => {
    socket.off('readable', read);
    socket.off('error', end);
    socket.off('end', end);
    socket.off('close', end);
  };
  const end = (): void => {
    stop();
    socket.on('error', ignoreError);
    gone();
  };
  const read = (): boolean => {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) return false;
    bytes = bytes === undefined ? chunk : Buffer.concat([bytes, chunk]);
    const result = parseClientHello(bytes);
    if (result.type === 'more') return false;
    stop();
    socket.unshift(bytes);
    found(result.type === 'client_hello' ? result : undefined);
    return true;
  };
  if (read()) return;
  socket.on('readable', read);
  socket.on('error', end);
  socket.on('end', end);
  socket.on('close', end);
}

function ignoreError(): void {}
