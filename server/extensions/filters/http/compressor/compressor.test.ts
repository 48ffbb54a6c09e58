// The compressor by itself; tests/differential/compressor.test.ts holds the same rules to a real Envoy.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { FakeStatStore, fakeFactoryContext } from '../../../../../tests/fakes/factory_context.ts';
import { FakeFilterCallbacks } from '../../../../../tests/fakes/http_filter.ts';
import { requestHeaders, responseHeaders } from '../../../../../tests/fakes/log_context.ts';
import { until } from '../../../../../tests/fakes/until.ts';
import type {
  Compressor,
  CompressorPerRoute,
} from '../../../../../xds-protos/generated/envoy/extensions/filters/http/compressor/v3.ts';
import { fromJson } from '../../../../../xds-protos/json.ts';
import { FilterDataStatus, FilterTrailersStatus } from '../../../../api/http/filter.ts';
import { ExtensionRegistry } from '../../../../common/registry.ts';
import { ALL_EXTENSIONS } from '../../../../extensions/all_extensions.ts';
import { chooseEncoding } from './accept_encoding.ts';
import { compressorFactory } from './config.ts';

const LIBRARY = {
  name: 'l',
  typed_config: { '@type': 'type.googleapis.com/envoy.extensions.compression.gzip.compressor.v3.Gzip' },
};
const TEXT = 'compress me '.repeat(50);

function setup(config: object = {}, route?: object) {
  const stats = new FakeStatStore();
  const registry = new ExtensionRegistry(ALL_EXTENSIONS);
  const context = fakeFactoryContext({ stats, registry, httpStatPrefix: 'http.p.' });
  const json = { compressor_library: LIBRARY, response_direction_config: {}, ...config };
  const message = fromJson<Compressor>('envoy.extensions.filters.http.compressor.v3.Compressor', json);
  const filter = compressorFactory.compile(message, context, '', 'c').createFilter();
  const callbacks = new FakeFilterCallbacks(filter);
  const perRoute =
    route &&
    fromJson<CompressorPerRoute>('envoy.extensions.filters.http.compressor.v3.CompressorPerRoute', route);
  callbacks.routeConfig = perRoute && compressorFactory.compileRoute!(perRoute, context, '');
  const value = (name: string): number => stats.value(`http.p.compressor.l.gzip.${name}`);
  return { filter, callbacks, value };
}

describe('the choice of an encoding', () => {
  const one = (contentEncoding: string, chooseFirst = false, types: readonly string[] = ['text/plain']) => ({
    contentEncoding,
    chooseFirst,
    allowsContentType: (type: string) => types.includes(type),
  });
  const ALL = [one('gzip'), one('br', true), one('zstd', false, ['text/html'])];
  for (const [header, encoding, reason] of [
    ['gzip', 'gzip', 'compressor'],
    ['gzip, br', 'br', 'compressor'],
    ['br;q=0.5, gzip;q=0.6', 'gzip', 'compressor'],
    ['br;q=0.5 , gzip; Q = 0.6', 'gzip', 'compressor'],
    ['gzip;q=x, deflate', 'identity', 'not_valid'],
    ['gzip;q=0, *', 'br', 'wildcard'],
    ['*;q=0', 'identity', 'not_valid'],
    ['identity, gzip;q=0.9', 'identity', 'identity'],
    ['zstd', 'identity', 'not_valid'],
    ['', 'identity', 'not_valid'],
  ] as const) {
    test(`for ${header}`, () => {
      assert.deepEqual(chooseEncoding(header, 'text/plain', ALL), { encoding, reason });
    });
  }
});

