// envoy.tls.cert_validator.spiffe: each trust domain has roots of its own, and the peer's URI name says which it is of.
// OpenSSL knows all roots together; that the way leads to those of the domain is seen to here.
// Envoy: source/extensions/transport_sockets/tls/cert_validator/spiffe/spiffe_validator.cc; SPIFFE X509-SVID 5.

import type { X509Certificate } from 'node:crypto';
import type { TrustDomain } from '../../api/secret.ts';
import { KeyUsage, keyUsageOf } from './certificate_extensions.ts';
import { isPathUsable, type PeerRole, TrustAnchors } from './certificate_path.ts';
import type { CertificateValidator } from './certificate_validator.ts';
import { RevocationLists } from './revocation_list.ts';
import { type SanMatcher, subjectAltNames } from './subject_alt_name.ts';
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

interface Domain {
  readonly anchors: TrustAnchors;
  readonly revocation: RevocationLists;
}

export class SpiffeValidator implements CertificateValidator {
  readonly trust: TrustStore;
  readonly acceptUntrusted = false;
  readonly requestsCertificate = true;
  readonly requiresCertificate = true;
  readonly validates = true;
  readonly walksChain = true;
  readonly #domains: ReadonlyMap<string, Domain>;
  /** Other names than URIs are not SPIFFE's. */
  readonly #matchers: readonly SanMatcher[];
  readonly #allowExpired: boolean;
  readonly #peer: PeerRole;

  constructor(
    domains: readonly TrustDomain[],
    matchers: readonly SanMatcher[],
    allowExpired: boolean,
    peer: PeerRole,
  ) {
    this.trust = trustStore(domains.map(({ bundlePem }) => bundlePem).join('\n'), '');
    this.#domains = new Map(
      domains.map(({ name, bundlePem }) => [
        name,
        { anchors: new TrustAnchors(bundlePem), revocation: new RevocationLists(bundlePem) },
      ]),
    );
    this.#matchers = matchers.filter(({ type }) => type === 'URI');
    this.#allowExpired = allowExpired;
    this.#peer = peer;
  }

  verify(certificate: X509Certificate, error: ChainError | undefined): VerifyFailure | undefined {
    // A certificate for every use is one that could sign others.
    const usage = keyUsageOf(certificate) ?? KeyUsage.KeyCertSign;
    if (certificate.ca || (usage & (KeyUsage.KeyCertSign | KeyUsage.CrlSign)) !== 0) {
      return { stat: 'fail_verify_error', reason: verifyError('cert precheck') };
    }
    const domain = this.#domainOf(certificate);
    if (domain === undefined) {
      return { stat: 'fail_verify_error', reason: verifyError('no trust bundle store') };
    }
    const failure = this.#verifyChain(certificate, error, domain);
    if (failure !== undefined || this.#matchers.length === 0) return failure;
    const names = subjectAltNames(certificate);
    if (names.some((name) => this.#matchers.some((matcher) => matcher.match(name)))) return undefined;
    return { stat: 'fail_verify_san', reason: verifyError('SAN match') };
  }

  issuerOf(certificate: X509Certificate): X509Certificate | undefined {
    return this.#domainOf(certificate)?.anchors.pathOf(certificate)?.[1];
  }

  #verifyChain(
    certificate: X509Certificate,
    error: ChainError | undefined,
    { anchors, revocation }: Domain,
  ): VerifyFailure | undefined {
    if (error !== undefined && !mayHideIssuer(error)) return chainFailure(error);
    const path = anchors.pathOf(certificate);
    if (path === undefined) return chainFailure(ISSUER_UNKNOWN);
    if (error !== undefined) {
      if (!isAboutTime(error) || !this.#allowExpired) return chainFailure(error);
      if (!isPathUsable(path, this.#peer)) return chainFailure('unsupported certificate purpose');
    }
    if (revocation.empty) return undefined;
    for (let depth = 0; depth < path.length - 1; depth++) {
      const reason = revocation.check(path[depth], path[depth + 1], Date.now());
      if (reason !== undefined) return chainFailure(reason, depth);
    }
    return undefined;
  }

  /** A valid SPIFFE certificate has one URI name. */
  #domainOf(certificate: X509Certificate): Domain | undefined {
    const uri = subjectAltNames(certificate).find(({ type }) => type === 'URI');
    const name = uri && /^spiffe:\/\/([^/]*)\//.exec(uri.value);
    return name ? this.#domains.get(name[1]) : undefined;
  }
}
