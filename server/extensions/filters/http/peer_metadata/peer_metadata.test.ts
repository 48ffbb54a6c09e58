// Two sidecars exchange who they are, and neither lets the headers leak to the application.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fakeFactoryContext } from '../../../../../tests/fakes/factory_context.ts';
import { FakeFilterCallbacks, fakeCluster } from '../../../../../tests/fakes/http_filter.ts';
import { requestHeaders, responseHeaders } from '../../../../../tests/fakes/log_context.ts';
import type { Config } from '../../../../../xds-protos/generated/io/istio/http/peer_metadata.ts';
import { fromJson } from '../../../../../xds-protos/json.ts';
import { decode } from '../../../../../xds-protos/load.ts';
import { structToJson } from '../../../../../xds-protos/well_known.ts';
import type { ServerInfo } from '../../../../api/registry.ts';
import type { WorkloadMetadataProvider } from '../../../../api/workload_metadata.ts';
import { workloadFromMetadata } from '../../../../common/istio/workload_metadata.ts';
import { ipAddress } from '../../../../common/network/address.ts';
import { peerMetadataFactory } from './config.ts';

const PRODUCTPAGE = {
  nodeId: 'sidecar~10.0.0.1~productpage.default~default.svc.cluster.local',
  nodeMetadata: {
    NAME: 'productpage-1',
    NAMESPACE: 'default',
    WORKLOAD_NAME: 'productpage-v1',
    CLUSTER_ID: 'Kubernetes',
    OWNER: 'kubernetes://apis/apps/v1/namespaces/default/deployments/productpage-v1',
    LABELS: {
      app: 'productpage',
      version: 'v1',
      'service.istio.io/canonical-name': 'productpage',
      'service.istio.io/canonical-revision': 'v1',
      team: 'front',
    },
    ANNOTATIONS: { secret: 'not for peers' },
  },
};
const REVIEWS = { nodeId: 'reviews-id', nodeMetadata: { NAMESPACE: 'books', WORKLOAD_NAME: 'reviews-v1' } };

const OUTBOUND = {
  upstream_discovery: [{ istio_headers: {} }, { workload_discovery: {} }],
  upstream_propagation: [{ istio_headers: {} }],
};
const INBOUND = {
  downstream_discovery: [{ istio_headers: {} }, { workload_discovery: {} }],
  downstream_propagation: [{ istio_headers: {} }],
};

function sidecar(
  config: object,
  node: Pick<ServerInfo, 'nodeId' | 'nodeMetadata'>,
  workloads: WorkloadMetadataProvider = { getMetadata: () => undefined },
) {
  const base = fakeFactoryContext({ workloads });
  const context = { ...base, server: { ...base.server, ...node } };
  const message = fromJson<Config>('io.istio.http.peer_metadata.Config', config);
  const filter = peerMetadataFactory.compile(message, context, 'f', 'peer_metadata').createFilter();
  return { filter, callbacks: new FakeFilterCallbacks(filter) };
}

