// Decides whether a peer's certificate is good: the chain (OpenSSL's verdict), its names, its hashes. node is told never to
// reject by itself, so that every failure ends here, with Envoy's stat and Envoy's words.
// Envoy: source/common/tls/cert_validator/default_validator.cc; CertificateValidationContext in tls/v3/common.proto.

import type { X509Certificate } from 'node:crypto';
import type { CertificateValidationContext } from '../../../xds-protos/generated/envoy/extensions/transport_sockets/tls/v3.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { ValidationContextSecret } from '../../api/secret.ts';
import { crypto } from '../builtins.ts';
import { logger } from '../log.ts';
import { isPathUsable, type PeerRole, TrustAnchors } from './certificate_path.ts';
import { RevocationLists } from './revocation_list.ts';
import { SpiffeValidator } from './spiffe_validator.ts';
import { compileSanMatchers, dnsNameMatch, type SanMatcher, subjectAltNames } from './subject_alt_name.ts';
import { verifyError } from './tls_error.ts';
import { type TrustStore, trustStore } from './trust_store.ts';
import {
  type ChainError,
  chainFailure,
  ISSUER_UNKNOWN,
  isAboutTime,
  mayHideIssuer,
  type VerifyFailure,
} from './verify_failure.ts';

const log = logger('connection');

/** What a certificate must name in place of the configured names. */
export interface ExpectedNames {
  /** auto_san_validation, filter state: any of them, of any type. */
  readonly override: readonly string[] | undefined;
  /** auto_sni_san_validation: this DNS name. '' for none. */
  readonly sni: string;
}

export const CONFIGURED_NAMES: ExpectedNames = { override: undefined, sni: '' };

/** Settings of one validation context, or of a default one with what SDS gave merged into it. Immutable. */
export interface CertificateValidator {
  /** For OpenSSL. */
  readonly trust: TrustStore;
  /** A failing certificate is counted and accepted. */
  readonly acceptUntrusted: boolean;
  /** Servers ask their clients for a certificate. */
  readonly requestsCertificate: boolean;
  /** It is necessary even without require_client_certificate. */
  readonly requiresCertificate: boolean;
  /** True when a certificate that passes has been checked against something. */
  readonly validates: boolean;
  /**
   * It looks at what the peer sent along with its certificate. A session ticket does not hold that, and is given out before the
   * verdict: there must be none.
   */
  readonly walksChain: boolean;
  /** Undefined when all is well. `chainError`: OpenSSL's verdict on the chain. */
  verify(
    certificate: X509Certificate,
    chainError: ChainError | undefined,
    names: ExpectedNames,
  ): VerifyFailure | undefined;
  /** The certificate that signed one that passed; undefined when nothing was verified. */
  issuerOf(certificate: X509Certificate): X509Certificate | undefined;
}

/** `contexts`: the default one first, what is merged into it after it. `peer`: what it is in the handshake. Throws ConfigError. */
export function compileValidator(
  contexts: readonly ValidationContextSecret[],
  peer: PeerRole,
  path: string,
): CertificateValidator {
  const configs = contexts.map(({ config }) => config as CertificateValidationContext);
  for (const config of configs) rejectUnsupported(config, path);
  const spiffe = contexts.findLast((one) => one.trustDomains !== undefined)?.trustDomains;
  if (spiffe === undefined) return new DefaultCertificateValidator(contexts, configs, peer, path);
  const matchers = configs.flatMap((config) => compileSanMatchers(config, path));
  const allowExpired = configs.some((config) => config.allow_expired_certificate);
  return new SpiffeValidator(spiffe, matchers, allowExpired, peer);
}

class DefaultCertificateValidator implements CertificateValidator {
  readonly trust: TrustStore;
  readonly acceptUntrusted: boolean;
  readonly #peer: PeerRole;
  readonly #anchors: TrustAnchors;
  readonly #sanMatchers: readonly SanMatcher[];
  readonly #hashes: ReadonlySet<string>;
  readonly #spkis: ReadonlySet<string>;
  readonly #allowExpired: boolean;
  /** Certificates whose issuer is looked for. */
  readonly #maxDepth: number | undefined;
  /** Undefined when OpenSSL looks at them. */
  readonly #revocation: RevocationLists | undefined;
  readonly #onlyLeafRevocation: boolean;

  constructor(
    contexts: readonly ValidationContextSecret[],
    configs: readonly CertificateValidationContext[],
    peer: PeerRole,
    path: string,
  ) {
    const caPem = contexts.findLast(({ trustedCaPem }) => trustedCaPem !== '')?.trustedCaPem ?? '';
    const crlPem = contexts.findLast((one) => one.crlPem !== '')?.crlPem ?? '';
    this.#peer = peer;
    this.#anchors = new TrustAnchors(caPem);
    this.acceptUntrusted = configs.some(({ trust_chain_verification: how }) => how === 'ACCEPT_UNTRUSTED');
    this.#allowExpired = configs.some(({ allow_expired_certificate: allow }) => allow);
    this.#onlyLeafRevocation = configs.some(({ only_verify_leaf_cert_crl: only }) => only);
    const limited = configs.findLast((config) => config.max_verify_depth !== undefined);
    this.#maxDepth = limited?.max_verify_depth?.value;
    // Lists may stand among the roots, too. OpenSSL's error about times would hide one about a revocation.
    const lists = new RevocationLists(`${caPem}\n${crlPem}`);
    const ownRevocation = !lists.empty && (this.#allowExpired || this.#onlyLeafRevocation);
    this.#revocation = ownRevocation ? lists : undefined;
    this.trust = trustStore(caPem, lists.empty || ownRevocation ? '' : `${caPem}\n${crlPem}`);
    this.#sanMatchers = configs.flatMap((config) => compileSanMatchers(config, path));
    this.#hashes = new Set(configs.flatMap((config) => hexHashes(config.verify_certificate_hash, path)));
    this.#spkis = new Set(configs.flatMap((config) => spkiHashes(config.verify_certificate_spki, path)));
    if (caPem === '') this.#checkWithoutAuthority(crlPem, path);
  }

  #checkWithoutAuthority(crlPem: string, path: string): void {
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
    if (crlPem !== '')
      throw new ConfigError(at(path, 'crl'), 'Failed to load CRL from <inline> without trusted CA');
  }

