// The ALPN that istiod configures reaches the upstream TLS socket through filter state.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeFactoryContext } from '../../../../../tests/fakes/factory_context.ts';
import { FakeFilterCallbacks, fakeCluster } from '../../../../../tests/fakes/http_filter.ts';
import type { FilterConfig } from '../../../../../xds-protos/generated/istio/envoy/config/filter/http/alpn/v2alpha1.ts';
import { fromJson } from '../../../../../xds-protos/json.ts';
import type { Cluster } from '../../../../api/upstream/cluster.ts';
import { ApplicationProtocols } from '../../../../common/stream_info/filter_state.ts';
import { alpnFactory } from './config.ts';

const CONFIG = {
  alpn_override: [
    { alpn_override: ['istio-http/1.0', 'istio', 'http/1.0'] },
    { alpn_override: ['istio-http/1.1', 'istio', 'http/1.1'], upstream_protocol: 'HTTP11' },
    { alpn_override: ['istio-h2', 'istio', 'h2'], upstream_protocol: 'HTTP2' },
  ],
};

function override(upstreamProtocol: string, protocol: 'HTTP/1.1' | 'HTTP/2', cluster: Partial<Cluster> = {}) {
  const config = fromJson<FilterConfig>('istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig', CONFIG);
  const filter = alpnFactory.compile(config, fakeFactoryContext(), '', 'alpn').createFilter();
  const callbacks = new FakeFilterCallbacks(filter);
  callbacks.cluster = fakeCluster({ features: { upstreamProtocol } as Cluster['features'], ...cluster });
  callbacks.streamInfo.protocol = protocol;
  filter.decodeHeaders!(callbacks.requestHeaders, true);
  return callbacks.streamInfo.filterState.get(ApplicationProtocols.key)?.serializeAsString();
}

test('the override follows the upstream protocol', () => {
  assert.equal(override('http1', 'HTTP/2'), 'istio-http/1.1,istio,http/1.1');
  assert.equal(override('http2', 'HTTP/1.1'), 'istio-h2,istio,h2');
  assert.equal(override('downstream', 'HTTP/2'), 'istio-h2,istio,h2');
  assert.equal(override('downstream', 'HTTP/1.1'), 'istio-http/1.1,istio,http/1.1');
  assert.equal(override('auto', 'HTTP/1.1'), 'istio-h2,istio,h2');
});

test('a cluster may switch it off', () => {
  assert.equal(override('http2', 'HTTP/2', { metadata: { istio: { alpn_override: 'false' } } }), undefined);
});