describe('peer_metadata', () => {
  test('client and server learn of each other', () => {
    const client = sidecar(OUTBOUND, PRODUCTPAGE);
    const server = sidecar(INBOUND, REVIEWS);
    const request = requestHeaders({});
    client.filter.decodeHeaders!(request, true);
    assert.equal(request.get('x-envoy-peer-metadata-id'), PRODUCTPAGE.nodeId);
    const struct = decode(
      'google.protobuf.Struct',
      Buffer.from(request.get('x-envoy-peer-metadata')!, 'base64'),
    );
    assert.deepEqual(structToJson(struct), {
      CLUSTER_ID: 'Kubernetes',
      LABELS: {
        app: 'productpage',
        version: 'v1',
        'service.istio.io/canonical-name': 'productpage',
        'service.istio.io/canonical-revision': 'v1',
      },
      NAME: 'productpage-1',
      NAMESPACE: 'default',
      OWNER: 'kubernetes://apis/apps/v1/namespaces/default/deployments/productpage-v1',
      WORKLOAD_NAME: 'productpage-v1',
    });

    server.filter.decodeHeaders!(request, true);
    assert.deepEqual(request.list, []);
    const state = server.callbacks.streamInfo.filterState;
    assert.equal(
      state.get('downstream_peer')?.serializeAsString(),
      'type=deployment,workload=productpage-v1,name=productpage-1,cluster=Kubernetes,namespace=default,' +
        'service=productpage,revision=v1,app=productpage,version=v1',
    );
    assert.equal(state.get('downstream_peer_obj')?.fieldByName?.('workload'), 'productpage-v1');

    const response = responseHeaders(200);
    server.filter.encodeHeaders!(response, true);
    client.filter.encodeHeaders!(response, true);
    assert.deepEqual(response.list, []);
    const peer = client.callbacks.streamInfo.filterState.get('upstream_peer');
    assert.equal(peer?.serializeAsString(), 'workload=reviews-v1,namespace=books');
  });

  test('a client that sends nothing gets nothing', () => {
    const server = sidecar(INBOUND, REVIEWS);
    server.filter.decodeHeaders!(requestHeaders({}), true);
    const response = responseHeaders(200);
    server.filter.encodeHeaders!(response, true);
    assert.deepEqual(response.list, []);
  });

  test('services outside the mesh are told nothing', () => {
    const config = { upstream_propagation: [{ istio_headers: { skip_external_clusters: true } }] };
    const told = (cluster: Parameters<typeof fakeCluster>[0]): boolean => {
      const { filter, callbacks } = sidecar(config, PRODUCTPAGE);
      callbacks.cluster = fakeCluster(cluster);
      const headers = requestHeaders({});
      filter.decodeHeaders!(headers, true);
      return headers.has('x-envoy-peer-metadata');
    };
    assert.equal(told({}), true);
    assert.equal(told({ name: 'PassthroughCluster' }), false);
    assert.equal(told({ metadata: { istio: { external: true } } }), false);
    assert.equal(told({ metadata: { istio: { disable_mx: true } } }), false);
  });

  test('labels that were asked for travel, garbage is ignored', () => {
    const { filter } = sidecar({ ...OUTBOUND, additional_labels: ['team'] }, PRODUCTPAGE);
    const request = requestHeaders({});
    filter.decodeHeaders!(request, true);
    const server = sidecar({ ...INBOUND, additional_labels: ['team'] }, REVIEWS);
    server.filter.decodeHeaders!(request, true);
    assert.match(
      server.callbacks.streamInfo.filterState.get('downstream_peer')!.serializeAsString(),
      /,team=front$/,
    );

    const garbage = sidecar(INBOUND, REVIEWS);
    garbage.filter.decodeHeaders!(requestHeaders({ 'x-envoy-peer-metadata': '////' }), true);
    assert.equal(garbage.callbacks.streamInfo.filterState.get('downstream_peer'), undefined);
  });

  describe('workload discovery', () => {
    const DISCOVERY = {
      downstream_discovery: [{ istio_headers: {} }, { workload_discovery: {} }],
      upstream_discovery: [{ istio_headers: {} }, { workload_discovery: {} }],
      upstream_propagation: [{ istio_headers: {} }],
    };
    const workloads: WorkloadMetadataProvider = {
      getMetadata: ({ ip }) => workloadFromMetadata({ WORKLOAD_NAME: `at-${ip}` }),
    };
    /** Who the client is, by the request's headers. */
    const client = (headers: Readonly<Record<string, string>>, metadata: object = {}): string | undefined => {
      const { filter, callbacks } = sidecar(
        DISCOVERY,
        { nodeId: 'n', nodeMetadata: { ...metadata } },
        workloads,
      );
      callbacks.streamInfo.remoteAddress = ipAddress('10.0.0.7', 1234);
      filter.decodeHeaders!(requestHeaders(headers), true);
      const { filterState } = callbacks.streamInfo;
      assert.equal(filterState.get('downstream_peer_obj'), filterState.get('downstream_peer'));
      return filterState.get('downstream_peer')?.serializeAsString();
    };

    test('finds a client that tells nothing by its address', () => {
      assert.equal(client({}), 'workload=at-10.0.0.7');
      const told = requestHeaders({});
      sidecar(OUTBOUND, REVIEWS).filter.decodeHeaders!(told, true);
      assert.equal(
        client({ 'x-envoy-peer-metadata': told.get('x-envoy-peer-metadata')! }),
        'workload=reviews-v1,namespace=books',
      );
    });

    test('does not take a gateway between networks for the client', () => {
      assert.equal(client({ 'x-istio-origin-network': 'other' }), undefined);
      assert.equal(client({ 'x-istio-origin-network': 'other' }, { NETWORK: 'ours' }), undefined);
      assert.equal(client({ 'x-istio-origin-network': 'ours' }, { NETWORK: 'ours' }), 'workload=at-10.0.0.7');
    });

    test('finds the host that a request went to', () => {
      const upstream = (ip: string | undefined): string | undefined => {
        const { filter, callbacks } = sidecar(DISCOVERY, REVIEWS, workloads);
        const { streamInfo } = callbacks;
        if (ip !== undefined) streamInfo.upstreamHost = { address: ipAddress(ip, 80) } as never;
        filter.encodeHeaders!(responseHeaders(200), true);
        return streamInfo.filterState.get('upstream_peer')?.serializeAsString();
      };
      assert.equal(upstream('fd00::1'), 'workload=at-fd00::1');
      assert.equal(upstream(undefined), undefined);
    });
  });

  test('baggage tells, too', () => {
    const { filter, callbacks } = sidecar({ downstream_discovery: [{ baggage: {} }] }, REVIEWS);
    const baggage = 'k8s.deployment.name=d,k8s.namespace.name=ns,service.name=svc,service.version=v2,x=y';
    filter.decodeHeaders!(requestHeaders({ baggage }), true);
    assert.equal(
      callbacks.streamInfo.filterState.get('downstream_peer')?.serializeAsString(),
      'type=deployment,workload=d,namespace=ns,service=svc,revision=v2,app=svc,version=v2',
    );
  });
});
