// Why a handshake failed, in Envoy's words: `TLS_error:|<BoringSSL's code>:SSL routines:OPENSSL_internal:<REASON>:TLS_error_end`.
// Access logs carry it as the transport failure reason, and people search for these texts.
// Envoy: SslSocket::drainErrorQueue; BoringSSL: include/openssl/ssl.h (SSL_R_*), a library number of 16 in the top byte.

const LIBRARY_SSL = 16 << 24;
/** SSL_R_* of alerts are this plus the alert's number (RFC 8446 6.2). */
const ALERT_BASE = 1000;

const REASONS: Readonly<Record<string, number>> = {
  CERTIFICATE_VERIFY_FAILED: 125,
  CONNECTION_REJECTED: 133,
  HANDSHAKE_FAILURE_ON_CLIENT_HELLO: 154,
  HTTP_REQUEST: 156,
  NO_SHARED_CIPHER: 184,
  PEER_DID_NOT_RETURN_A_CERTIFICATE: 192,
  UNSUPPORTED_PROTOCOL: 240,
  WRONG_VERSION_NUMBER: 247,
  KEY_USAGE_BIT_INCORRECT: 302,
  NO_COMMON_SIGNATURE_ALGORITHMS: 253,
  NO_SHARED_GROUP: 266,
  SSLV3_ALERT_UNEXPECTED_MESSAGE: ALERT_BASE + 10,
  SSLV3_ALERT_BAD_RECORD_MAC: ALERT_BASE + 20,
  SSLV3_ALERT_HANDSHAKE_FAILURE: ALERT_BASE + 40,
  SSLV3_ALERT_BAD_CERTIFICATE: ALERT_BASE + 42,
  SSLV3_ALERT_UNSUPPORTED_CERTIFICATE: ALERT_BASE + 43,
  SSLV3_ALERT_CERTIFICATE_REVOKED: ALERT_BASE + 44,
  SSLV3_ALERT_CERTIFICATE_EXPIRED: ALERT_BASE + 45,
  SSLV3_ALERT_CERTIFICATE_UNKNOWN: ALERT_BASE + 46,
  SSLV3_ALERT_ILLEGAL_PARAMETER: ALERT_BASE + 47,
  TLSV1_ALERT_UNKNOWN_CA: ALERT_BASE + 48,
  TLSV1_ALERT_ACCESS_DENIED: ALERT_BASE + 49,
  TLSV1_ALERT_DECODE_ERROR: ALERT_BASE + 50,
  TLSV1_ALERT_DECRYPT_ERROR: ALERT_BASE + 51,
  TLSV1_ALERT_PROTOCOL_VERSION: ALERT_BASE + 70,
  TLSV1_ALERT_INSUFFICIENT_SECURITY: ALERT_BASE + 71,
  TLSV1_ALERT_INTERNAL_ERROR: ALERT_BASE + 80,
  TLSV1_ALERT_USER_CANCELLED: ALERT_BASE + 90,
  TLSV1_ALERT_UNRECOGNIZED_NAME: ALERT_BASE + 112,
  TLSV1_ALERT_UNKNOWN_PSK_IDENTITY: ALERT_BASE + 115,
  TLSV1_ALERT_CERTIFICATE_REQUIRED: ALERT_BASE + 116,
  TLSV1_ALERT_NO_APPLICATION_PROTOCOL: ALERT_BASE + 120,
};

/** OpenSSL's names where they differ. */
const RENAMED: Readonly<Record<string, string>> = {
  SSL_TLS_ALERT_HANDSHAKE_FAILURE: 'SSLV3_ALERT_HANDSHAKE_FAILURE',
  SSL_TLS_ALERT_BAD_CERTIFICATE: 'SSLV3_ALERT_BAD_CERTIFICATE',
  SSL_TLS_ALERT_UNSUPPORTED_CERTIFICATE: 'SSLV3_ALERT_UNSUPPORTED_CERTIFICATE',
  SSL_TLS_ALERT_CERTIFICATE_REVOKED: 'SSLV3_ALERT_CERTIFICATE_REVOKED',
  SSL_TLS_ALERT_CERTIFICATE_EXPIRED: 'SSLV3_ALERT_CERTIFICATE_EXPIRED',
  SSL_TLS_ALERT_CERTIFICATE_UNKNOWN: 'SSLV3_ALERT_CERTIFICATE_UNKNOWN',
  SSL_TLS_ALERT_UNEXPECTED_MESSAGE: 'SSLV3_ALERT_UNEXPECTED_MESSAGE',
  SSL_TLS_ALERT_ILLEGAL_PARAMETER: 'SSLV3_ALERT_ILLEGAL_PARAMETER',
  SSL_TLS_ALERT_BAD_RECORD_MAC: 'SSLV3_ALERT_BAD_RECORD_MAC',
  TLSV13_ALERT_CERTIFICATE_REQUIRED: 'TLSV1_ALERT_CERTIFICATE_REQUIRED',
  NO_SUITABLE_KEY_SHARE: 'NO_SHARED_GROUP',
  NO_SUITABLE_SIGNATURE_ALGORITHM: 'NO_COMMON_SIGNATURE_ALGORITHMS',
};

/** `name` is a BoringSSL reason; `detail` what Envoy adds to it. */
export function tlsError(name: string, detail?: string): string {
  const number = REASONS[name];
  const code = number === undefined ? '' : `${LIBRARY_SSL + number}:`;
  return `TLS_error:|${code}SSL routines:OPENSSL_internal:${name}${detail === undefined ? '' : `:${detail}`}:TLS_error_end`;
}

/** Of an error that node reported. Undefined when it was not TLS's but the connection's. */
export function tlsErrorOf(error: NodeJS.ErrnoException): string | undefined {
  if (error.code === undefined || !error.code.startsWith('ERR_SSL_')) return undefined;
  const code = error.code.slice('ERR_SSL_'.length).replaceAll('/', '_');
  const name = RENAMED[code] ?? code;
  return name === PEER_DID_NOT_RETURN_A_CERTIFICATE ? NO_CERTIFICATE_ERROR : tlsError(name);
}

/** A certificate that did not pass; `detail` as Envoy words it. */
export function verifyError(detail: string): string {
  return tlsError('CERTIFICATE_VERIFY_FAILED', `verify cert failed: ${detail}`);
}

const PEER_DID_NOT_RETURN_A_CERTIFICATE = 'PEER_DID_NOT_RETURN_A_CERTIFICATE';
/** The peer had to show a certificate and did not. */
export const NO_CERTIFICATE_ERROR = tlsError(
  PEER_DID_NOT_RETURN_A_CERTIFICATE,
  'peer did not provide required client certificate',
);

/** No certificate has the OCSP response that the policy wants. */
export const OCSP_POLICY_ERROR = tlsError('CONNECTION_REJECTED');

const HANDSHAKE_FAILURE = tlsError('SSLV3_ALERT_HANDSHAKE_FAILURE');
const HANDSHAKE_FAILURE_ON_CLIENT_HELLO = `${HANDSHAKE_FAILURE.slice(0, -':TLS_error_end'.length)}|${tlsError('HANDSHAKE_FAILURE_ON_CLIENT_HELLO').slice('TLS_error:|'.length)}`;

/** A client's reason: BoringSSL says so when the alert is all the server had to say. */
export function clientError(reason: string, answered: boolean): string {
  return reason === HANDSHAKE_FAILURE && !answered ? HANDSHAKE_FAILURE_ON_CLIENT_HELLO : reason;
}
