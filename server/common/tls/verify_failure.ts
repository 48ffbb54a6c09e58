// Why a peer's certificate was refused, in Envoy's words, which are BoringSSL's where OpenSSL says it differently.
// Envoy: Utility::getX509VerificationErrorInfo (source/common/tls/utility.cc).

import { verifyError } from './tls_error.ts';

/** OpenSSL's verdict on the chain, as node gives it. */
export interface ChainError {
  readonly code: string;
  readonly message: string;
}

export interface VerifyFailure {
  readonly stat: 'fail_verify_error' | 'fail_verify_san' | 'fail_verify_cert_hash';
  /** The transport failure reason. */
  readonly reason: string;
}

export const ISSUER_UNKNOWN = 'unable to get local issuer certificate';

/** X509_verify_cert_error_string of BoringSSL by node's codes, where they differ from OpenSSL's. */
const TEXTS: Readonly<Record<string, string>> = {
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: ISSUER_UNKNOWN,
  DEPTH_ZERO_SELF_SIGNED_CERT: 'self signed certificate',
  SELF_SIGNED_CERT_IN_CHAIN: 'self signed certificate in certificate chain',
  INVALID_PURPOSE: 'unsupported certificate purpose',
};
/** Before what revocation lists are the reason of. */
const REVOCATION = 'certificate revocation check against provided CRLs failed: ';

/** OpenSSL tells its last error and BoringSSL its first: behind these there may be an issuer that nobody knows. */
export function mayHideIssuer(error: ChainError): boolean {
  return isAboutTime(error) || error.code === 'INVALID_PURPOSE';
}

/** True for what allow_expired_certificate forgives. */
export function isAboutTime({ code }: ChainError): boolean {
  return code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID';
}

/** `depth`: 0 is the peer's certificate, 1 its issuer. node does not tell the depth of its own errors. */
export function chainFailure(error: ChainError | string, depth = 0): VerifyFailure {
  // Behind the semicolon node gives advice for clients on the command line.
  const text = typeof error === 'string' ? error : (TEXTS[error.code] ?? error.message.split(';')[0]);
  const prefix = /\bCRL\b|revoked/.test(text) ? REVOCATION : '';
  const detail = `X509_verify_cert: certificate verification error at depth ${depth}: ${prefix}${text}`;
  return { stat: 'fail_verify_error', reason: verifyError(detail) };
}
