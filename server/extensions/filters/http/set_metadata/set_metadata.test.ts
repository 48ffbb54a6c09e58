import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fakeFactoryContext } from '../../../../../tests/fakes/factory_context.ts';
import { FakeFilterCallbacks } from '../../../../../tests/fakes/http_filter.ts';
import { requestHeaders } from '../../../../../tests/fakes/log_context.ts';
import { fromJson } from '../../../../../xds-protos/json.ts';
import { setMetadataFactory } from './config.ts';

const TYPE = 'envoy.extensions.filters.http.set_metadata.v3.Config';

/** What a request has then, by namespace. */
function set(config: object): unknown {
  const compiled = setMetadataFactory.compile(
    fromJson(TYPE, config as never),
    fakeFactoryContext(),
    'f',
    'set_metadata',
  );
  const filter = compiled.createFilter()!;
  const callbacks = new FakeFilterCallbacks(filter);
  filter.decodeHeaders!(requestHeaders({ ':path': '/' }), true);
  return Object.fromEntries(callbacks.streamInfo.dynamicMetadata ?? []);
}

describe('the set_metadata filter', () => {
  test('sets values, merges those that may overwrite, and leaves what may not', () => {
    const metadata = [
      { metadata_namespace: 'n', value: { a: { b: 1 }, l: [1] } },
      { metadata_namespace: 'n', value: { a: { c: 2 }, l: [2] }, allow_overwrite: true },
      { metadata_namespace: 'n', value: { a: 'lost' } },
      { metadata_namespace: 'none' },
    ];
    assert.deepEqual(set({ metadata }), { n: { a: { b: 1, c: 2 }, l: [1, 2] } });
  });

  test('typed values are refused, by their field', () => {
    const typed_value = { '@type': 'type.googleapis.com/google.protobuf.StringValue', value: 'x' };
    const config = { metadata: [{ metadata_namespace: 'n', typed_value }] };
    assert.throws(() => set(config), { path: 'f.metadata[0].typed_value' });
  });
});
