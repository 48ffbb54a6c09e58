// Extensions by type URL: plain, as TypedStruct, unknown, broken.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fromJson } from '../../xds-protos/json.ts';
import { encodeAny } from '../../xds-protos/load.ts';
import type { Extension, HttpFilterFactory, SettingsFactory } from '../api/registry.ts';
import { ExtensionRegistry } from './registry.ts';

const FAULT = 'envoy.extensions.filters.http.fault.v3.HTTPFault';
const UUID = 'envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig';

const faultFactory: HttpFilterFactory = {
  compile: () => ({ createFilter: () => ({}) }) as never,
};
const fault: Extension<'envoy.filters.http'> = {
  category: 'envoy.filters.http',
  name: 'envoy.filters.http.fault',
  configTypes: [FAULT],
  routeConfigTypes: undefined,
  load: () => faultFactory,
};
const uuidFactory: SettingsFactory = { compile: (config) => config };
const uuid: Extension<'envoy.request_id'> = {
  category: 'envoy.request_id',
  name: 'envoy.request_id.uuid',
  configTypes: [UUID],
  routeConfigTypes: undefined,
  load: () => uuidFactory,
};
const registry = new ExtensionRegistry([fault, uuid]);

function typedStruct(type_url: string, value: object) {
  return encodeAny('udpa.type.v1.TypedStruct', fromJson('udpa.type.v1.TypedStruct', { type_url, value }));
}

describe('resolve', () => {
  test('finds an extension by type within its category', () => {
    const { factory, typeName } = registry.resolve('envoy.request_id', 'x', encodeAny(UUID, {}), 'p');
    assert.equal(factory, uuidFactory);
    assert.equal(typeName, UUID);
    const wrongCategory = () => registry.resolve('envoy.filters.http', 'x', encodeAny(UUID, {}), 'p');
    assert.throws(wrongCategory, {
      path: 'p',
      reason: `Didn't find a registered implementation for 'x' with type URL: '${UUID}'`,
    });
  });

  test('a TypedStruct stands for the type it names, its fields checked', () => {
    const any = typedStruct(`type.googleapis.com/${UUID}`, { packTraceReason: false });
    const { config } = registry.resolve('envoy.request_id', 'x', any, 'p');
    assert.deepEqual((config as { pack_trace_reason: object }).pack_trace_reason, { value: false });
    const unknown = typedStruct(UUID, { nope: 1 });
    assert.throws(() => registry.resolve('envoy.request_id', 'x', unknown, 'p'), {
      path: 'p',
      message: /no such field: 'nope'/,
    });
  });

  test('unknown types, no type and bytes that are no such message are named', () => {
    const cases: [Parameters<typeof registry.resolve>[2], RegExp][] = [
      [undefined, /^p: Didn't find a registered implementation for 'x' with type URL: ''$/],
      [{ type_url: 'a/nope.X', value: new Uint8Array() }, /'x' with type URL: 'nope.X'/],
      [typedStruct('a/nope.X', {}), /'x' with type URL: 'nope.X'/],
      [{ type_url: `a/${UUID}`, value: Uint8Array.of(0xff) }, /^p: Unable to unpack as/],
    ];
    for (const [any, message] of cases) {
      assert.throws(() => registry.resolve('envoy.request_id', 'x', any, 'p'), {
        name: /ConfigError|DecodeError/,
        message,
      });
    }
  });

  test('rules of the proto are enforced', () => {
    const any = encodeAny(FAULT, { delay: { percentage: { numerator: 1 } } });
    assert.throws(() => registry.resolve('envoy.filters.http', 'x', any, 'p'), /is required/);
  });
});

test('routes find HTTP filters by type, and nothing for others', () => {
  assert.equal(registry.resolveRoute(encodeAny(FAULT, {}), 'p')?.factory, faultFactory);
  assert.equal(registry.resolveRoute(encodeAny(UUID, {}), 'p'), undefined);
});

test('two extensions cannot claim one type', () => {
  assert.throws(() => new ExtensionRegistry([uuid, { ...uuid, name: 'other' }]), /both claim/);
});
