// The PKCS#10 request for a workload certificate: an empty subject and one URI, the SPIFFE identity.
// RFC 2986 (the request), RFC 5280 4.2.1.6 (subjectAltName), RFC 5758 3.2 (ecdsa-with-SHA256).

import type { KeyObject } from 'node:crypto';
import { crypto } from '../../common/builtins.ts';
import {
  bitString,
  boolean,
  implicit,
  implicitConstructed,
  objectIdentifier,
  octetString,
  sequence,
  setOf,
  smallInteger,
} from './der.ts';

const ECDSA_WITH_SHA256 = objectIdentifier('1.2.840.10045.4.3.2');
/** PKCS#9 extensionRequest: the extensions that the certificate is to have. */
const EXTENSION_REQUEST = objectIdentifier('1.2.840.113549.1.9.14');
const SUBJECT_ALT_NAME = objectIdentifier('2.5.29.17');
/** GeneralName's uniformResourceIdentifier. */
const URI = 6;
const VERSION_1 = smallInteger(0);
const EMPTY_NAME = sequence();

/** A key that never leaves the process, and the request that it signed. */
export interface CertificateRequest {
  readonly privateKey: KeyObject;
  readonly pem: string;
}

/** A new ECDSA P-256 key and a request for `uri`. */
export function createCertificateRequest(uri: string): CertificateRequest {
  const { privateKey, publicKey } = crypto.generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  // An empty subject makes the extension critical.
  const subjectAltName = sequence(
    SUBJECT_ALT_NAME,
    boolean(true),
    octetString(sequence(implicit(URI, Buffer.from(uri, 'ascii')))),
  );
  const attributes = implicitConstructed(0, sequence(EXTENSION_REQUEST, setOf(sequence(subjectAltName))));
  const publicKeyInfo = publicKey.export({ type: 'spki', format: 'der' });
  const info = sequence(VERSION_1, EMPTY_NAME, publicKeyInfo, attributes);
  const signature = crypto.sign('sha256', info, privateKey);
  const request = sequence(info, sequence(ECDSA_WITH_SHA256), bitString(signature));
  return { privateKey, pem: pemOf('CERTIFICATE REQUEST', request) };
}

/** RFC 7468: base64 in lines of 64. */
function pemOf(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g)!;
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
}
