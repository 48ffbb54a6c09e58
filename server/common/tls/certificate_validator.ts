// Decides whether a peer's certificate is good: the chain (OpenSSL's verdict), its names, its hashes. node is told never to
// reject by itself, so that every failure ends here, with Envoy's stat and Envoy's words.
// Envoy: source/common/tls/cert_validator/default_validator.cc; CertificateValidationContext in tls/v3/common.proto.

import type { X509Certificate } from 'node:crypto';
import type { CertificateValidationContext } from '../../../xds-protos/generated/envoy/extensions/transport_sockets/tls/v3.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { ValidationContextSecret } from '../../api/secret.ts';
import { crypto } from '../builtins.ts';
import {
  compileSanMatchers,
  dnsNameMatch,
  parseSubjectAltNames,
  type SanMatcher,
} from './subject_alt_name.ts';
import { verifyError } from './tls_error.ts';
import { type TrustStore, trustStore } from './trust_store.ts';

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

const EXPIRED = 'CERT_HAS_EXPIRED';
/** OpenSSL says the second where BoringSSL says the first. */
const ISSUER_UNKNOWN = 'unable to get local issuer certificate';
const UNVERIFIED_LEAF = 'UNABLE_TO_VERIFY_LEAF_SIGNATURE';
/** Longest chain that is walked by hand. Source: OpenSSL's default verification depth. */
const MAX_CHAIN = 100;

/** Settings of one validation context, or of a default one with what SDS gave merged into it. Immutable. */
export class CertificateValidator {
  readonly trust: TrustStore;
  /** A failing certificate is counted and accepted. */
  readonly acceptUntrusted: boolean;
  readonly #sanMatchers: readonly SanMatcher[];
  readonly #hashes: ReadonlySet<string>;
  readonly #spkis: ReadonlySet<string>;
  readonly #allowExpired: boolean;
  #authorities: readonly X509Certificate[] | undefined = undefined;

  /** `contexts`: the default one first, what is merged into it after it. Throws ConfigError. */
  constructor(contexts: readonly ValidationContextSecret[], path: string) {
    const configs = contexts.map(({ config }) => config as CertificateValidationContext);
    for (const config of configs) rejectUnsupported(config, path);
    this.trust = trustStore(
      contexts.findLast(({ trustedCaPem }) => trustedCaPem !== '')?.trustedCaPem ?? '',
      contexts.findLast(({ crlPem }) => crlPem !== '')?.crlPem ?? '',
    );
    this.acceptUntrusted = configs.some(({ trust_chain_verification: how }) => how === 'ACCEPT_UNTRUSTED');
    this.#allowExpired = configs.some(({ allow_expired_certificate: allow }) => allow);
    this.#sanMatchers = configs.flatMap((config) => compileSanMatchers(config, path));
    this.#hashes = new Set(configs.flatMap((config) => hexHashes(config.verify_certificate_hash, path)));
    this.#spkis = new Set(configs.flatMap((config) => spkiHashes(config.verify_certificate_spki, path)));
    if (this.trust.caPem === '') this.#checkWithoutAuthority(path);
  }