  get requestsCertificate(): boolean {
    return this.acceptUntrusted || this.validates;
  }

  get requiresCertificate(): boolean {
    if (this.acceptUntrusted) return false;
    return this.#sanMatchers.length > 0 || this.#hashes.size > 0 || this.#spkis.size > 0;
  }

  get validates(): boolean {
    return this.trust.caPem !== '' || this.#hashes.size > 0 || this.#spkis.size > 0;
  }

  get walksChain(): boolean {
    return this.#allowExpired || this.#revocation !== undefined || this.#maxDepth !== undefined;
  }

  verify(
    certificate: X509Certificate,
    chainError: ChainError | undefined,
    names: ExpectedNames,
  ): VerifyFailure | undefined {
    return (
      this.#verifyChain(certificate, chainError) ??
      this.#verifyNames(certificate, names) ??
      this.#verifyHashes(certificate)
    );
  }

  issuerOf(certificate: X509Certificate): X509Certificate | undefined {
    return this.trust.caPem === '' ? undefined : this.#anchors.pathOf(certificate)?.[1];
  }

  #verifyChain(certificate: X509Certificate, error: ChainError | undefined): VerifyFailure | undefined {
    if (this.trust.caPem === '') return undefined;
    if (error === undefined ? !this.walksChain : !mayHideIssuer(error)) return error && chainFailure(error);
    const path = this.#anchors.pathOf(certificate);
    if (path === undefined) return chainFailure(ISSUER_UNKNOWN);
    if (error !== undefined) {
      if (!isAboutTime(error) || !this.#allowExpired) return chainFailure(error);
      if (!isPathUsable(path, this.#peer)) return chainFailure('unsupported certificate purpose');
    }
    // BoringSSL looks for the issuers of so many certificates, for one at least.
    const depth = Math.max(1, this.#maxDepth ?? path.length);
    if (path.length - 1 > depth) return chainFailure(ISSUER_UNKNOWN, depth);
    return this.#verifyRevocation(path);
  }

  #verifyRevocation(path: readonly X509Certificate[]): VerifyFailure | undefined {
    if (this.#revocation === undefined) return undefined;
    const last = this.#onlyLeafRevocation ? 1 : path.length - 1;
    const now = this.#allowExpired ? undefined : Date.now();
    for (let depth = 0; depth < last; depth++) {
      const issuer = path[depth + 1] ?? path[depth];
      const reason = this.#revocation.check(path[depth], issuer, now);
      if (reason !== undefined) return chainFailure(reason, depth);
    }
    return undefined;
  }

  #verifyNames(certificate: X509Certificate, expected: ExpectedNames): VerifyFailure | undefined {
    const { override, sni } = expected;
    if (override === undefined && sni === '' && this.#sanMatchers.length === 0) return undefined;
    const names = subjectAltNames(certificate);
    const list = names.map(({ value }) => value).join(', ');
    if (override !== undefined) {
      const found = names.some(({ type, value }) =>
        override.some((wanted) => (type === 'DNS' ? dnsNameMatch(wanted, value) : wanted === value)),
      );
      if (found) return undefined;
      const reason = `verify SAN list, expected SANs: [${override.join(', ')}], certificate SANs: [${list}]`;
      return { stat: 'fail_verify_san', reason: verifyError(reason) };
    }
    const found =
      sni === ''
        ? names.some((name) => this.#sanMatchers.some((matcher) => matcher.match(name)))
        : names.some(({ type, value }) => type === 'DNS' && dnsNameMatch(sni, value));
    if (found) return undefined;
    const wanted = sni === '' ? this.#sanMatchers.map(({ text }) => text).join(', ') : `DNS ${sni}`;
    log.debug(`expected SANs: [${wanted}], certificate SANs: [${list}]`);
    return { stat: 'fail_verify_san', reason: verifyError(`SAN matcher, certificate SANs are [${list}]`) };
  }

  #verifyHashes(certificate: X509Certificate): VerifyFailure | undefined {
    if (this.#hashes.size === 0 && this.#spkis.size === 0) return undefined;
    if (this.#hashes.has(crypto.createHash('sha256').update(certificate.raw).digest('hex'))) return undefined;
    if (this.#spkis.size > 0 && this.#spkis.has(spkiHash(certificate))) return undefined;
    return { stat: 'fail_verify_cert_hash', reason: verifyError('cert hash and spki') };
  }
}

function spkiHash(certificate: X509Certificate): string {
  const spki = certificate.publicKey.export({ type: 'spki', format: 'der' });
  return crypto.createHash('sha256').update(spki).digest('base64');
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
    ca_certificate_provider_instance: config.ca_certificate_provider_instance !== undefined,
    system_root_certs: config.system_root_certs !== undefined,
  };
  for (const [field, used] of Object.entries(unsupported)) {
    if (used) throw new ConfigError(at(path, field), 'not supported');
  }
}
