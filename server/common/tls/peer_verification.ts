// What is done with a peer's certificate when the handshake ends, on either side: verify, count, and say what the connection
// is told. Envoy: customVerifyCallback and SslSocket::doHandshake (source/common/tls/context_impl.cc, ssl_handshaker.cc).

import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { reportConnectionFailure } from '../network/connection.ts';
import { KeyUsage, keyUsageOf } from './certificate_extensions.ts';
import type { PeerRole } from './certificate_path.ts';
import type { CertificateValidator, ExpectedNames } from './certificate_validator.ts';
import type { SslStats } from './ssl_stats.ts';
import { tlsError, verifyError } from './tls_error.ts';
import type { ChainError, VerifyFailure } from './verify_failure.ts';

export interface PeerVerdict {
  /** Why the connection must end; undefined when it may go on. */
  readonly refusal: string | undefined;
  /** The certificate has passed all that is configured. */
  readonly validated: boolean;
}

/** Key exchange by encryption with the server's key: cipher suites of TLS 1.2 that do not name another. */
const RSA_KEY_EXCHANGE = /^AES/;

const KEY_USAGE_REFUSED: PeerVerdict = {
  refusal: tlsError('KEY_USAGE_BIT_INCORRECT'),
  validated: false,
};
const NOTHING_TO_TRUST: PeerVerdict = {
  refusal: tlsError('CERTIFICATE_VERIFY_FAILED'),
  validated: false,
};
const UNVERIFIED: PeerVerdict = { refusal: undefined, validated: false };
const VALIDATED: PeerVerdict = { refusal: undefined, validated: true };

/** What node keeps behind `ssl`. Server sockets that are made by hand have no `authorizationError`. */
interface VerifyingHandle {
  verifyError(): (Error & ChainError) | null | undefined;
}

/** `peer`: undefined when it showed no certificate, which it then did not need to; `role`: what it is in the handshake. */
export function verifyPeer(
  socket: TLSSocket,
  peer: X509Certificate | undefined,
  role: PeerRole,
  validator: CertificateValidator | undefined,
  names: ExpectedNames,
  stats: SslStats,
): PeerVerdict {
  if (peer === undefined) return UNVERIFIED;
  const encrypts = role === 'server' && RSA_KEY_EXCHANGE.test(socket.getCipher().name);
  const needed = encrypts ? KeyUsage.KeyEncipherment : KeyUsage.DigitalSignature;
  // BoringSSL looks at that whatever is configured (enforce_rsa_key_usage included), OpenSSL only at ECDSA keys of servers.
  if (((keyUsageOf(peer) ?? needed) & needed) === 0) {
    stats.count('connection_error');
    return KEY_USAGE_REFUSED;
  }
  // Names that the request asks for say nothing where nobody says whom to trust.
  if (names.override !== undefined && validator?.validates !== true) return NOTHING_TO_TRUST;
  if (validator === undefined) return UNVERIFIED;
  const { ssl } = socket as unknown as { readonly ssl: VerifyingHandle };
  const failure = verdict(() => validator.verify(peer, ssl.verifyError() ?? undefined, names));
  if (failure === undefined) return validator.validates ? VALIDATED : UNVERIFIED;
  stats.count(failure.stat);
  return validator.acceptUntrusted ? UNVERIFIED : { refusal: failure.reason, validated: false };
}

/** An exception in a verification is a bug of ours: it costs this connection, and lets nobody in. */
function verdict(verify: () => VerifyFailure | undefined): VerifyFailure | undefined {
  try {
    return verify();
  } catch (error) {
    reportConnectionFailure(error);
    return { stat: 'fail_verify_error', reason: verifyError('internal error') };
  }
}
