// Which key a server's session tickets are made and read with: of the configured ones, or of a secret that all workers of
// this process share, so that a client may come back to any of them. node takes one key of 48 bytes a context; Envoy's, of 80
// bytes, are several, of which the first encrypts and all decrypt: a client that shows a ticket of another gets its context.
// Envoy: ServerContextImpl::sessionTicketProcess in source/common/tls/server_context_impl.cc; RFC 5077 4.

import type { SessionTicketKeysSecret } from '../../api/secret.ts';
import { crypto } from '../builtins.ts';

/** What node wants: 16 bytes each of name, HMAC key and AES key. */
const NODE_KEY_BYTES = 48;
const NAME_BYTES = 16;

let processKey: Buffer | undefined;
const derived = new WeakMap<SessionTicketKeysSecret, readonly Buffer[]>();

/** `secret`: random bytes, the same in every worker. Without it each thread has a key of its own. */
export function setSessionTicketSecret(secret: Uint8Array): void {
  processKey = nodeKey(secret);
}

/** The key for a client that shows a ticket of this name (in hexadecimal, '' for none); undefined for OpenSSL's own. */
export function sessionTicketKey(
  keys: SessionTicketKeysSecret | undefined,
  ticketName: string,
): Buffer | undefined {
  if (keys === undefined) return processKey;
  let all = derived.get(keys);
  if (all === undefined) derived.set(keys, (all = keys.keys.map(nodeKey)));
  return all.find((key) => key.toString('hex', 0, NAME_BYTES) === ticketName) ?? all[0];
}

function nodeKey(secret: Uint8Array): Buffer {
  return Buffer.from(crypto.hkdfSync('sha256', secret, '', 'session ticket keys', NODE_KEY_BYTES));
}
