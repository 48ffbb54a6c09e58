// What the CA answered, checked before anything uses it: the chain holds together, the key is ours, the name is the one we
// are to have, the time is right. SPIFFE X.509-SVID: https://github.com/spiffe/spiffe/blob/main/standards/X509-SVID.md

import type { KeyObject, X509Certificate } from 'node:crypto';
import { crypto } from '../../common/builtins.ts';
import { subjectAltNames } from '../../common/tls/subject_alt_name.ts';

const PEM_BLOCK = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g;

export interface WorkloadCertificate {
  readonly spiffeId: string;
  /** The leaf and its intermediates, without the root. */
  readonly chainPem: string;
  readonly privateKeyPem: string;
  /** The root that the chain ends at. */
  readonly root: X509Certificate;
  /** Lower-case hexadecimal. */
  readonly serialNumber: string;
  /** As `Date.now()`. */
  readonly notBefore: number;
  readonly notAfter: number;
}

/** An answer that must not be used. */
export class UnusableCertificateError extends Error {}

/** The certificates of PEM texts, each once: a CA may send its root twice. Throws for a block that is not a certificate. */
export function parseCertificates(...pems: readonly string[]): X509Certificate[] {
  const found = new Map<string, X509Certificate>();
  for (const [block] of pems.join('\n').matchAll(PEM_BLOCK)) {
    const certificate = new crypto.X509Certificate(block);
    found.set(certificate.fingerprint256, certificate);
  }
  return [...found.values()];
}

/**
 * `certificateChain` is the answer, the leaf first; `trusted` are roots known otherwise, for a chain that comes without its own.
 * Throws UnusableCertificateError.
 */
export function checkWorkloadCertificate(
  certificateChain: readonly string[],
  privateKey: KeyObject,
  spiffeId: string,
  trusted: readonly X509Certificate[],
): WorkloadCertificate {
  const certificates = readAnswer(certificateChain);
  const [leaf, ...others] = certificates as [X509Certificate, ...X509Certificate[]];
  if (!leaf.checkPrivateKey(privateKey)) throw new UnusableCertificateError('it is for another key');
  checkIdentity(leaf, spiffeId);
  const path = certificationPath(leaf, [...others, ...trusted]);
  for (const certificate of path) checkLifetime(certificate);
  const root = path.at(-1)!;
  return Object.freeze({
    spiffeId,
    chainPem: pemText(path.slice(0, -1)),
    privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    root,
    serialNumber: leaf.serialNumber.toLowerCase(),
    notBefore: leaf.validFromDate.getTime(),
    notAfter: leaf.validToDate.getTime(),
  });
}

export function pemText(certificates: readonly X509Certificate[]): string {
  return certificates.map((each) => each.toString()).join('');
}

function readAnswer(certificateChain: readonly string[]): X509Certificate[] {
  let certificates: X509Certificate[];
  try {
    certificates = parseCertificates(...certificateChain);
  } catch (error) {
    throw new UnusableCertificateError(`it cannot be read: ${(error as Error).message}`);
  }
  if (certificates.length === 0) throw new UnusableCertificateError('the answer holds no certificate');
  return certificates;
}

/** X509-SVID 2: exactly one URI. */
function checkIdentity(leaf: X509Certificate, spiffeId: string): void {
  const names = subjectAltNames(leaf);
  const uris = names.filter(({ type }) => type === 'URI').map(({ value }) => value);
  if (uris.length === 1 && uris[0] === spiffeId) return;
  const said = uris.length === 0 ? 'no SPIFFE identity' : uris.join(' and ');
  throw new UnusableCertificateError(`it is for ${said}, and this workload is ${spiffeId}`);
}

/** From the leaf to a self-signed certificate, each signed by the next. */
function certificationPath(leaf: X509Certificate, issuers: readonly X509Certificate[]): X509Certificate[] {
  if (leaf.ca) throw new UnusableCertificateError('it is the certificate of a CA');
  const path = [leaf];
  let last = leaf;
  while (!isRoot(last)) {
    const issuer = issuers.find((each) => !path.includes(each) && hasIssued(each, last));
    if (issuer === undefined) {
      throw new UnusableCertificateError(`nothing in its chain or in the roots has signed ${nameOf(last)}`);
    }
    path.push(issuer);
    last = issuer;
  }
  return path;
}

function isRoot(certificate: X509Certificate): boolean {
  return hasIssued(certificate, certificate);
}

function hasIssued(issuer: X509Certificate, subject: X509Certificate): boolean {
  return issuer.ca && subject.checkIssued(issuer) && subject.verify(issuer.publicKey);
}

function checkLifetime(certificate: X509Certificate): void {
  const { validFromDate: from, validToDate: to } = certificate;
  const now = Date.now();
  if (from.getTime() <= now && now < to.getTime()) return;
  throw new UnusableCertificateError(
    `${nameOf(certificate)} is valid from ${from.toISOString()} to ${to.toISOString()}, and here it is ${new Date(now).toISOString()}`,
  );
}

function nameOf(certificate: X509Certificate): string {
  return `the certificate of '${(certificate.subject || certificate.subjectAltName) ?? ''}'`;
}
