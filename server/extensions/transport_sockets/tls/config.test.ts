import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ca,
  certificate,
  compileDownstream,
  nodeClient,
  pem,
  serve,
  upstream,
  uri,
} from '../../../../tests/fakes/tls.ts';
import type { Secret } from '../../../api/secret.ts';

test('material that OpenSSL cannot use is refused by main, and costs a worker one connection', async () => {
  const key = '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n';
  const provider = {
    name: 'broken',
    current: {
      kind: 'tls_certificate',
      certificateChainPem: pem('server.pem'),
      privateKeyPem: key,
    } as Secret,
  };
  const sds = [{ name: 'broken', sds_config: { ads: {} } }];
  const config = { common_tls_context: { tls_certificate_sds_secret_configs: sds } };
  const secret = () => provider;
  assert.throws(
    () => compileDownstream(config, { thread: 'main', secret }),
    /Failed to load TLS certificates or keys/,
  );
  assert.throws(
    () => upstream(config, { thread: 'main', secret }),
    /Failed to load TLS certificates or keys/,
  );
  const { port, outcome, value } = await serve(config, { secret });
  await nodeClient(port);
  assert.match((await outcome()).error!, /^TLS error: /);
  assert.equal(value('ssl.connection_error'), 1);
  assert.match((await upstream(config, { secret }).connect(port)).error!, /^TLS error: /);
});

test('configurations that cannot be honoured', () => {
  const certificates = { tls_certificates: [certificate('server')] };
  const downstream = (config: object, reason: RegExp) =>
    assert.throws(() => compileDownstream(config), reason);
  const common = (more: object, reason: RegExp) =>
    downstream({ common_tls_context: { ...certificates, ...more } }, reason);
  const validation = (config: object, reason: RegExp) => common({ validation_context: config }, reason);
  downstream({ common_tls_context: {} }, /No TLS certificates found for server context/);
  downstream({ require_sni: true, common_tls_context: certificates }, /tls\.require_sni/);
  common({ alpn_protocols: ['a'.repeat(256)] }, /Invalid ALPN protocol string/);
  common(
    { tls_params: { cipher_suites: ['foo', 'AES128-SHA'] } },
    /Failed to initialize cipher suites foo:AES128-SHA\. .*: foo$/,
  );
  common(
    { tls_params: { cipher_suites: ['TLS_AES_128_GCM_SHA256'] } },
    /rejected when tried individually: TLS_AES/,
  );
  common({ tls_params: { ecdh_curves: ['foo'] } }, /Failed to initialize ECDH curves foo/);
  common(
    { tls_params: { signature_algorithms: ['foo'] } },
    /Failed to initialize TLS signature algorithms foo/,
  );
  common({ key_log: { path: '/x' } }, /common_tls_context\.key_log/);
  validation(
    { match_typed_subject_alt_names: uri({ exact: 'a' }) },
    /SAN-based verification of peer certificates without trusted CA/,
  );
  validation(
    { allow_expired_certificate: true },
    /Certificate validity period is always ignored without trusted CA/,
  );
  validation({ ...ca(), verify_certificate_hash: ['zz'.repeat(32)] }, /Invalid hex-encoded SHA-256/);
  validation({ ...ca(), verify_certificate_spki: ['z'.repeat(44)] }, /Invalid base64-encoded SHA-256/);
  validation({ ...ca(), system_root_certs: {} }, /validation_context\.system_root_certs: not supported/);
  validation({ trusted_ca: { inline_string: 'x' } }, /Failed to load trusted CA certificates from <inline>/);
  validation(
    { ...ca(), match_typed_subject_alt_names: [{ san_type: 'OTHER_NAME', matcher: { exact: 'a' } }] },
    /Failed to create SAN matcher for OTHER_NAME/,
  );
  const two = { tls_certificates: [certificate('server'), certificate('second')] };
  assert.throws(
    () => upstream({ common_tls_context: two }),
    /Multiple TLS certificates are not supported for client contexts/,
  );
  assert.throws(
    () => upstream({ auto_sni_san_validation: true }),
    /was configured without a validation context/,
  );
});
