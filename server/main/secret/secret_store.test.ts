// Secrets: what is refused, files and their rotation, static ones.

import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { DYNAMIC, listener, resource, testStore } from '../../../tests/fakes/config_store.ts';
import { fromJson } from '../../../xds-protos/json.ts';
import { decode } from '../../../xds-protos/load.ts';
import { compileSecret } from '../../common/secret/secret_config.ts';

const FIXTURES = path.join(import.meta.dirname, '../../../tests/fixtures/secrets');
const TYPE = 'envoy.extensions.transport_sockets.tls.v3.Secret';
const file = (name: string): string => path.join(FIXTURES, name);
const inline = (name: string): object => ({ inline_string: readFileSync(file(name), 'utf8') });

function compile(json: object) {
  return compileSecret(fromJson(TYPE, json), '');
}

describe('checks', () => {
  test('a certificate with its key', () => {
    const secret = compile({
      tls_certificate: { certificate_chain: inline('cert.pem'), private_key: { filename: file('key.pem') } },
    });
    assert.ok(secret.kind === 'tls_certificate');
    assert.match(secret.privateKeyPem, /BEGIN PRIVATE KEY/);
  });

  const refused: [name: string, json: object, message: RegExp][] = [
    ['no key', { tls_certificate: { certificate_chain: inline('cert.pem') } }, /must have a private key/],
    [
      'garbage',
      { tls_certificate: { certificate_chain: { inline_string: 'x' }, private_key: inline('key.pem') } },
      /^tls_certificate.certificate_chain: Failed to load certificate chain/,
    ],
    [
      "another's key",
      { tls_certificate: { certificate_chain: inline('cert.pem'), private_key: inline('other-key.pem') } },
      /KEY_VALUES_MISMATCH/,
    ],
    [
      'no key in the PEM',
      { tls_certificate: { certificate_chain: inline('cert.pem'), private_key: inline('cert.pem') } },
      /^tls_certificate.private_key: Failed to load private key/,
    ],
    [
      'an OCSP response as text',
      {
        tls_certificate: {
          certificate_chain: inline('cert.pem'),
          private_key: inline('key.pem'),
          ocsp_staple: { inline_string: 'x' },
        },
      },
      /^tls_certificate.ocsp_staple: OCSP staple cannot be provided via inline_string$/,
    ],
    [
      'garbage as an OCSP response',
      {
        tls_certificate: {
          certificate_chain: inline('cert.pem'),
          private_key: inline('key.pem'),
          ocsp_staple: { inline_bytes: 'AAAA' },
        },
      },
      /^tls_certificate.ocsp_staple: /,
    ],
    [
      'a custom validator that is not there',
      {
        validation_context: {
          custom_validator_config: {
            name: 'x',
            typed_config: { '@type': 'type.googleapis.com/google.protobuf.Duration', value: '1s' },
          },
        },
      },
      /custom_validator_config\.typed_config: Failed to get certificate validator factory for x$/,
    ],
    [
      'no CA',
      { validation_context: { trusted_ca: { inline_string: 'x' } } },
      /Failed to load trusted CA certificates/,
    ],
    [
      'no file',
      { validation_context: { trusted_ca: { filename: '/nonexistent' } } },
      /^validation_context.trusted_ca: Invalid path: \/nonexistent$/,
    ],
    ['no CRL', { validation_context: { crl: { inline_string: 'x' } } }, /Failed to load CRL/],
    [
      'a short ticket key',
      { session_ticket_keys: { keys: [{ inline_string: 'x' }] } },
      /Length 1, expected length 80/,
    ],
    [
      'no environment variable',
      { generic_secret: { secret: { environment_variable: 'PILOTFISH_NOPE' } } },
      /Environment variable doesn't exist/,
    ],
    ['nothing', { name: 'x' }, /holds no tls_certificate/],
  ];
  for (const [name, json, message] of refused) {
    test(`refuses ${name}`, () => assert.throws(() => compile(json), { name: 'ConfigError', message }));
  }

  test('generic secrets by name, the single one under the empty name', () => {
    const secret = compile({
      generic_secret: { secret: { inline_string: 'a' }, secrets: { b: { inline_string: 'c' } } },
    });
    assert.ok(secret.kind === 'generic_secret');
    assert.deepEqual(
      [...secret.secrets].map(([name, bytes]) => [name, String(bytes)]),
      [
        ['b', 'c'],
        ['', 'a'],
      ],
    );
  });
});

