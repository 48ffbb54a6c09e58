// Istio's metrics: names and labels as https://istio.io/latest/docs/reference/config/metrics/ lists them.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeStatStore, fakeFactoryContext } from '../../../../../tests/fakes/factory_context.ts';
import { FakeFilterCallbacks, fakeCluster } from '../../../../../tests/fakes/http_filter.ts';
import { requestHeaders, trailers } from '../../../../../tests/fakes/log_context.ts';
import type { PluginConfig } from '../../../../../xds-protos/generated/stats.ts';
import { fromJson } from '../../../../../xds-protos/json.ts';
import { ConfigError } from '../../../../api/config_error.ts';
import type { ListenerScope } from '../../../../api/registry.ts';
import type { HostDescription } from '../../../../api/upstream/host.ts';
import { WorkloadMetadata } from '../../../../common/istio/workload_metadata.ts';
import { GrpcStatsObject } from '../grpc_stats/grpc_stats.ts';
import { compileAttributeExpression } from './attribute_expression.ts';
import { istioStatsFactory } from './config.ts';

const NODE = {
  NAMESPACE: 'default',
  WORKLOAD_NAME: 'reviews-v1',
  CLUSTER_ID: 'K',
  ISTIO_VERSION: '1.32',
  LABELS: {
    app: 'reviews',
    version: 'v1',
    'service.istio.io/canonical-name': 'reviews',
    'service.istio.io/canonical-revision': 'v1',
  },
};
const PEER = new WorkloadMetadata({
  workloadName: 'productpage-v1',
  namespaceName: 'front',
  canonicalName: 'productpage',
  canonicalRevision: 'v1',
  appName: 'productpage',
  appVersion: 'v1',
  clusterName: 'K',
});
const REVIEWS_CLUSTER = fakeCluster({
  metadata: {
    istio: {
      services: [{ host: 'reviews.default.svc.cluster.local', name: 'reviews', namespace: 'default' }],
    },
  },
});

function setup(direction: ListenerScope['trafficDirection'], config: object = {}) {
  const stats = new FakeStatStore();
  const base = fakeFactoryContext({ stats });
  const listener = { name: 'l', trafficDirection: direction } as ListenerScope;
  const context = { ...base, listener, server: { ...base.server, nodeMetadata: NODE } };
  const message = fromJson<PluginConfig>('stats.PluginConfig', config);
  const factory = istioStatsFactory.compile(message, context, 'f', 'istio.stats');
  const stream = () => {
    const filter = factory.createFilter();
    const callbacks = new FakeFilterCallbacks(filter);
    const info = callbacks.streamInfo;
    info.responseCode = 200;
    info.requestComplete = 1012.5;
    info.downstreamWireBytesReceived = 100;
    info.downstreamWireBytesSent = 200;
    info.upstreamCluster = REVIEWS_CLUSTER;
    info.upstreamClusterName = 'cluster';
    return { filter, callbacks, info };
  };
  return { stats, stream };
}

function complete({ filter, callbacks }: ReturnType<ReturnType<typeof setup>['stream']>): void {
  filter.decodeHeaders!(callbacks.requestHeaders, true);
  filter.onStreamComplete!();
  filter.onDestroy!();
}

/** The labels of the only series of a metric. */
function labels(stats: FakeStatStore, metric: string): Record<string, string> {
  const series = [...stats.numbers.keys(), ...stats.histograms.keys()].filter((key) =>
    key.startsWith(`istiocustom.istio_${metric}{`),
  );
  assert.equal(series.length, 1, `${metric}: ${series.length} series`);
  const body = series[0].slice(series[0].indexOf('{') + 1, -1);
  return Object.fromEntries(body.split(',').map((pair) => pair.split(/=(.*)/s).slice(0, 2)));
}

const SERVER_LABELS = {
  reporter: 'destination',
  source_workload: 'productpage-v1',
  source_canonical_service: 'productpage',
  source_canonical_revision: 'v1',
  source_workload_namespace: 'front',
  source_principal: 'unknown',
  source_app: 'productpage',
  source_version: 'v1',
  source_cluster: 'K',
  destination_workload: 'reviews-v1',
  destination_workload_namespace: 'default',
  destination_principal: 'unknown',
  destination_app: 'reviews',
  destination_version: 'v1',
  destination_service: 'reviews.default.svc.cluster.local',
  destination_canonical_service: 'reviews',
  destination_canonical_revision: 'v1',
  destination_service_name: 'reviews',
  destination_service_namespace: 'default',
  destination_cluster: 'K',
  request_protocol: 'http',
  response_code: '200',
  grpc_response_status: '',
  response_flags: '-',
  connection_security_policy: 'none',
};

