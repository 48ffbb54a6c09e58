// CORS: the headers below are what Envoy 1.40 answered for the same policy.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeStatStore, fakeFactoryContext } from '../../../../../tests/fakes/factory_context.ts';
import { FakeFilterCallbacks } from '../../../../../tests/fakes/http_filter.ts';
import { requestHeaders, responseHeaders } from '../../../../../tests/fakes/log_context.ts';
import type * as cors from '../../../../../xds-protos/generated/envoy/extensions/filters/http/cors/v3.ts';
import { fromJson } from '../../../../../xds-protos/json.ts';
import { FilterHeadersStatus } from '../../../../api/http/filter.ts';
import type { RequestHeaders } from '../../../../common/http/header_map.ts';
import { corsFactory } from './config.ts';

const POLICY = {
  allow_origin_string_match: [{ exact: 'http://a' }],
  allow_methods: '*',
  allow_headers: '*',
  expose_headers: 'x-e',
  max_age: '10',
  allow_credentials: true,
  forward_not_matching_preflights: false,
};

function run(policy: object | undefined, headers: RequestHeaders) {
  const stats = new FakeStatStore();
  const context = fakeFactoryContext({ stats, httpStatPrefix: 'http.p.' });
  const filter = corsFactory.compile({}, context, '', 'cors').createFilter();
  const callbacks = new FakeFilterCallbacks(filter);
  const message =
    policy && fromJson<cors.CorsPolicy>('envoy.extensions.filters.http.cors.v3.CorsPolicy', policy);
  callbacks.routeConfig = message && corsFactory.compileRoute!(message, context, '');
  const status = filter.decodeHeaders!(headers, true);
  const response = callbacks.encoded ?? responseHeaders(200, {});
  filter.encodeHeaders!(response, true);
  return { status, callbacks, stats, response: response.list };
}

describe('cors', () => {
  test('a simple request gets the headers and is counted', () => {
    const { status, response, stats } = run(POLICY, requestHeaders({ origin: 'http://a' }));
    assert.equal(status, FilterHeadersStatus.Continue);
    assert.deepEqual(response, [
      'access-control-allow-origin',
      'http://a',
      'access-control-allow-credentials',
      'true',
      'access-control-expose-headers',
      'x-e',
    ]);
    assert.equal(stats.value('http.p.cors.origin_valid'), 1);
  });

  test('a preflight is answered here', () => {
    const headers = requestHeaders({
      ':method': 'OPTIONS',
      origin: 'http://a',
      'access-control-request-method': 'PUT',
      'access-control-request-headers': 'x-q',
    });
    const { status, response, callbacks } = run(POLICY, headers);
    assert.equal(status, FilterHeadersStatus.StopIteration);
    assert.equal(callbacks.streamInfo.responseCodeDetails, 'cors_response');
    assert.deepEqual(response, [
      'access-control-allow-origin',
      'http://a',
      'access-control-allow-credentials',
      'true',
      'access-control-allow-methods',
      'PUT',
      'access-control-allow-headers',
      'x-q',
      'access-control-max-age',
      '10',
      'access-control-expose-headers',
      'x-e',
    ]);
  });

  test('a preflight from elsewhere is answered without the origin, or forwarded', () => {
    const fields = { ':method': 'OPTIONS', origin: 'http://z', 'access-control-request-method': 'PUT' };
    const { response, stats } = run(POLICY, requestHeaders(fields));
    assert.deepEqual(response.slice(0, 2), ['access-control-allow-credentials', 'true']);
    assert.equal(stats.value('http.p.cors.origin_invalid'), 1);
    const forwarding = { ...POLICY, forward_not_matching_preflights: true };
    assert.equal(run(forwarding, requestHeaders(fields)).status, FilterHeadersStatus.Continue);
  });

  test('without an origin, a policy or when disabled nothing happens', () => {
    assert.deepEqual(run(POLICY, requestHeaders({})).response, []);
    assert.deepEqual(run(undefined, requestHeaders({ origin: 'http://a' })).response, []);
    const disabled = { ...POLICY, filter_enabled: { default_value: { numerator: 0 } } };
    assert.deepEqual(run(disabled, requestHeaders({ origin: 'http://a' })).response, []);
  });

  test('in shadow, origins are counted only', () => {
    const shadow = {
      ...POLICY,
      filter_enabled: { default_value: { numerator: 0 } },
      shadow_enabled: { default_value: { numerator: 100 } },
    };
    const { response, stats } = run(shadow, requestHeaders({ origin: 'http://a' }));
    assert.deepEqual(response, []);
    assert.equal(stats.value('http.p.cors.origin_valid'), 1);
  });
});
