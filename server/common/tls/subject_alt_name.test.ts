import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { after, test } from 'node:test';
import { NO_OPENSSL, PublicKeyInfrastructure } from '../../../tests/fakes/public_key_infrastructure.ts';
import { pem } from '../../../tests/fakes/tls.ts';
import { create } from '../../../xds-protos/load.ts';
import {
  compileSanMatchers,
  dnsNameMatch,
  type SubjectAltName,
  subjectAltNames,
} from './subject_alt_name.ts';

const authority = NO_OPENSSL ? undefined : new PublicKeyInfrastructure();
after(() => authority?.remove());

function namesOf(names: string): readonly SubjectAltName[] {
  authority!.root('root');
  authority!.issue('leaf', 'root', { names });
  return subjectAltNames(new X509Certificate(authority!.pem('leaf')));
}

test('names of every type', { skip: NO_OPENSSL }, () => {
  const names =
    'DNS:a.b,URI:spiffe://td/ns/x,IP:127.0.0.1,IP:2001:db8::1,email:a@b,otherName:1.2.3;UTF8:some name,RID:1.2.3,otherName:1.2.4;INTEGER:-5';
  assert.deepEqual(namesOf(names), [
    { type: 'DNS', value: 'a.b', oid: '' },
    { type: 'URI', value: 'spiffe://td/ns/x', oid: '' },
    { type: 'IP_ADDRESS', value: '127.0.0.1', oid: '' },
    { type: 'IP_ADDRESS', value: '2001:db8::1', oid: '' },
    { type: 'EMAIL', value: 'a@b', oid: '' },
    { type: 'OTHER_NAME', value: 'some name', oid: '1.2.3' },
    { type: 'OTHER_NAME', value: '-5', oid: '1.2.4' },
  ]);
});

test('a name with a comma is one name', { skip: NO_OPENSSL }, () => {
  const names = namesOf('@names\n[names]\nURI.1=spiffe://td/a\\, URI:spiffe://td/b\nDNS.1=c');
  assert.deepEqual(names, [
    { type: 'URI', value: 'spiffe://td/a, URI:spiffe://td/b', oid: '' },
    { type: 'DNS', value: 'c', oid: '' },
  ]);
});

test('a certificate without names', () => {
  assert.deepEqual(subjectAltNames(new X509Certificate(pem('ca.pem'))), []);
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
  assert.equal(dns.match({ type: 'DNS', value: '*.b.c', oid: '' }), true);
  assert.equal(dns.match({ type: 'URI', value: 'a.b.c', oid: '' }), false);
  const any = compileSanMatchers(context({ match_subject_alt_names: [{ suffix: '/sa/x' }] }), '');
  assert.equal(
    any.some((matcher) => matcher.match({ type: 'URI', value: 'spiffe://td/sa/x', oid: '' })),
    true,
  );
  assert.equal(
    any.some((matcher) => matcher.match({ type: 'DNS', value: 'x', oid: '' })),
    false,
  );
});
