import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromJson, toJson } from './json.ts';
import { redact } from './redact.ts';

const SECRET = 'envoy.extensions.transport_sockets.tls.v3.Secret';
const names = { preserveProtoFieldNames: true };

test('private keys, passwords and generic secrets are hidden, certificates stay', () => {
  const certificate = {
    name: 's',
    tls_certificate: {
      certificate_chain: { inline_string: 'c' },
      private_key: { inline_string: 'k' },
      password: { filename: '/x' },
    },
  };
  assert.deepEqual(toJson(SECRET, redact(SECRET, fromJson(SECRET, certificate)), names), {
    name: 's',
    tls_certificate: {
      certificate_chain: { inline_string: 'c' },
      private_key: { inline_string: '[redacted]' },
      password: { filename: '[redacted]' },
    },
  });
  const generic = fromJson(SECRET, { generic_secret: { secret: { inline_bytes: 'aGk=' } } });
  assert.deepEqual(toJson(SECRET, redact(SECRET, generic), names), {
    generic_secret: { secret: { inline_bytes: 'W3JlZGFjdGVkXQ==' } },
  });
});

test('secrets inside an Any and inside a TypedStruct are hidden, and the original is left as it was', () => {
  const url = `type.googleapis.com/${SECRET}`;
  const secret = { tls_certificate: { private_key: { inline_string: 'k' } } };
  const list = 'envoy.service.discovery.v3.DiscoveryResponse';
  const json = {
    resources: [
      { '@type': url, ...secret },
      { '@type': 'type.googleapis.com/udpa.type.v1.TypedStruct', type_url: url, value: secret },
    ],
  };
  const message = fromJson(list, json);
  assert.doesNotMatch(JSON.stringify(toJson(list, redact(list, message))), /"k"/);
  assert.deepEqual(toJson(list, message, names), json);
});
