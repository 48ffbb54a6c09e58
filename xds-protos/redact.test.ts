import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromJson, toJson } from './json.ts';
import { create } from './load.ts';
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

test('credentials that Envoy shows are hidden too: headers, call credentials, and what nobody can read', () => {
  const service = 'envoy.config.core.v3.GrpcService';
  const json = {
    google_grpc: {
      target_uri: 't',
      call_credentials: [
        { access_token: 'k' },
        { google_iam: { authorization_token: 'k', authority_selector: 'a' } },
      ],
    },
    initial_metadata: [
      { key: 'Authorization', value: 'Basic k' },
      { key: 'x-api-key', raw_value: 'aw==' },
      { key: 'x-other', value: 'v' },
    ],
  };
  assert.deepEqual(toJson(service, redact(service, fromJson(service, json)), names), {
    google_grpc: {
      target_uri: 't',
      call_credentials: [
        { access_token: '[redacted]' },
        { google_iam: { authorization_token: '[redacted]', authority_selector: 'a' } },
      ],
    },
    initial_metadata: [
      { key: 'Authorization', value: '[redacted]' },
      { key: 'x-api-key', raw_value: 'W3JlZGFjdGVkXQ==' },
      { key: 'x-other', value: 'v' },
    ],
  });
  const any = 'google.protobuf.Any';
  const unknown = create(any, { type_url: 'type.googleapis.com/no.such.Type', value: Buffer.from('k') });
  assert.equal(Buffer.from(redact(any, unknown).value).toString(), '[redacted]');
});
