// Which of a server's certificates a client gets: those whose names fit its SNI, at most one for each kind of key (OpenSSL
// then picks the kind by what the client can verify). Envoy: source/common/tls/default_tls_certificate_selector.cc.

import type { TlsCertificateSecret } from '../../api/secret.ts';
import { leafCertificate } from './secure_context.ts';
import { parseSubjectAltNames } from './subject_alt_name.ts';

export class CertificateSelector {
  /** What this was made for: a rotated certificate needs a new selector. */
  readonly certificates: readonly TlsCertificateSecret[];
  readonly #fullScan: boolean;
  /** `www.example.com`, and `.example.com` for `*.example.com`. */
  readonly #byName = new Map<string, TlsCertificateSecret[]>();
  readonly #all: readonly TlsCertificateSecret[];
  readonly #first: readonly TlsCertificateSecret[];

  /** `fullScan`: consider all of them when the SNI fits none (full_scan_certs_on_sni_mismatch). */
  constructor(certificates: readonly TlsCertificateSecret[], fullScan: boolean) {
    this.certificates = certificates;
    this.#fullScan = fullScan;
    this.#all = onePerKind(certificates);
    this.#first = certificates.slice(0, 1);
    // With a single certificate there is nothing to choose.
    if (certificates.length < 2) return;
    for (const certificate of certificates) {
      for (const name of namesOf(certificate)) this.#add(name, certificate);
    }
  }

  #add(name: string, certificate: TlsCertificateSecret): void {
    const key = name.startsWith('*.') ? name.slice(1) : name;
    this.#byName.set(key, onePerKind([...(this.#byName.get(key) ?? []), certificate]));
  }

  /** `serverName` is lower case, '' when the client sent none. */
  select(serverName: string): readonly TlsCertificateSecret[] {
    if (this.certificates.length < 2) return this.certificates;
    if (serverName === '') return this.#all;
    const exact = this.#byName.get(serverName);
    if (exact !== undefined) return exact;
    const dot = serverName.indexOf('.');
    const wildcard = dot > 0 ? this.#byName.get(serverName.slice(dot)) : undefined;
    return wildcard ?? (this.#fullScan ? this.#all : this.#first);
  }
}

/** DNS names, or the common name of a certificate without any. */
function namesOf(secret: TlsCertificateSecret): string[] {
  const leaf = leafCertificate(secret);
  const names = parseSubjectAltNames(leaf.subjectAltName).filter(({ type }) => type === 'DNS');
  if (names.length > 0) return names.map(({ value }) => value.toLowerCase());
  const commonName = /^CN=(.*)$/m.exec(leaf.subject);
  return commonName === null ? [] : [commonName[1].toLowerCase()];
}

function onePerKind(certificates: readonly TlsCertificateSecret[]): TlsCertificateSecret[] {
  const kinds = new Set<string | undefined>();
  return certificates.filter((certificate) => {
    const kind = leafCertificate(certificate).publicKey.asymmetricKeyType;
    return !kinds.has(kind) && kinds.add(kind);
  });
}
