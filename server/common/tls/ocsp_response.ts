// Reads an OCSP response that is to be stapled: whose it is and how long it is good. Its signature is the client's to check.
// RFC 6960 4.2.1; Envoy: source/common/tls/ocsp/ocsp.cc, whose messages are kept.

import { contextTag, DerError, DerReader, DerTag, derTime, integerHex } from './der.ts';

const SUCCESSFUL = 0;
/** id-pkix-ocsp-basic. */
const BASIC_RESPONSE = '2b0601050507300101';

export interface OcspResponse {
  /** Of the certificate, in hexadecimal without leading zeros. */
  readonly serialNumber: string;
  /** ms since the epoch; `nextUpdateMs` is 0 when the response does not say. */
  readonly thisUpdateMs: number;
  readonly nextUpdateMs: number;
}

/** Throws DerError with the reason for what could not be stapled. */
export function parseOcspResponse(der: Buffer): OcspResponse {
  const all = new DerReader(der);
  const response = all.enter(DerTag.Sequence);
  if (!all.done) throw new DerError('Data contained more than a single OCSP response');
  if (response.content(DerTag.Enumerated)[0] !== SUCCESSFUL)
    throw new DerError('OCSP response was unsuccessful');
  const explicit = response.optional(contextTag(0));
  if (explicit === undefined) throw new DerError('OCSP response has no body');
  const body = new DerReader(explicit).enter(DerTag.Sequence);
  const type = body.content(DerTag.ObjectIdentifier).toString('hex');
  if (type !== BASIC_RESPONSE) throw new DerError('Unknown OCSP Response type');
  const basic = new DerReader(body.content(DerTag.OctetString)).enter(DerTag.Sequence);
  const data = basic.enter(DerTag.Sequence);
  data.optional(contextTag(0));
  // Who answered, and when.
  data.skip();
  data.skip();
  const responses = data.enter(DerTag.Sequence);
  const result = parseSingle(responses.enter(DerTag.Sequence));
  if (!responses.done) throw new DerError('OCSP Response must be for one certificate only');
  return result;
}

function parseSingle(single: DerReader): OcspResponse {
  const id = single.enter(DerTag.Sequence);
  // Digest algorithm, digests of the issuer's name and key.
  for (let i = 0; i < 3; i++) id.skip();
  const serialNumber = integerHex(id.content(DerTag.Integer));
  // The status.
  single.skip();
  const thisUpdateMs = time(single);
  const next = single.optional(contextTag(0));
  return { serialNumber, thisUpdateMs, nextUpdateMs: next === undefined ? 0 : time(new DerReader(next)) };
}

function time(fields: DerReader): number {
  const tag = fields.peek();
  return derTime(tag, fields.content(tag));
}
