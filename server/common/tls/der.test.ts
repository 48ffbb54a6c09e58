import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { parsePathLength } from './certificate_extensions.ts';
import {
  contextTag,
  DerError,
  DerReader,
  DerTag,
  derTime,
  integerHex,
  oidText,
  primitiveContextTag,
} from './der.ts';
import { parseOcspResponse } from './ocsp_response.ts';
import { RevocationLists } from './revocation_list.ts';
import { parseGeneralNames } from './subject_alt_name.ts';

/** Of what the parsers look for. */
const TAGS = [
  ...Object.values(DerTag),
  contextTag(0),
  primitiveContextTag(1),
  primitiveContextTag(2),
  primitiveContextTag(6),
  primitiveContextTag(7),
];
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

describe('DER', () => {
  test('elements one after the other, and within each other', () => {
    const reader = new DerReader(hex('30 06 02 01 05 a0 01 ff 04 00')).enter(DerTag.Sequence);
    assert.equal(reader.peek(), DerTag.Integer);
    assert.equal(reader.optional(DerTag.Boolean), undefined);
    assert.deepEqual(reader.content(DerTag.Integer), hex('05'));
    assert.deepEqual(reader.element(), hex('a0 01 ff'));
    assert.equal(reader.done, true);
    assert.equal(reader.peek(), -1);
  });

  test('lengths of several bytes', () => {
    const long = Buffer.concat([hex('04 82 01 00'), Buffer.alloc(256, 7)]);
    assert.equal(new DerReader(long).content(DerTag.OctetString).length, 256);
  });

  test('what is no DER', () => {
    for (const bytes of ['', '02', '02 02 05', '02 80 05 00 00', '02 85 00 00 00 00 01 05', '04 01 05']) {
      assert.throws(() => new DerReader(hex(bytes)).content(DerTag.Integer), DerError, bytes);
    }
  });

  test('object identifiers, integers and times', () => {
    assert.equal(oidText(hex('2a 86 48 86 f7 0d 01 01 0b')), '1.2.840.113549.1.1.11');
    assert.equal(oidText(hex('55 1d 11')), '2.5.29.17');
    assert.equal(oidText(hex('88 37')), '2.999');
    assert.equal(integerHex(hex('00 fa 33')), 'fa33');
    assert.equal(integerHex(hex('0e 3a')), '0e3a');
    assert.equal(integerHex(hex('00')), '00');
    const ascii = (text: string): Buffer => Buffer.from(text, 'latin1');
    assert.equal(derTime(DerTag.UtcTime, ascii('261121083506Z')), Date.parse('2026-11-21T08:35:06Z'));
    assert.equal(derTime(DerTag.UtcTime, ascii('991231235959Z')), Date.parse('1999-12-31T23:59:59Z'));
    assert.equal(
      derTime(DerTag.GeneralizedTime, ascii('21261028083506Z')),
      Date.parse('2126-10-28T08:35:06Z'),
    );
    assert.throws(() => derTime(DerTag.UtcTime, ascii('21261028083506Z')), DerError);
    assert.throws(() => derTime(DerTag.GeneralizedTime, ascii('20261121083506+0100')), DerError);
  });
});

test('no bytes make a reader throw anything else, or hang', () => {
  const parsers = [
    parseOcspResponse,
    parseGeneralNames,
    parsePathLength,
    (der: Buffer) =>
      new RevocationLists(`-----BEGIN X509 CRL-----\n${der.toString('base64')}\n-----END X509 CRL-----`),
  ];
  // Elements of the tags that are looked for, nested at random.
  const { tree } = fc.letrec<{ tree: Buffer }>((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
      fc.tuple(fc.constantFrom(...TAGS), fc.array(tie('tree'))).map(([tag, parts]) => {
        const content = Buffer.concat(parts);
        return Buffer.concat([Buffer.from([tag, 0x82, content.length >> 8, content.length & 255]), content]);
      }),
    ),
  }));
  fc.assert(
    fc.property(tree, (der) => {
      for (const parse of parsers) {
        try {
          parse(der);
        } catch (error) {
          assert.ok(error instanceof DerError, String(error));
        }
      }
    }),
    { numRuns: 2000 },
  );
});