  #checkWithoutAuthority(path: string): void {
    if (this.#sanMatchers.length > 0) {
      throw new ConfigError(
        path,
        'SAN-based verification of peer certificates without trusted CA is insecure and not allowed',
      );
    }
    if (this.#allowExpired) {
      throw new ConfigError(
        at(path, 'allow_expired_certificate'),
        'Certificate validity period is always ignored without trusted CA',
      );
    }
    if (this.trust.crlPem !== '')
      throw new ConfigError(at(path, 'crl'), 'Failed to load CRL from <inline> without trusted CA');
  }

  /** Servers ask their clients for a certificate. */
  get requestsCertificate(): boolean {
    return this.trust.caPem !== '' || this.#hashes.size > 0 || this.#spkis.size > 0;
  }

  /** A name or hash to check makes the certificate necessary, even without require_client_certificate. */
  get requiresCertificate(): boolean {
    return this.#sanMatchers.length > 0 || this.#hashes.size > 0 || this.#spkis.size > 0;
  }

  /** `sanOverride` replaces the configured names (auto_san_validation). Undefined when all is well. */
  verify(
    certificate: X509Certificate,
    chainError: ChainError | undefined,
    sanOverride: readonly string[] | undefined,
  ): VerifyFailure | undefined {
    return (
      this.#verifyChain(certificate, chainError) ??
      this.#verifyNames(certificate, sanOverride) ??
      this.#verifyHashes(certificate)
    );
  }

  #verifyChain(certificate: X509Certificate, error: ChainError | undefined): VerifyFailure | undefined {
    if (this.trust.caPem === '' || error === undefined) return undefined;
    // OpenSSL keeps its last error only: behind an expired certificate there may be an unknown issuer.
    const expiredOnly = error.code === EXPIRED && this.#leadsToAuthority(certificate);
    if (expiredOnly && this.#allowExpired) return undefined;
    const text = error.code === UNVERIFIED_LEAF ? ISSUER_UNKNOWN : error.message.split(';')[0];
    const detail = `X509_verify_cert: certificate verification error at depth 0: ${text}`;
    return { stat: 'fail_verify_error', reason: verifyError(detail) };
  }

  /** Do signatures lead from the certificate, over the peer's intermediates, to a trusted one? */
  #leadsToAuthority(leaf: X509Certificate): boolean {
    const authorities = (this.#authorities ??= certificatesOf(this.trust.caPem));
    let certificate = leaf;
    for (let depth = 0; depth < MAX_CHAIN; depth++) {
      const { fingerprint256 } = certificate;
      if (authorities.some((authority) => authority.fingerprint256 === fingerprint256)) return true;
      if (authorities.some((authority) => issued(authority, certificate))) return true;
      const issuer = certificate.issuerCertificate;
      if (issuer === undefined || !issued(issuer, certificate)) return false;
      certificate = issuer;
    }
    return false;
  }

  #verifyNames(
    certificate: X509Certificate,
    override: readonly string[] | undefined,
  ): VerifyFailure | undefined {
    const names = parseSubjectAltNames(certificate.subjectAltName);
    if (override !== undefined) {
      const found = names.some(({ type, value }) =>
        override.some((wanted) => (type === 'DNS' ? dnsNameMatch(wanted, value) : wanted === value)),
      );
      if (found) return undefined;
      return { stat: 'fail_verify_san', reason: verifyError('verify SAN list') };
    }
    if (this.#sanMatchers.length === 0) return undefined;
    if (names.some((name) => this.#sanMatchers.some((matcher) => matcher.match(name)))) return undefined;
    const list = names.map(({ value }) => value).join(', ');
    return { stat: 'fail_verify_san', reason: verifyError(`SAN matcher, certificate SANs are [${list}]`) };
  }

  #verifyHashes(certificate: X509Certificate): VerifyFailure | undefined {
    if (this.#hashes.size === 0 && this.#spkis.size === 0) return undefined;
    if (this.#hashes.has(crypto.createHash('sha256').update(certificate.raw).digest('hex'))) return undefined;
    if (this.#spkis.size > 0 && this.#spkis.has(spkiHash(certificate))) return undefined;
    return { stat: 'fail_verify_cert_hash', reason: verifyError('cert hash and spki') };
  }
}

function issued(issuer: X509Certificate, certificate: X509Certificate): boolean {
  return issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

function spkiHash(certificate: X509Certificate): string {
  const spki = certificate.publicKey.export({ type: 'spki', format: 'der' });
  return crypto.createHash('sha256').update(spki).digest('base64');
}

function certificatesOf(pem: string): X509Certificate[] {
  const blocks =
    pem.match(/-----BEGIN [A-Z0-9 ]*CERTIFICATE-----[\s\S]*?-----END [A-Z0-9 ]*CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => new crypto.X509Certificate(block));
}

/** SHA-256 in hexadecimal, with or without colons. */
function hexHashes(configured: readonly string[], path: string): string[] {
  return configured.map((text) => {
    const hex = text.replaceAll(':', '').toLowerCase();
    if (/^[0-9a-f]{64}$/.test(hex)) return hex;
    throw new ConfigError(at(path, 'verify_certificate_hash'), `Invalid hex-encoded SHA-256 ${text}`);
  });
}

function spkiHashes(configured: readonly string[], path: string): readonly string[] {
  for (const text of configured) {
    if (/^[A-Za-z0-9+/]{43}=$/.test(text)) continue;
    throw new ConfigError(at(path, 'verify_certificate_spki'), `Invalid base64-encoded SHA-256 ${text}`);
  }
  return configured;
}

function rejectUnsupported(config: CertificateValidationContext, path: string): void {
  const unsupported = {
    require_signed_certificate_timestamp: config.require_signed_certificate_timestamp?.value === true,
    custom_validator_config: config.custom_validator_config !== undefined,
    ca_certificate_provider_instance: config.ca_certificate_provider_instance !== undefined,
    system_root_certs: config.system_root_certs !== undefined,
    only_verify_leaf_cert_crl: config.only_verify_leaf_cert_crl,
    max_verify_depth: config.max_verify_depth !== undefined,
  };
  for (const [field, used] of Object.entries(unsupported)) {
    if (used) throw new ConfigError(at(path, field), 'not supported');
  }
}
