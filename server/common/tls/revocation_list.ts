// Certificate revocation lists, where OpenSSL's own check does not fit: for the peer's certificate alone
// (only_verify_leaf_cert_crl), for expired certificates that are accepted, and for a trust domain's own lists.
// RFC 5280 5; Envoy: X509_V_FLAG_CRL_CHECK in source/common/tls/cert_validator/default_validator.cc.

import type { X509Certificate } from 'node:crypto';
import { crypto } from '../builtins.ts';
import { contextTag, DerReader, DerTag, derTime } from './der.ts';

const CRL_BLOCK = /-----BEGIN X509 CRL-----([\s\S]*?)-----END X509 CRL-----/g;
/** Signature algorithms (RFC 5758, RFC 8017, RFC 8410) by their DER, and the digest that node wants to hear. */
const DIGESTS: Readonly<Record<string, string | null>> = {
  '2a864886f70d01010b': 'sha256',
  '2a864886f70d01010c': 'sha384',
  '2a864886f70d01010d': 'sha512',
  '2a8648ce3d040302': 'sha256',
  '2a8648ce3d040303': 'sha384',
  '2a8648ce3d040304': 'sha512',
  '2b6570': null,
};

interface RevocationList {
  /** DER of the issuer's name. */
  readonly issuer: Buffer;
  readonly thisUpdate: number;
  /** Infinity when the list does not say. */
  readonly nextUpdate: number;
  /** DER contents of serial numbers, in hexadecimal. */
  readonly revoked: ReadonlySet<string>;
  /** A critical extension changes what the list means, and we know none of them. */
  readonly unusable: boolean;
  readonly signed: Buffer;
  readonly algorithm: string;
  readonly signature: Buffer;
}

export class RevocationLists {
  readonly #lists: readonly RevocationList[];

  /** Throws DerError for what is no revocation list. */
  constructor(pem: string) {
    const lists = [...pem.matchAll(CRL_BLOCK)].map(([, body]) => parse(Buffer.from(body, 'base64')));
    // The newest of an issuer is found first.
    this.#lists = lists.sort((a, b) => b.thisUpdate - a.thisUpdate);
  }

  get empty(): boolean {
    return this.#lists.length === 0;
  }

  /**
   * What is wrong, in OpenSSL's words; undefined when `issuer` has a good list and the certificate is not on it. `nowMs`
   * undefined: lists of any age are good.
   */
  check(
    certificate: X509Certificate,
    issuer: X509Certificate,
    nowMs: number | undefined,
  ): string | undefined {
    const name = subjectOf(issuer);
    const list = this.#lists.find((one) => one.issuer.equals(name));
    if (list === undefined) return 'unable to get certificate CRL';
    if (list.unusable) return 'unhandled critical CRL extension';
    if (!verifySignature(list, issuer)) return 'CRL signature failure';
    if (nowMs !== undefined && nowMs < list.thisUpdate) return 'CRL is not yet valid';
    if (nowMs !== undefined && nowMs > list.nextUpdate) return 'CRL has expired';
    return list.revoked.has(serialOf(certificate)) ? 'certificate revoked' : undefined;
  }
}

function verifySignature({ algorithm, signed, signature }: RevocationList, issuer: X509Certificate): boolean {
  const digest = DIGESTS[algorithm];
  return digest !== undefined && crypto.verify(digest, signed, issuer.publicKey, signature);
}

function parse(der: Buffer): RevocationList {
  const list = new DerReader(der).enter(DerTag.Sequence);
  const signed = list.element();
  const algorithm = list.enter(DerTag.Sequence).content(DerTag.ObjectIdentifier).toString('hex');
  const signature = list.content(DerTag.BitString).subarray(1);
  const fields = new DerReader(signed).enter(DerTag.Sequence);
  fields.optional(DerTag.Integer);
  fields.skip();
  const issuer = fields.element();
  const thisUpdate = time(fields);
  const hasNext = fields.peek() === DerTag.UtcTime || fields.peek() === DerTag.GeneralizedTime;
  const nextUpdate = hasNext ? time(fields) : Number.POSITIVE_INFINITY;
  const revoked = new Set<string>();
  if (fields.peek() === DerTag.Sequence) {
    for (const entries = fields.enter(DerTag.Sequence); !entries.done; ) {
      revoked.add(entries.enter(DerTag.Sequence).content(DerTag.Integer).toString('hex'));
    }
  }
  const extensions = fields.optional(contextTag(0));
  const unusable = extensions !== undefined && hasCritical(extensions);
  return { issuer, thisUpdate, nextUpdate, revoked, unusable, signed, algorithm, signature };
}

function time(fields: DerReader): number {
  const tag = fields.peek();
  return derTime(tag, fields.content(tag));
}

function hasCritical(extensions: Buffer): boolean {
  for (const list = new DerReader(extensions).enter(DerTag.Sequence); !list.done; ) {
    const one = list.enter(DerTag.Sequence);
    one.skip();
    if (one.optional(DerTag.Boolean)?.[0] === 0xff) return true;
  }
  return false;
}

/** The fields of a certificate behind its version. */
function fieldsOf(certificate: X509Certificate): DerReader {
  const fields = new DerReader(certificate.raw).enter(DerTag.Sequence).enter(DerTag.Sequence);
  fields.optional(contextTag(0));
  return fields;
}

function serialOf(certificate: X509Certificate): string {
  return fieldsOf(certificate).content(DerTag.Integer).toString('hex');
}

/** DER of the name. */
function subjectOf(certificate: X509Certificate): Buffer {
  const fields = fieldsOf(certificate);
  // Serial number, signature algorithm, issuer, validity.
  for (let i = 0; i < 4; i++) fields.skip();
  return fields.element();
}
