// What a real istiod sent must be known to the last field, valid, and survive wire and JSON.

import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { messageType } from './descriptors.ts';
import { fromJson, toJson } from './json.ts';
import { type Any, decode, decodeAny, encode, type Message } from './load.ts';
import { unknownFields } from './unknown_fields.ts';
import { validate } from './validate.ts';

const streams = path.join(import.meta.dirname, '../tests/fixtures/istiod/streams');

function messageName(file: string): string {
  const delta = file.includes('-delta') ? 'Delta' : '';
  return `envoy.service.discovery.v3.${delta}Discovery${file.includes('-req-') ? 'Request' : 'Response'}`;
}

function* anysIn(typeName: string, message: Message): Generator<Any> {
  for (const field of messageType(typeName).fields) {
    const value = message[field.name];
    if (field.type !== 'message' || value === undefined) continue;
    for (const each of field.repeated || field.key !== undefined ? Object.values(value as object) : [value]) {
      if (field.message.name === 'google.protobuf.Any') yield each as Any;
      else yield* anysIn(field.message.name, each as Message);
    }
  }
}

function assertValidWithin(typeName: string, message: Message): void {
  assert.deepEqual(validate(typeName, message), []);
  for (const any of anysIn(typeName, message)) {
    const opened = decodeAny(any);
    assertValidWithin(opened.typeName, opened.message);
  }
}

for (const stream of globSync('*', { cwd: streams })) {
  test(stream, () => {
    const files = globSync('*.pb', { cwd: path.join(streams, stream) });
    assert.ok(files.length > 0);
    for (const file of files) {
      const bytes = readFileSync(path.join(streams, stream, file));
      const type = messageName(`${stream}/${file}`);
      assert.deepEqual(unknownFields(type, bytes), [], file);
      const message = decode<Message>(type, bytes);
      assert.equal(encode(type, message).length, bytes.length, file);
      const json = toJson(type, message);
      assert.deepEqual(toJson(type, fromJson<Message>(type, json)), json, file);
      assertValidWithin(type, message);
    }
  });
}