describe('HTTP', () => {
  test('a server’s request', () => {
    const { stats, stream } = setup('INBOUND');
    for (let i = 0; i < 2; i++) {
      const one = stream();
      one.info.filterState.set('downstream_peer', PEER);
      complete(one);
    }
    assert.deepEqual(labels(stats, 'requests_total'), SERVER_LABELS);
    const key = [...stats.numbers.keys()].find((name) => name.includes('requests_total'))!;
    assert.equal(stats.numbers.get(key), 2);
    assert.deepEqual(labels(stats, 'request_bytes'), SERVER_LABELS);
    const values = (metric: string) =>
      [...stats.histograms].find(([name]) => name.startsWith(`istiocustom.istio_${metric}{`))?.[1];
    assert.deepEqual(values('request_duration_milliseconds'), [12, 12]);
    assert.deepEqual(
      [values('request_bytes'), values('response_bytes')],
      [
        [100, 100],
        [200, 200],
      ],
    );
    assert.equal(stats.numbers.get('istiocustom.istio_build{component=proxy,tag=1.32}'), 0);
  });

  test('a client’s request falls back to what istiod says about the endpoint', () => {
    const { stats, stream } = setup('OUTBOUND');
    const one = stream();
    one.info.upstreamHost = {
      metadata: { istio: { workload: 'ratings-v1;books;ratings;v1;K2' } },
    } as unknown as HostDescription;
    complete(one);
    const found = labels(stats, 'requests_total');
    assert.equal(found['reporter'], 'source');
    assert.equal(found['source_workload'], 'reviews-v1');
    assert.equal(found['destination_workload'], 'ratings-v1');
    assert.equal(found['destination_workload_namespace'], 'books');
    assert.equal(found['destination_canonical_service'], 'ratings');
    assert.equal(found['destination_app'], 'unknown');
    assert.equal(found['destination_cluster'], 'K2');
    assert.equal(found['connection_security_policy'], 'unknown');
  });

  test('mutual TLS gives principals and namespaces', () => {
    const { stats, stream } = setup('INBOUND');
    const one = stream();
    one.info.connection.ssl = {
      uriSanPeer: ['spiffe://cluster.local/ns/peer-ns/sa/a'],
      uriSanLocal: ['spiffe://cluster.local/ns/default/sa/b'],
    } as unknown as NonNullable<typeof one.info.connection.ssl>;
    complete(one);
    const found = labels(stats, 'requests_total');
    assert.equal(found['source_principal'], 'spiffe://cluster.local/ns/peer-ns/sa/a');
    assert.equal(found['source_workload_namespace'], 'peer-ns');
    assert.equal(found['destination_principal'], 'spiffe://cluster.local/ns/default/sa/b');
    assert.equal(found['connection_security_policy'], 'mutual_tls');
  });

  test('the service is the Host header only where that is allowed', () => {
    const service = (config: object): string => {
      const { stats, stream } = setup('OUTBOUND', config);
      const one = stream();
      one.callbacks.requestHeaders = requestHeaders({ ':authority': 'evil.example' });
      one.info.upstreamCluster = undefined;
      complete(one);
      return labels(stats, 'requests_total')['destination_service'];
    };
    assert.equal(service({}), 'evil.example');
    assert.equal(service({ disable_host_header_fallback: true }), 'unknown');
  });

  test('gRPC calls have their status and their messages', () => {
    const { stats, stream } = setup('INBOUND');
    const one = stream();
    one.callbacks.requestHeaders = requestHeaders({ 'content-type': 'application/grpc' });
    const counts = new GrpcStatsObject();
    counts.requestMessageCount = 3;
    one.info.filterState.set(GrpcStatsObject.key, counts);
    one.filter.encodeTrailers!(trailers({ 'grpc-status': '5' }));
    complete(one);
    const found = labels(stats, 'requests_total');
    assert.equal(found['request_protocol'], 'grpc');
    assert.equal(found['grpc_response_status'], '5');
    assert.equal(labels(stats, 'request_messages_total')['reporter'], 'destination');
  });
});

describe('overrides', () => {
  test('tags are removed, replaced and added, metrics dropped and defined', () => {
    const { stats, stream } = setup('INBOUND', {
      definitions: [{ name: 'big', value: 'response.size' }],
      metrics: [
        {
          name: 'requests_total',
          tags_to_remove: ['response_flags'],
          dimensions: { request_method: 'request.method' },
        },
        { dimensions: { source_app: "'fixed'", x: "request.headers['X-A']" } },
        { name: 'request_bytes', drop: true },
      ],
    });
    const one = stream();
    one.info.bytesSent = 42;
    complete(one);
    const found = labels(stats, 'requests_total');
    assert.equal(found['response_flags'], undefined);
    assert.equal(found['request_method'], 'GET');
    assert.equal(found['source_app'], 'fixed');
    assert.equal(found['x'], 'unknown');
    assert.equal(labels(stats, 'response_bytes')['request_method'], undefined);
    assert.deepEqual(
      [...stats.histograms.keys()].filter((key) => key.includes('istio_request_bytes')),
      [],
    );
    assert.equal(stats.numbers.get('istiocustom.istio_big{source_app=fixed,x=unknown}'), 42);
  });

  test('what cannot be honoured is refused by name', () => {
    const refused = (config: object, path: string): void => {
      assert.throws(
        () => setup('INBOUND', config),
        (error) => error instanceof ConfigError && error.path === path,
      );
    };
    refused({ metrics: [{ dimensions: { a: 'has(request.headers)' } }] }, 'f.metrics[0].dimensions["a"]');
    refused({ metrics: [{ match: 'true' }] }, 'f.metrics[0].match');
    refused({ rotation_interval: '10s' }, 'f.rotation_interval');
    refused({ definitions: [{ name: 'requests_total', value: '1' }] }, 'f.definitions[0].name');
    assert.throws(() => compileAttributeExpression('request.nope', 'p'), ConfigError);
  });
});
