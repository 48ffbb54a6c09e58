import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { create } from '../../../xds-protos/load.ts';
import {
  compileSanMatchers,
  dnsNameMatch,
  parseSubjectAltNames,
  type SubjectAltName,
} from './subject_alt_name.ts';

test('names as node prints them', () => {
  assert.deepEqual(parseSubjectAltNames('DNS:a.b, URI:spiffe://td/ns/x, IP Address:127.0.0.1, email:a@b'), [
    { type: 'DNS', value: 'a.b' },
    { type: 'URI', value: 'spiffe://td/ns/x' },
    { type: 'IP_ADDRESS', value: '127.0.0.1' },
    { type: 'EMAIL', value: 'a@b' },
  ]);
  assert.deepEqual(parseSubjectAltNames('URI:"spiffe://td/a, URI:spiffe://td/b", DNS:c'), [
    { type: 'URI', value: 'spiffe://td/a, URI:spiffe://td/b' },
    { type: 'DNS', value: 'c' },
  ]);
  assert.deepEqual(parseSubjectAltNames('DirName:"CN=x", DNS:c, othername:<unsupported>'), [
    { type: 'DNS', value: 'c' },
  ]);
  assert.deepEqual(parseSubjectAltNames(undefined), []);
});

test('anything else is no name at all', () => {
  for (const text of [
    'DNS',
    'DNS:a,DNS:b',
    'DNS:a, ',
    'DNS:"a',
    'DNS:"a"b',
    'URI:"\\x", DNS:a',
    'DNS:a, b',
  ]) {
    assert.deepEqual(parseSubjectAltNames(text), [], text);
  }
});

/** What node's PrintAltName does: quotes a value that is not plain. */
function print({ type, value }: SubjectAltName): string {
  const prefix = { DNS: 'DNS', URI: 'URI', EMAIL: 'email', IP_ADDRESS: 'IP Address' }[type];
  const plain = /^[\x20\x21\x23-\x26\x28-\x2b\x2d-\x5b\x5d-\x7e]+$/.test(value);
  return `${prefix}:${plain ? value : JSON.stringify(value)}`;
}

test('what is printed is read again, and no text throws', () => {
  const name = fc.record({
    type: fc.constantFrom<SubjectAltName['type'][]>('DNS', 'URI', 'EMAIL', 'IP_ADDRESS'),
    value: fc.string({ minLength: 1 }),
  });
  fc.assert(
    fc.property(fc.array(name), (names) => {
      const text = names.map(print).join(', ');
      assert.deepEqual(
        parseSubjectAltNames(text),
        names.map(({ type, value }) => ({ type, value })),
      );
    }),
  );
  fc.assert(fc.property(fc.string(), (text) => void parseSubjectAltNames(text)));
});

test('DNS wildcards', () => {
  const yes: [string, string][] = [
    ['a.example.com', 'a.example.com'],
    ['A.example.com', 'a.EXAMPLE.com'],
    ['a.example.com', '*.example.com'],
    ['abc.example.com', 'a*c.example.com'],
  ];
  const no: [string, string][] = [
    ['example.com', '*.example.com'],
    ['a.b.example.com', '*.example.com'],
    ['.example.com', '*.example.com'],
    ['a.example.com', '*.*.com'],
    ['a.example.com', 'a.*.com'],
    ['a.example.com', '*'],
    ['xn--a.example.com', 'xn--*.example.com'],
    ['ac.example.com', 'ac*c.example.com'],
  ];
  for (const [name, pattern] of yes) assert.equal(dnsNameMatch(name, pattern), true, `${name} ${pattern}`);
  for (const [name, pattern] of no) assert.equal(dnsNameMatch(name, pattern), false, `${name} ${pattern}`);
});

test('typed matchers look at their type, deprecated ones at all', () => {
  const context = (init: object) =>
    create('envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext', init as never);
  const [dns] = compileSanMatchers(
    context({ match_typed_subject_alt_names: [{ san_type: 'DNS', matcher: { exact: 'a.b.c' } }] }),
    '',
  );
  assert.equal(dns.match({ type: 'DNS', value: '*.b.c' }), true);
  assert.equal(dns.match({ type: 'URI', value: 'a.b.c' }), false);
  const any = compileSanMatchers(context({ match_subject_alt_names: [{ suffix: '/sa/x' }] }), '');
  assert.equal(
    any.some((matcher) => matcher.match({ type: 'URI', value: 'spiffe://td/sa/x' })),
    true,
  );
  assert.equal(
    any.some((matcher) => matcher.match({ type: 'DNS', value: 'x' })),
    false,
  );
});
