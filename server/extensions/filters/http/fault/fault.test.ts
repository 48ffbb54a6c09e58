// Fault injection: statuses, flags and stats as Envoy 1.40 gave them.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  FakeStatStore,
  fakeFactoryContext,
  fakeRuntime,
} from '../../../../../tests/fakes/factory_context.ts';
import { FakeFilterCallbacks, fakeRoute } from '../../../../../tests/fakes/http_filter.ts';
import { requestHeaders } from '../../../../../tests/fakes/log_context.ts';
import { until } from '../../../../../tests/fakes/until.ts';
import type { HTTPFault } from '../../../../../xds-protos/generated/envoy/extensions/filters/http/fault/v3.ts';
import { fromJson } from '../../../../../xds-protos/json.ts';
import { FilterDataStatus, FilterHeadersStatus } from '../../../../api/http/filter.ts';
import { ResponseFlag } from '../../../../api/stream_info.ts';
import { faultFactory } from './config.ts';

const ALWAYS = { numerator: 100 };
const BY_HEADER = {
  abort: { header_abort: {}, percentage: ALWAYS },
  delay: { header_delay: {}, percentage: ALWAYS },
};

function setup(config: object, runtime: Readonly<Record<string, number>> = {}) {
  const stats = new FakeStatStore();
  const context = fakeFactoryContext({ stats, httpStatPrefix: 'http.p.', runtime: fakeRuntime(runtime) });
  const message = fromJson<HTTPFault>('envoy.extensions.filters.http.fault.v3.HTTPFault', config);
  const factory = faultFactory.compile(message, context, '', 'fault');
  const stream = (fields: Readonly<Record<string, string>>) => {
    const filter = factory.createFilter();
    const callbacks = new FakeFilterCallbacks(filter);
    callbacks.requestHeaders = requestHeaders(fields);
    return { filter, callbacks, decode: () => filter.decodeHeaders!(callbacks.requestHeaders, true) };
  };
  return { stats, context, stream };
}

const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('aborts', () => {
  test('a fixed status', () => {
    const { stats, stream } = setup({ abort: { http_status: 503, percentage: ALWAYS } });
    const { filter, callbacks, decode } = stream({ 'x-envoy-downstream-service-cluster': 'dc' });
    assert.equal(decode(), FilterHeadersStatus.StopIteration);
    assert.deepEqual(callbacks.localReply, {
      code: 503,
      body: 'fault filter abort',
      details: 'fault_filter_abort',
      options: undefined,
    });
    assert.equal(callbacks.streamInfo.responseFlags, ResponseFlag.FaultInjected);
    assert.equal(stats.value('http.p.fault.aborts_injected'), 1);
    assert.equal(stats.value('http.p.fault.dc.aborts_injected'), 1);
    assert.equal(stats.value('http.p.fault.active_faults'), 1);
    filter.onDestroy!();
    assert.equal(stats.value('http.p.fault.active_faults'), 0);
  });

  test('by header, for HTTP and gRPC', () => {
    const { stream } = setup(BY_HEADER);
    const reply = (fields: Readonly<Record<string, string>>) => {
      const { callbacks, decode } = stream(fields);
      decode();
      return callbacks.localReply;
    };
    assert.equal(reply({ 'x-envoy-fault-abort-request': '418' })?.code, 418);
    assert.equal(reply({ 'x-envoy-fault-abort-request': '999' }), undefined);
    assert.deepEqual(reply({ 'x-envoy-fault-abort-grpc-request': '5' })?.options, { grpcStatus: 5 });
    assert.equal(reply({}), undefined);
    const percentage = {
      'x-envoy-fault-abort-request': '418',
      'x-envoy-fault-abort-request-percentage': '0',
    };
    assert.equal(reply(percentage), undefined);
  });

  test('runtime overrides percentage and status, also per downstream cluster', () => {
    const config = { abort: { http_status: 503, percentage: { numerator: 0 } } };
    const { stream } = setup(config, {
      'fault.http.dc.abort.abort_percent': 100,
      'fault.http.dc.abort.http_status': 404,
    });
    const other = stream({});
    assert.equal(other.decode(), FilterHeadersStatus.Continue);
    const { callbacks, decode } = stream({ 'x-envoy-downstream-service-cluster': 'dc' });
    decode();
    assert.equal(callbacks.localReply?.code, 404);
  });

  test('only matching requests, and no more than max_active_faults', () => {
    const { stats, stream } = setup({
      abort: { http_status: 503, percentage: ALWAYS },
      upstream_cluster: 'cluster',
      downstream_nodes: ['n'],
      headers: [{ name: 'x-f', string_match: { exact: '1' } }],
      max_active_faults: 1,
    });
    const matching = { 'x-f': '1', 'x-envoy-downstream-service-node': 'n' };
    assert.equal(stream({ ...matching, 'x-f': '2' }).decode(), FilterHeadersStatus.Continue);
    assert.equal(stream({ 'x-f': '1' }).decode(), FilterHeadersStatus.Continue);
    const elsewhere = stream(matching);
    elsewhere.callbacks.currentRoute = fakeRoute('other');
    assert.equal(elsewhere.decode(), FilterHeadersStatus.Continue);
    assert.equal(stream(matching).decode(), FilterHeadersStatus.StopIteration);
    assert.equal(stream(matching).decode(), FilterHeadersStatus.Continue);
    assert.equal(stats.value('http.p.fault.faults_overflow'), 1);
  });

  test('a route’s configuration replaces the filter’s', () => {
    const { context, stream } = setup({});
    const route = fromJson<HTTPFault>('envoy.extensions.filters.http.fault.v3.HTTPFault', {
      abort: { http_status: 500, percentage: { numerator: 1_000_000, denominator: 'MILLION' } },
      filter_metadata: { k: 'v' },
    });
    const { callbacks, decode } = stream({});
    callbacks.routeConfig = faultFactory.compileRoute!(route, context, '');
    decode();
    assert.equal(callbacks.localReply?.code, 500);
    assert.deepEqual(callbacks.streamInfo.dynamicMetadata?.get('envoy.filters.http.fault'), { k: 'v' });
  });
});

