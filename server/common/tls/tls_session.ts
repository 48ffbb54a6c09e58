// What OpenSSL wrote down of a session: facts of the handshake for which node has no method of its own.
// OpenSSL: SSL_SESSION_ASN1 in ssl/ssl_asn1.c.

import type { TLSSocket } from 'node:tls';
import { contextTag, DerError, DerReader, DerTag } from './der.ts';

/** kex_group. */
const GROUP = contextTag(19);
/** Envoy's names of the groups of key exchange, which are BoringSSL's (SSL_get_group_name). IANA: TLS Supported Groups. */
const GROUPS: Readonly<Record<number, string>> = {
  23: 'P-256',
  24: 'P-384',
  25: 'P-521',
  29: 'X25519',
  4588: 'X25519MLKEM768',
};

export interface TlsSession {
  /** Lower-case hexadecimal; '' where the peers agreed on none, as in TLS 1.3. */
  readonly id: string;
  /** '' when the key exchange had no group. */
  readonly group: string;
}

/** What node puts before the session of a client: this, two bytes of length and the name of the host that it is for. */
const CLIENT_LABEL = Buffer.from('\0nodejs:tls:session:1\0', 'latin1');

const NOTHING: TlsSession = Object.freeze({ id: '', group: '' });

/** Of a socket whose handshake is done, or has come as far as a cipher suite. */
export function tlsSession(socket: TLSSocket): TlsSession {
  const der = socket.getSession();
  if (der === undefined || der === null) return NOTHING;
  try {
    const fields = new DerReader(der, labelLength(der)).enter(DerTag.Sequence);
    // Version of the structure, of the protocol, cipher suite.
    for (let i = 0; i < 3; i++) fields.skip();
    const id = fields.content(DerTag.OctetString).toString('hex');
    while (!fields.done && fields.peek() !== GROUP) fields.skip();
    const group = fields.optional(GROUP);
    // TLS 1.3 has session ids in its messages for the sake of middleboxes only.
    const named = socket.getProtocol() === 'TLSv1.3' ? '' : id;
    return {
      id: named,
      group: group === undefined ? '' : groupName(new DerReader(group).content(DerTag.Integer)),
    };
  } catch (error) {
    if (error instanceof DerError) return NOTHING;
    throw error;
  }
}

function labelLength(session: Buffer): number {
  const { length } = CLIENT_LABEL;
  if (!session.subarray(0, length).equals(CLIENT_LABEL) || session.length < length + 2) return 0;
  return length + 2 + session.readUInt16BE(length);
}

function groupName(integer: Buffer): string {
  return integer.length === 0 || integer.length > 4
    ? ''
    : (GROUPS[integer.readUIntBE(0, integer.length)] ?? '');
}
