// Follows a peer's certificate to a trusted one. OpenSSL does that within the handshake and node passes on one error at most,
// the last; where that is to be forgiven, or trust depends on who the peer is, the way is walked again here.
// RFC 5280 6.1; Envoy: X509_verify_cert as called in source/common/tls/cert_validator/default_validator.cc.

import type { X509Certificate } from 'node:crypto';
import { crypto } from '../builtins.ts';
import { ExtensionId, extensionOf, pathLengthOf } from './certificate_extensions.ts';

/** Longest chain that is looked at. Source: OpenSSL's default verification depth. */
const MAX_CHAIN = 100;
/** What a certificate may be used for, by its extended key usages. RFC 5280 4.2.1.12. */
const PURPOSES = { client: '1.3.6.1.5.5.7.3.2', server: '1.3.6.1.5.5.7.3.1' } as const;

/** What the peer is in the handshake. */
export type PeerRole = keyof typeof PURPOSES;

/** What the peer sent, its own certificate first. */
export function sentChain(leaf: X509Certificate): readonly X509Certificate[] {
  const chain: X509Certificate[] = [];
  for (let one: X509Certificate | undefined = leaf; one !== undefined; one = one.issuerCertificate) {
    chain.push(one);
    if (chain.length === MAX_CHAIN) break;
  }
  return chain;
}

/** The certificates in a PEM text, in its order. Throws what OpenSSL says of one it cannot read. */
export function certificatesOf(pem: string): readonly X509Certificate[] {
  const blocks = pem.match(
    /-----BEGIN [A-Z0-9 ]*CERTIFICATE-----[\s\S]*?-----END [A-Z0-9 ]*CERTIFICATE-----/g,
  );
  return (blocks ?? []).map((block) => new crypto.X509Certificate(block));
}

export class TrustAnchors {
  readonly #pem: string;
  #anchors: readonly X509Certificate[] | undefined = undefined;

  constructor(pem: string) {
    this.#pem = pem;
  }

  /** From the certificate over intermediates that the peer sent to a trusted one, or undefined. Times are not looked at. */
  pathOf(leaf: X509Certificate): readonly X509Certificate[] | undefined {
    const anchors = (this.#anchors ??= certificatesOf(this.#pem));
    const sent = sentChain(leaf).slice(1);
    const path = [leaf];
    while (path.length < MAX_CHAIN) {
      const last = path[path.length - 1];
      if (anchors.some((anchor) => anchor.fingerprint256 === last.fingerprint256)) break;
      const anchor = anchors.find((one) => issued(one, last));
      const next = anchor ?? sent.find((one) => !path.includes(one) && issued(one, last));
      if (next === undefined) return undefined;
      path.push(next);
      if (anchor !== undefined) break;
    }
    return path.every((one, index) => index === 0 || pathLengthOf(one) >= index - 1) ? path : undefined;
  }
}

/** False also where OpenSSL cannot use the issuer's key: anybody may send along whatever certificates he likes. */
function issued(issuer: X509Certificate, certificate: X509Certificate): boolean {
  if (!issuer.ca || !certificate.checkIssued(issuer)) return false;
  try {
    return certificate.verify(issuer.publicKey);
  } catch {
    return false;
  }
}

/**
 * Besides signatures and times, whether nothing forbids what the path is used for: what an error about times may have hidden.
 * Name constraints are not evaluated here, so a path that has some is not taken.
 */
export function isPathUsable(path: readonly X509Certificate[], role: PeerRole): boolean {
  const usages = path[0].keyUsage as readonly string[] | undefined;
  if (usages !== undefined && !usages.includes(PURPOSES[role]) && !usages.includes('2.5.29.37.0'))
    return false;
  return path.every((one) => extensionOf(one, ExtensionId.NameConstraints) === undefined);
}