describe('delays', () => {
  test('hold the request, then let it go on', async () => {
    const { stats, stream } = setup({ delay: { fixed_delay: '0.030s', percentage: ALWAYS } });
    const { filter, callbacks, decode } = stream({});
    assert.equal(decode(), FilterHeadersStatus.StopIteration);
    assert.equal(
      filter.decodeData!(new Uint8Array(1), 0, 1, false),
      FilterDataStatus.StopIterationAndWatermark,
    );
    assert.equal(callbacks.continuedDecoding, 0);
    await until(() => callbacks.continuedDecoding > 0);
    assert.equal(callbacks.continuedDecoding, 1);
    assert.equal(filter.decodeData!(new Uint8Array(1), 0, 1, true), FilterDataStatus.Continue);
    assert.equal(callbacks.streamInfo.responseFlags, ResponseFlag.DelayInjected);
    assert.equal(stats.value('http.p.fault.delays_injected'), 1);
  });

  test('may end in an abort, and count as one active fault', async () => {
    const { stats, stream } = setup(BY_HEADER);
    const headers = { 'x-envoy-fault-delay-request': '20', 'x-envoy-fault-abort-request': '404' };
    const { callbacks, decode } = stream(headers);
    decode();
    await until(() => callbacks.localReply !== undefined);
    assert.equal(callbacks.localReply?.code, 404);
    assert.equal(callbacks.continuedDecoding, 0);
    assert.equal(stats.value('http.p.fault.active_faults'), 1);
  });

  test('end with the stream', async () => {
    const { stream } = setup({ delay: { fixed_delay: '0.020s', percentage: ALWAYS } });
    const { filter, callbacks, decode } = stream({});
    decode();
    filter.onDestroy!();
    await later(50);
    assert.equal(callbacks.continuedDecoding, 0);
  });
});

describe('response rate limit', () => {
  test('lets the body through bit by bit', async () => {
    const limit = { fixed_limit: { limit_kbps: 1 }, percentage: ALWAYS };
    const { stats, stream } = setup({ response_rate_limit: limit });
    const { filter, callbacks, decode } = stream({});
    callbacks.bufferLimit = 100;
    assert.equal(decode(), FilterHeadersStatus.Continue);
    const body = Buffer.from('z'.repeat(500));
    assert.equal(filter.encodeData!(body, 0, body.length, true), FilterDataStatus.StopIterationNoBuffer);
    assert.equal(callbacks.encodingPaused, 1);
    await until(() => callbacks.injected.length >= 51);
    // 1 KiB/s is 51 bytes in the first 50 ms.
    assert.ok(callbacks.injected.length < body.length);
    assert.equal(callbacks.injectedEnd, false);
    await until(() => callbacks.injectedEnd);
    assert.equal(callbacks.injected, body.toString());
    assert.equal(callbacks.injectedEnd, true);
    assert.equal(callbacks.encodingPaused, 0);
    assert.equal(stats.value('http.p.fault.response_rl_injected'), 1);
  });
});
