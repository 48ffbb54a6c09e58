// What an X.509 certificate holds that node does not show: extensions by their OID, and what is in some of them.
// RFC 5280 4.1 and 4.2; must-staple: RFC 7633.

import type { X509Certificate } from 'node:crypto';
import { contextTag, DerError, DerReader, DerTag } from './der.ts';

/** OIDs as the hexadecimal digits of their DER content. */
export const ExtensionId = {
  KeyUsage: '551d0f',
  SubjectAltName: '551d11',
  BasicConstraints: '551d13',
  NameConstraints: '551d1e',
  TlsFeature: '2b06010505070118',
} as const;

/** Bits of KeyUsage, the first of the BIT STRING highest. */
export const KeyUsage = {
  DigitalSignature: 0x80,
  KeyEncipherment: 0x20,
  KeyCertSign: 0x04,
  CrlSign: 0x02,
} as const;

/** status_request, as TLS numbers its extensions: "this certificate comes with an OCSP response". */
const MUST_STAPLE = Buffer.from('3003020105', 'hex');

/** The value of an extension, or undefined when the certificate has none such. */
export function extensionOf(certificate: X509Certificate, id: string): Buffer | undefined {
  try {
    const fields = new DerReader(certificate.raw).enter(DerTag.Sequence).enter(DerTag.Sequence);
    while (!fields.done && fields.peek() !== contextTag(3)) fields.skip();
    const extensions = fields.optional(contextTag(3));
    if (extensions === undefined) return undefined;
    for (const list = new DerReader(extensions).enter(DerTag.Sequence); !list.done; ) {
      const one = list.enter(DerTag.Sequence);
      const found = one.content(DerTag.ObjectIdentifier).toString('hex') === id;
      one.optional(DerTag.Boolean);
      if (found) return one.content(DerTag.OctetString);
    }
    return undefined;
  } catch (error) {
    if (error instanceof DerError) return undefined;
    throw error;
  }
}

/** Bits of the first byte of KeyUsage; undefined when the certificate may be used for everything. */
export function keyUsageOf(certificate: X509Certificate): number | undefined {
  const extension = extensionOf(certificate, ExtensionId.KeyUsage);
  // A BIT STRING: tag, length, unused bits, bits.
  return extension === undefined ? undefined : (extension[3] ?? 0);
}

/** Intermediate certificates that may follow below this authority: pathLenConstraint, or Infinity. */
export function pathLengthOf(authority: X509Certificate): number {
  const extension = extensionOf(authority, ExtensionId.BasicConstraints);
  return extension === undefined ? Number.POSITIVE_INFINITY : parsePathLength(extension);
}

/** Of DER of BasicConstraints; 0 for what cannot be read. */
export function parsePathLength(extension: Buffer): number {
  try {
    const constraints = new DerReader(extension).enter(DerTag.Sequence);
    constraints.optional(DerTag.Boolean);
    const length = constraints.optional(DerTag.Integer);
    if (length === undefined) return Number.POSITIVE_INFINITY;
    return length.length === 0 || length.length > 6 ? 0 : length.readUIntBE(0, length.length);
  } catch (error) {
    if (error instanceof DerError) return 0;
    throw error;
  }
}

/** True when the certificate must come with an OCSP response. */
export function isMustStaple(certificate: X509Certificate): boolean {
  return extensionOf(certificate, ExtensionId.TlsFeature)?.equals(MUST_STAPLE) === true;
}
