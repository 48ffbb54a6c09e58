// Which of a server's certificates a client gets: the first whose names fit its SNI, ECDSA before RSA where the client can
// verify it, and none whose OCSP response breaks the policy. Envoy: source/common/tls/default_tls_certificate_selector.cc.

import type { TlsCertificateSecret } from '../../api/secret.ts';
import { isMustStaple } from './certificate_extensions.ts';
import type { ClientHello } from './client_hello.ts';
import { leafCertificate } from './secure_context.ts';
import { subjectAltNames } from './subject_alt_name.ts';

export type OcspStaplePolicy = 'LENIENT_STAPLING' | 'STRICT_STAPLING' | 'MUST_STAPLE';

/** What is done about the OCSP response of a handshake. */
export type OcspStapleAction = 'staple' | 'no_staple' | 'fail' | 'client_not_capable';

export interface Selection {
  readonly certificate: TlsCertificateSecret;
  readonly staple: OcspStapleAction;
}

export interface CertificateSelectorOptions {
  /** Consider all of them when the SNI fits none (full_scan_certs_on_sni_mismatch). */
  readonly fullScan: boolean;
  readonly ocspStaplePolicy: OcspStaplePolicy;
  /** For whether a client without TLS 1.3 can use ECDSA. */
  readonly cipherSuites: string;
  readonly speaksTls13: boolean;
}

interface Candidate {
  readonly certificate: TlsCertificateSecret;
  readonly keyType: string;
  /** OpenSSL's name; '' for keys without one. */
  readonly curve: string;
  readonly mustStaple: boolean;
}

/** Code points of signature algorithms (TLS 1.3) and of groups (before) by the curve of the key they are for. IANA. */
const CURVES = new Map([
  [0x0403, 'prime256v1'],
  [0x0503, 'secp384r1'],
  [0x0603, 'secp521r1'],
  [23, 'prime256v1'],
  [24, 'secp384r1'],
  [25, 'secp521r1'],
]);
const ECDSA_CIPHER_SUITES = new Map([
  [0xc02b, 'ECDHE-ECDSA-AES128-GCM-SHA256'],
  [0xc02c, 'ECDHE-ECDSA-AES256-GCM-SHA384'],
  [0xcca9, 'ECDHE-ECDSA-CHACHA20-POLY1305'],
  [0xc009, 'ECDHE-ECDSA-AES128-SHA'],
  [0xc00a, 'ECDHE-ECDSA-AES256-SHA'],
]);

export class CertificateSelector {
  /** What this was made for: a rotated certificate needs a new selector. */
  readonly certificates: readonly TlsCertificateSecret[];
  readonly #options: CertificateSelectorOptions;
  readonly #all: readonly Candidate[];
  /** `www.example.com`, and `.example.com` for `*.example.com`; one of each type of key. */
  readonly #byName = new Map<string, Candidate[]>();

  constructor(certificates: readonly TlsCertificateSecret[], options: CertificateSelectorOptions) {
    this.certificates = certificates;
    this.#options = options;
    this.#all = certificates.map(candidate);
    // With a single certificate there is nothing to choose.
    if (certificates.length < 2) return;
    for (const one of this.#all) for (const name of namesOf(one.certificate)) this.#add(name, one);
  }

  #add(name: string, one: Candidate): void {
    const key = name.startsWith('*.') ? name.slice(1) : name;
    const same = this.#byName.get(key);
    if (same === undefined) this.#byName.set(key, [one]);
    else if (same.every(({ keyType }) => keyType !== one.keyType)) same.push(one);
  }

  /** `hello` undefined: what came is no ClientHello, and the handshake will say so. */
  select(hello: ClientHello | undefined): Selection {
    const only = this.#all.length === 1 || hello === undefined ? this.#all[0] : undefined;
    const chosen = only ?? this.#bySni(hello!) ?? this.#all[0];
    return { certificate: chosen.certificate, staple: this.#staple(chosen, hello) };
  }

  #bySni(hello: ClientHello): Candidate | undefined {
    const { serverName } = hello;
    const curves = this.#ecdsaCurves(hello);
    if (serverName === '') return this.#best(this.#all, curves, hello);
    const dot = serverName.indexOf('.', 1);
    const wildcard = dot > 0 && dot < serverName.length - 1 ? serverName.slice(dot) : '';
    return (
      this.#best(this.#byName.get(serverName) ?? [], curves, hello) ??
      this.#best(this.#byName.get(wildcard) ?? [], curves, hello) ??
      (this.#options.fullScan ? this.#best(this.#all, curves, hello) : undefined)
    );
  }

  /** The first with a curve that the client can verify, else the first of another kind. */
  #best(
    candidates: readonly Candidate[],
    curves: ReadonlySet<string>,
    hello: ClientHello,
  ): Candidate | undefined {
    const fitting = candidates.filter((one) => this.#staple(one, hello) !== 'fail');
    return fitting.find(({ curve }) => curves.has(curve)) ?? fitting.find(({ curve }) => curve === '');
  }

  /** Curves of ECDSA keys that the client can verify. */
  #ecdsaCurves(hello: ClientHello): ReadonlySet<string> {
    if (hello.hasSupportedVersions && this.#options.speaksTls13) return curvesOf(hello.signatureAlgorithms);
    const curves = curvesOf(hello.supportedGroups);
    const suites = codePoints(hello.cipherSuites).map((suite) => ECDSA_CIPHER_SUITES.get(suite));
    const enabled = this.#options.cipherSuites.split(':');
    return suites.some((suite) => suite !== undefined && enabled.includes(suite)) ? curves : NO_CURVES;
  }

  #staple({ certificate, mustStaple }: Candidate, hello: ClientHello | undefined): OcspStapleAction {
    if (hello?.statusRequest !== true) return 'client_not_capable';
    const response = certificate.ocspStaple;
    const policy = mustStaple ? 'MUST_STAPLE' : this.#options.ocspStaplePolicy;
    if (response !== undefined && Date.now() <= response.nextUpdateMs) return 'staple';
    if (policy === 'LENIENT_STAPLING') return 'no_staple';
    return policy === 'STRICT_STAPLING' && response === undefined ? 'no_staple' : 'fail';
  }
}

const NO_CURVES: ReadonlySet<string> = new Set();

function candidate(certificate: TlsCertificateSecret): Candidate {
  const leaf = leafCertificate(certificate);
  const { asymmetricKeyType: keyType = '', asymmetricKeyDetails: details } = leaf.publicKey;
  return { certificate, keyType, curve: details?.namedCurve ?? '', mustStaple: isMustStaple(leaf) };
}

function curvesOf(list: Uint8Array): ReadonlySet<string> {
  const curves = codePoints(list).map((point) => CURVES.get(point));
  return new Set(curves.filter((curve) => curve !== undefined));
}

function codePoints(list: Uint8Array): number[] {
  return Array.from({ length: list.length / 2 }, (_, index) => (list[2 * index] << 8) | list[2 * index + 1]);
}

/** DNS names, or the common name of a certificate without any alternative name. */
function namesOf(secret: TlsCertificateSecret): string[] {
  const leaf = leafCertificate(secret);
  const names = subjectAltNames(leaf);
  if (names.length > 0) {
    return names.filter(({ type }) => type === 'DNS').map(({ value }) => value.toLowerCase());
  }
  const commonName = /^CN=(.*)$/m.exec(leaf.subject);
  return commonName === null ? [] : [commonName[1].toLowerCase()];
}
