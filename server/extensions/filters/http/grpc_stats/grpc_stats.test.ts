// gRPC stats: names and counts per Envoy's document of the filter.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { FakeStatStore, fakeFactoryContext } from '../../../../../tests/fakes/factory_context.ts';
import { FakeFilterCallbacks, fakeCluster } from '../../../../../tests/fakes/http_filter.ts';
import { requestHeaders, responseHeaders, trailers } from '../../../../../tests/fakes/log_context.ts';
import type { FilterConfig } from '../../../../../xds-protos/generated/envoy/extensions/filters/http/grpc_stats/v3.ts';
import { fromJson } from '../../../../../xds-protos/json.ts';
import { grpcStatsFactory } from './config.ts';
import { FrameCounter } from './frame_counter.ts';
import { GrpcStatsObject } from './grpc_stats.ts';

function frame(size: number): Buffer {
  const bytes = Buffer.alloc(5 + size);
  bytes.writeUInt32BE(size, 1);
  return bytes;
}

function call(config: object, path = '/pkg.Svc/Do', contentType = 'application/grpc') {
  const stats = new FakeStatStore();
  const message = fromJson<FilterConfig>('envoy.extensions.filters.http.grpc_stats.v3.FilterConfig', config);
  const filter = grpcStatsFactory.compile(message, fakeFactoryContext({ stats }), '', 'f').createFilter();
  const callbacks = new FakeFilterCallbacks(filter);
  callbacks.cluster = fakeCluster({ statName: 'c' });
  filter.decodeHeaders!(requestHeaders({ ':path': path, 'content-type': contentType }), false);
  const body = Buffer.concat([frame(3), frame(0)]);
  filter.decodeData!(body, 0, body.length, true);
  filter.encodeHeaders!(responseHeaders(200, { 'content-type': 'application/grpc' }), false);
  filter.encodeData!(frame(1), 0, 6, false);
  filter.encodeTrailers!(trailers({ 'grpc-status': '0' }));
  return { stats, callbacks };
}

describe('grpc_stats', () => {
  test('all calls of a cluster together by default', () => {
    const { stats, callbacks } = call({ emit_filter_state: true, stats_for_all_methods: false });
    assert.deepEqual(Object.fromEntries([...stats.numbers].sort()), {
      'cluster.c.grpc.0': 1,
      'cluster.c.grpc.request_message_count': 2,
      'cluster.c.grpc.response_message_count': 1,
      'cluster.c.grpc.success': 1,
      'cluster.c.grpc.total': 1,
    });
    const object = callbacks.streamInfo.filterState.get(GrpcStatsObject.key);
    assert.equal(object?.serializeAsString(), '2,1');
    assert.deepEqual(object?.serializeAsJson?.(), { requestMessageCount: '2', responseMessageCount: '1' });
  });

  test('by method where that is configured', () => {
    assert.equal(call({ stats_for_all_methods: true }).stats.value('cluster.c.grpc.pkg.Svc.Do.total'), 1);
    const replaced = call({ stats_for_all_methods: true, replace_dots_in_grpc_service_name: true });
    assert.equal(replaced.stats.value('cluster.c.grpc.pkg_Svc.Do.total'), 1);
    const allowlist = {
      individual_method_stats_allowlist: { services: [{ name: 'pkg.Svc', method_names: ['Do'] }] },
    };
    assert.equal(call(allowlist).stats.value('cluster.c.grpc.pkg.Svc.Do.total'), 1);
    assert.equal(call(allowlist, '/pkg.Svc/Other').stats.value('cluster.c.grpc.total'), 1);
  });

  test('other requests are left alone', () => {
    assert.equal(call({}, '/pkg.Svc/Do', 'application/grpc-web').stats.numbers.size, 0);
    assert.equal(call({}, '/no-method').stats.numbers.size, 0);
  });
});

test('messages are counted however the body is cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(300), { maxLength: 8 }),
      fc.array(fc.nat(900), { maxLength: 8 }),
      (sizes, cuts) => {
        const body = Buffer.concat(sizes.map(frame));
        const counter = new FrameCounter();
        const points = [...cuts.map((cut) => Math.min(cut, body.length)), body.length].sort((a, b) => a - b);
        let start = 0;
        let counted = 0;
        for (const end of points) {
          counted += counter.inspect(body, start, end);
          start = end;
        }
        assert.equal(counter.count, sizes.length);
        assert.equal(counted, sizes.length);
      },
    ),
  );
});
