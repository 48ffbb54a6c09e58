// Secrets as the data plane uses them: decoded, files read, PEM checked. Envoy: envoy/secret/secret_provider.h,
// api/envoy/extensions/transport_sockets/tls/v3/{secret,common}.proto.

export type SecretKind = 'tls_certificate' | 'validation_context' | 'session_ticket_keys' | 'generic_secret';

export interface TlsCertificateSecret {
  readonly kind: 'tls_certificate';
  readonly certificateChainPem: string;
  readonly privateKeyPem: string;
  readonly password: string | undefined;
  /** DER of an OCSP response to send along. */
  readonly ocspStaple: OcspStaple | undefined;
}
export interface OcspStaple {
  readonly der: Buffer;
  /** ms since the epoch; 0 when the response does not say: it counts as old then. */
  readonly nextUpdateMs: number;
}
/** Roots (and revocation lists) of one SPIFFE trust domain. */
export interface TrustDomain {
  readonly name: string;
  readonly bundlePem: string;
}
export interface ValidationContextSecret {
  readonly kind: 'validation_context';
  /** '' when only other checks are configured. */
  readonly trustedCaPem: string;
  readonly crlPem: string;
  /** Of the SPIFFE validator; undefined for the default one. */
  readonly trustDomains: readonly TrustDomain[] | undefined;
  /** The CertificateValidationContext message itself, for the matchers and switches. */
  readonly config: object;
}
export interface SessionTicketKeysSecret {
  readonly kind: 'session_ticket_keys';
  /** 80 bytes each in Envoy's format; the first encrypts. */
  readonly keys: readonly Uint8Array[];
}
export interface GenericSecret {
  readonly kind: 'generic_secret';
  readonly secrets: ReadonlyMap<string, Uint8Array>;
}
/** Identity of the object is its version: a changed secret is a new object. */
export type Secret = TlsCertificateSecret | ValidationContextSecret | SessionTicketKeysSecret | GenericSecret;
