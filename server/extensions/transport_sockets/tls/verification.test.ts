// Chains, revocation lists, trust domains and OCSP responses with real handshakes; the same as Envoy: tests/differential/tls.test.ts.

import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { after, describe, test } from 'node:test';
import { type ConnectionOptions, connect } from 'node:tls';
import { NO_OPENSSL, PublicKeyInfrastructure } from '../../../../tests/fakes/public_key_infrastructure.ts';
import { certificate, compileDownstream, nodeClient, serve } from '../../../../tests/fakes/tls.ts';

const SPIFFE = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.SPIFFECertValidatorConfig';

describe('verification', { skip: NO_OPENSSL }, () => {
  if (NO_OPENSSL) return;
  const pki = new PublicKeyInfrastructure();
  after(() => pki.remove());
  pki.root('root');
  pki.root('other');
  pki.issue('upper', 'root', { authority: {} });
  pki.issue('narrow', 'root', { authority: { pathLength: 0 } });
  pki.issue('below', 'narrow', { authority: {} });
  pki.issue('direct', 'root', { names: 'URI:spiffe://a/x' });
  pki.issue('one', 'upper', { names: 'URI:spiffe://a/one' });
  pki.issue('deep', 'below', { names: 'URI:spiffe://a/deep' });
  pki.issue('foreign', 'other', { names: 'URI:spiffe://b/x' });
  pki.issue('pretender', 'other', { names: 'URI:spiffe://a/x' });
  pki.issue('nobody', 'root', { names: 'DNS:a' });
  pki.issue('server_only', 'root', {
    names: 'URI:spiffe://a/x',
    extensions: ['extendedKeyUsage=serverAuth'],
  });
  pki.issue('late', 'upper', { names: 'URI:spiffe://a/x', expired: true });
  pki.issue('stapled', 'root', { names: 'DNS:stapled.example.com' });
  pki.issue('must_staple', 'root', { extensions: ['tlsfeature=status_request'] });

  const roots = { trusted_ca: { inline_string: pki.pem('root') } };
  const present = (name: string, ...chain: string[]): ConnectionOptions => ({
    key: pki.key(name),
    cert: [name, ...chain].map((one) => pki.pem(one)).join(''),
  });

  /** The reasons for each client; `ok` for those who may come in. */
  async function verdicts(validation: object, clients: readonly ConnectionOptions[]): Promise<string[]> {
    const common = { tls_certificates: [certificate('server')], validation_context: validation };
    const { port, outcome } = await serve({ common_tls_context: common });
    const results: string[] = [];
    for (const client of clients) {
      await nodeClient(port, client);
      const { error = 'ok' } = await outcome();
      results.push(
        error
          .replace(/^.*verify cert failed: |:TLS_error_end$/g, '')
          .replace(/^X509_verify_cert: .* at /, ''),
      );
    }
    return results;
  }

  test('how deep a chain may be', async () => {
    const clients = [present('direct'), present('one', 'upper'), present('one')];
    const unknown = 'depth 0: unable to get local issuer certificate';
    assert.deepEqual(await verdicts(roots, clients), ['ok', 'ok', unknown]);
    assert.deepEqual(await verdicts({ ...roots, max_verify_depth: 1 }, clients), [
      'ok',
      'depth 1: unable to get local issuer certificate',
      unknown,
    ]);
    // An authority that may not have others below it, where it is we who walk the path.
    const limited = { ...roots, max_verify_depth: 5 };
    assert.notEqual((await verdicts(limited, [present('deep', 'below', 'narrow')]))[0], 'ok');
  });

  test('an authority with a key that nobody can use', async () => {
    const issuer = new X509Certificate(pki.pem('upper')).raw;
    // id-ecPublicKey becomes an algorithm that does not exist.
    const at = issuer.indexOf(Buffer.from('2a8648ce3d0201', 'hex'));
    issuer[at + 6] = 0x7f;
    const pem = `-----BEGIN CERTIFICATE-----\n${issuer.toString('base64')}\n-----END CERTIFICATE-----\n`;
    const odd = { key: pki.key('late'), cert: pki.pem('late') + pem, ciphers: 'DEFAULT:@SECLEVEL=0' };
    assert.deepEqual(await verdicts(roots, [odd, present('late', 'upper'), present('direct')]), [
      'depth 0: unable to get local issuer certificate',
      'depth 0: certificate has expired',
      'ok',
    ]);
  });

  test('revocation lists', async () => {
    const clients = [present('direct'), present('one', 'upper')];
    const revoked = 'depth 0: certificate revocation check against provided CRLs failed: certificate revoked';
    const missing =
      'depth 0: certificate revocation check against provided CRLs failed: unable to get certificate CRL';
    const upper = pki.crl('upper', ['one']);
    const root = pki.crl('root', []);
    const by = (inline_string: string, more: object = {}) =>
      verdicts({ ...roots, crl: { inline_string }, ...more }, clients);
    assert.deepEqual(await by(upper + root), ['ok', revoked]);
    assert.deepEqual(await by(upper, { only_verify_leaf_cert_crl: true }), [missing, revoked]);
    assert.deepEqual(await by(upper + root, { allow_expired_certificate: true }), ['ok', revoked]);
    const old = pki.crl('root', [], true);
    const expired = missing.replace('unable to get certificate CRL', 'CRL has expired');
    assert.deepEqual(await by(old, { only_verify_leaf_cert_crl: true }), [expired, missing]);
    // Signed by somebody of the same name.
    const impostor = new PublicKeyInfrastructure();
    impostor.root('root');
    const forged = missing.replace('unable to get certificate CRL', 'CRL signature failure');
    assert.equal((await by(impostor.crl('root', []), { only_verify_leaf_cert_crl: true }))[0], forged);
    impostor.remove();
  });

  test('trust domains', async () => {
    const trust_domains = [
      { name: 'a', trust_bundle: { inline_string: pki.pem('root') } },
      { name: 'b', trust_bundle: { inline_string: pki.pem('other') } },
    ];
    const custom = (domains: object[]) => ({
      custom_validator_config: {
        name: 'envoy.tls.cert_validator.spiffe',
        typed_config: { '@type': SPIFFE, trust_domains: domains },
      },
    });
    const names = ['direct', 'foreign', 'pretender', 'nobody', 'upper', 'server_only'];
    assert.deepEqual(
      await verdicts(
        custom(trust_domains),
        names.map((name) => present(name)),
      ),
      [
        'ok',
        'ok',
        'depth 0: unable to get local issuer certificate',
        'no trust bundle store',
        'TLS_error:|268435758:SSL routines:OPENSSL_internal:KEY_USAGE_BIT_INCORRECT',
        'depth 0: unsupported certificate purpose',
      ],
    );
    assert.throws(
      () => verdictsOf(custom([trust_domains[0], trust_domains[0]])),
      /trust_domains\[1\]: Multiple trust bundles are given for one trust domain for a/,
    );
    function verdictsOf(validation: object) {
      return compileDownstream({
        common_tls_context: { tls_certificates: [certificate('server')], validation_context: validation },
      });
    }
  });

  test('OCSP responses', async () => {
    const with_ = (name: string, ocsp: Buffer | undefined, policy: string) => ({
      ocsp_staple_policy: policy,
      common_tls_context: {
        tls_certificates: [
          {
            certificate_chain: { inline_string: pki.pem(name) },
            private_key: { inline_string: pki.key(name) },
            ...(ocsp && { ocsp_staple: { inline_bytes: ocsp.toString('base64') } }),
          },
        ],
      },
    });
    const fresh = pki.ocsp('stapled', 'root', 60);
    const old = pki.ocsp('stapled', 'root', 0);
    for (const [response, policy, expected] of [
      [fresh, 'MUST_STAPLE', fresh.length],
      [old, 'LENIENT_STAPLING', 0],
      [old, 'STRICT_STAPLING', 'refused'],
      [undefined, 'STRICT_STAPLING', 0],
    ] as const) {
      const { port, outcome, value } = await serve(with_('stapled', response, policy));
      const [staple, { error }] = await Promise.all([stapleOf(port), outcome()]);
      assert.equal(staple, expected, policy);
      assert.equal(error !== undefined, expected === 'refused');
      assert.equal(value('ssl.ocsp_staple_requests'), 1);
      assert.equal(value('ssl.ocsp_staple_failed'), expected === 'refused' ? 1 : 0);
      assert.equal(value('ssl.ocsp_staple_responses'), expected === fresh.length ? 1 : 0);
    }
    const main = { thread: 'main' } as const;
    assert.throws(
      () => compileDownstream(with_('direct', undefined, 'MUST_STAPLE'), main),
      /Required OCSP response is missing/,
    );
    assert.throws(
      () => compileDownstream(with_('must_staple', undefined, 'LENIENT_STAPLING'), main),
      /OCSP response is required for must-staple certificate/,
    );
    assert.throws(
      () => compileDownstream(with_('direct', fresh, 'LENIENT_STAPLING')),
      /ocsp_staple: OCSP response does not match its TLS certificate/,
    );
  });

  /** Bytes of the response that the server sent along. */
  async function stapleOf(port: number): Promise<number | 'refused'> {
    const { promise, resolve } = Promise.withResolvers<number | 'refused'>();
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, requestOCSP: true });
    let bytes = 0;
    socket.on('error', () => resolve('refused'));
    socket.on('OCSPResponse', (response: Buffer | null) => (bytes = response?.length ?? 0));
    socket.on('data', () => {
      resolve(bytes);
      socket.destroy();
    });
    socket.write('hello');
    return await promise;
  }
});