/** A store whose listener waits for the generic secret `s`. */
function waiting() {
  const parts = testStore(DYNAMIC);
  parts.store.loadStatic();
  parts.store.start(() => undefined);
  parts.subscriptions.answer('Cluster/*', []);
  parts.subscriptions.answer('Listener/*', [listener('l', 80, 'sds:s')]);
  return parts;
}

describe('SDS', () => {
  test('a secret of another kind or without sense is refused, and the last good one serves', () => {
    const { store, subscriptions, published } = waiting();
    const good = resource('secret', { name: 's', generic_secret: { secret: { inline_string: 'x' } } });
    assert.deepEqual(subscriptions.answer('Secret/s', [good]), []);
    assert.deepEqual(published(), ['secret s', 'listener l']);
    const other = resource('secret', { name: 's', validation_context: {} });
    assert.match(
      subscriptions.answer('Secret/s', [other])[0]!.reason,
      /is validation_context, not generic_secret/,
    );
    const broken = resource('secret', {
      name: 's',
      generic_secret: { secret: { filename: '/nonexistent' } },
    });
    assert.equal(subscriptions.answer('Secret/s', [broken])[0]!.path, 'generic_secret.secret');
    assert.deepEqual(published(), []);
    assert.equal([...store.secrets.serving].length, 1);
    store.close();
  });

  test('files are read for the workers, and again when they are replaced', async (t) => {
    const folder = mkdtempSync('/tmp/pilotfish-');
    t.after(() => rmSync(folder, { recursive: true }));
    const token = path.join(folder, 'token');
    writeFileSync(token, 'one');
    const { store, subscriptions, updates, published } = waiting();
    t.after(() => store.close());
    subscriptions.answer('Secret/s', [
      resource('secret', { name: 's', generic_secret: { secret: { filename: token } } }),
    ]);
    store.flush();
    assert.equal(tokenOf(updates), 'one');
    published();
    writeFileSync(`${token}.new`, 'two');
    copyFileSync(`${token}.new`, token);
    while (updates.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    assert.equal(tokenOf(updates), 'two');
  });
});

function tokenOf(updates: readonly { kind: string }[]): string {
  const update = updates.find(({ kind }) => kind === 'secret') as unknown as { bytes: Uint8Array };
  return Buffer.from(decode(TYPE, update.bytes).generic_secret!.secret!.inline_bytes!).toString();
}

test('static secrets are found by name and kind, and looked into when they are used', () => {
  const secrets = [
    { name: 'a', generic_secret: { secret: { inline_string: 'x' } } },
    { name: 'unused', tls_certificate: { certificate_chain: { inline_string: 'garbage' } } },
  ];
  const address = { socket_address: { address: '0.0.0.0', port_value: 1 } };
  const listeners = (wanted: string) => [{ name: 'l', address, stat_prefix: wanted }];
  const { store, published } = testStore({ static_resources: { secrets, listeners: listeners('static:a') } });
  store.loadStatic();
  store.start(() => undefined);
  assert.deepEqual(published(), ['secret a@static', 'listener l']);
  store.close();
  const missing = testStore({ static_resources: { secrets, listeners: listeners('static:b') } }).store;
  assert.throws(() => missing.loadStatic(), /Unknown static generic secret: b/);
  const twice = testStore({ static_resources: { secrets: [secrets[0], secrets[0]] } }).store;
  assert.throws(() => twice.loadStatic(), /Duplicate static GenericSecret secret name a/);
});