describe('a response', () => {
  const accepting = requestHeaders({ 'accept-encoding': 'gzip' });

  test('leaves compressed, part by part', async () => {
    const { filter, callbacks, value } = setup();
    filter.decodeHeaders!(accepting, true);
    const headers = responseHeaders(200, {
      'content-type': 'text/plain',
      'content-length': '600',
      etag: '"1"',
    });
    filter.encodeHeaders!(headers, false);
    assert.deepEqual(headers.list, [
      ...['content-type', 'text/plain', 'content-encoding', 'gzip', 'vary', 'Accept-Encoding'],
    ]);
    const bytes = Buffer.from(TEXT);
    const status = filter.encodeData!(bytes, 0, bytes.length, false);
    assert.equal(status, FilterDataStatus.StopIterationNoBuffer);
    await until(() => callbacks.injected !== '');
    assert.equal(callbacks.injectedEnd, false);
    filter.encodeData!(bytes, 0, bytes.length, true);
    bytes.fill(0);
    await until(() => callbacks.injectedEnd);
    assert.equal(String(gunzipSync(Buffer.from(callbacks.injected, 'latin1'))), TEXT + TEXT);
    assert.equal(value('response.compressed'), 1);
    assert.equal(value('response.total_uncompressed_bytes'), 2 * TEXT.length);
    assert.equal(value('response.total_compressed_bytes'), callbacks.injected.length);
    assert.equal(value('header_compressor_used'), 1);
  });

  test('keeps its trailers until the body is through', async () => {
    const { filter, callbacks } = setup();
    filter.decodeHeaders!(accepting, true);
    filter.encodeHeaders!(responseHeaders(200, {}), false);
    filter.encodeData!(Buffer.from(TEXT), 0, TEXT.length, false);
    assert.equal(filter.encodeTrailers!(responseHeaders(200, {})), FilterTrailersStatus.StopIteration);
    await until(() => callbacks.continuedEncoding === 1);
    assert.equal(callbacks.injectedEnd, false);
    assert.equal(String(gunzipSync(Buffer.from(callbacks.injected, 'latin1'))), TEXT);
  });

  test('that comes too fast is paused', async () => {
    const { filter, callbacks } = setup();
    callbacks.bufferLimit = 1000;
    filter.decodeHeaders!(accepting, true);
    filter.encodeHeaders!(responseHeaders(200, {}), false);
    const bytes = Buffer.from(TEXT);
    for (let i = 0; i < 10; i++) filter.encodeData!(bytes, 0, bytes.length, false);
    assert.equal(callbacks.encodingPaused, 1);
    await until(() => callbacks.encodingPaused === 0);
  });

  test('that is gone costs nothing more', async () => {
    const { filter, callbacks } = setup();
    filter.decodeHeaders!(accepting, true);
    filter.encodeHeaders!(responseHeaders(200, {}), false);
    filter.encodeData!(Buffer.from(TEXT), 0, TEXT.length, false);
    filter.onDestroy!();
    await sleep(20);
    assert.equal(callbacks.injected, '');
  });

  test('is left as it is where the route says so', () => {
    const { filter, value } = setup({}, { disabled: true });
    filter.decodeHeaders!(accepting, true);
    const headers = responseHeaders(200, {});
    filter.encodeHeaders!(headers, false);
    assert.deepEqual(headers.list, []);
    assert.equal(value('response.not_compressed'), 1);
    assert.equal(filter.encodeData!(Buffer.from(TEXT), 0, TEXT.length, true), FilterDataStatus.Continue);
  });
});

test('a request is compressed where configured', async () => {
  const { filter, callbacks, value } = setup({ request_direction_config: {} });
  const headers = requestHeaders({ 'content-type': 'text/plain', 'content-length': '600' });
  filter.decodeHeaders!(headers, false);
  assert.equal(headers.get('content-encoding'), 'gzip');
  assert.equal(headers.has('content-length'), false);
  filter.decodeData!(Buffer.from(TEXT), 0, TEXT.length, true);
  await until(() => callbacks.injectedRequestEnd);
  assert.equal(String(gunzipSync(Buffer.from(callbacks.injectedRequest, 'latin1'))), TEXT);
  assert.equal(value('request.compressed'), 1);
});

test('what it cannot do is refused', () => {
  assert.throws(() => setup({ response_direction_config: { status_header_enabled: true } }), {
    path: 'response_direction_config.status_header_enabled',
  });
  assert.throws(() => setup({}, { overrides: { compressor_library: LIBRARY } }), {
    path: 'overrides.compressor_library',
  });
  assert.throws(() => setup({ compressor_library: { name: 'x' } }), {
    path: 'compressor_library.typed_config',
  });
});
