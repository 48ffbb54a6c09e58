// What Envoy 1.40 says of the same clusters was asked with `--mode validate`.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fakeFactoryContext } from '../../../tests/fakes/factory_context.ts';
import type { Cluster } from '../../../xds-protos/generated/envoy/config/cluster/v3.ts';
import type { DnsCluster } from '../../../xds-protos/generated/envoy/extensions/clusters/dns/v3.ts';
import { fromJson } from '../../../xds-protos/json.ts';
import { durationMs } from '../../../xds-protos/well_known.ts';
import { compileCluster } from './cluster_config.ts';
import { clusterDiscovery } from './cluster_discovery.ts';

const TYPE = 'type.googleapis.com/envoy.extensions.clusters';

function cluster(more: object): Cluster {
  return fromJson('envoy.config.cluster.v3.Cluster', { name: 'c', ...more } as never);
}
const extension = (name: string, type?: string, config: object = {}): object => ({
  cluster_type: { name, ...(type && { typed_config: { '@type': `${TYPE}.${type}`, ...config } }) },
});

describe('clusterDiscovery', () => {
  const cases: [object, string][] = [
    [{}, 'STATIC'],
    [{ type: 'EDS' }, 'EDS'],
    [extension('envoy.cluster.static'), 'STATIC'],
    [extension('envoy.cluster.strict_dns'), 'STRICT_DNS'],
    [extension('envoy.cluster.logical_dns'), 'LOGICAL_DNS'],
    [extension('envoy.cluster.eds'), 'EDS'],
    [extension('envoy.cluster.original_dst'), 'ORIGINAL_DST'],
    [extension('any', 'dns.v3.DnsCluster'), 'STRICT_DNS'],
    [extension('any', 'dns.v3.DnsCluster', { all_addresses_in_single_endpoint: true }), 'LOGICAL_DNS'],
    [extension('any', 'aggregate.v3.ClusterConfig', { clusters: ['a'] }), 'AGGREGATE'],
    [extension('any', 'dynamic_forward_proxy.v3.ClusterConfig'), 'DYNAMIC_FORWARD_PROXY'],
  ];
  for (const [json, type] of cases) {
    test(`${JSON.stringify(json)} is ${type}`, () =>
      assert.equal(clusterDiscovery(cluster(json), '').type, type));
  }

  test('the fields of Cluster and of DnsCluster say the same', () => {
    const said = {
      dns_refresh_rate: '3s',
      respect_dns_ttl: true,
      dns_jitter: '1s',
      dns_lookup_family: 'V4_ONLY',
    };
    const old = clusterDiscovery(cluster({ type: 'STRICT_DNS', ...said }), '').dns!;
    const now = clusterDiscovery(cluster(extension('x', 'dns.v3.DnsCluster', said)), '').dns!;
    const told = ({
      dns_refresh_rate,
      respect_dns_ttl,
      dns_jitter,
      dns_lookup_family,
    }: DnsCluster): unknown[] => [
      durationMs(dns_refresh_rate),
      respect_dns_ttl,
      durationMs(dns_jitter),
      dns_lookup_family,
    ];
    assert.deepEqual(told(old), [3000, true, 1000, 'V4_ONLY']);
    assert.deepEqual(told(now), told(old));
  });
});

describe('refused by name', () => {
  const provided = { lb_policy: 'CLUSTER_PROVIDED' };
  const cases: [object, string, RegExp][] = [
    [
      extension('envoy.clusters.redis', 'redis.v3.RedisClusterConfig'),
      'cluster_type',
      /'envoy.clusters.redis'/,
    ],
    [extension('envoy.clusters.nothing'), 'cluster_type', /Didn't find a registered cluster factory/],
    [
      extension('x', 'aggregate.v3.ClusterConfig', { clusters: ['a'] }),
      'lb_policy',
      /not specified but cluster 'c'/,
    ],
    [provided, 'lb_policy', /specified but cluster 'c' did not provide one/],
    [
      { ...provided, ...extension('x', 'aggregate.v3.ClusterConfig') },
      'cluster_type.typed_config.clusters',
      /at least 1 item/,
    ],
    [
      {
        ...provided,
        ...extension('x', 'dynamic_forward_proxy.v3.ClusterConfig', {
          sub_clusters_config: { preresolve_clusters: [{ address: 'a.test', port_value: 80 }] },
        }),
      },
      'cluster_type.typed_config.sub_clusters_config.preresolve_clusters',
      /not supported/,
    ],
    [
      {
        ...provided,
        ...extension('x', 'dynamic_forward_proxy.v3.ClusterConfig', {
          dns_cache_config: { name: 'd' },
          allow_coalesced_connections: true,
        }),
      },
      'cluster_type.typed_config.allow_coalesced_connections',
      /not supported/,
    ],
    [
      {
        ...provided,
        ...extension('x', 'dynamic_forward_proxy.v3.ClusterConfig', { dns_cache_config: { name: 'd' } }),
        load_assignment: { cluster_name: 'c' },
      },
      'load_assignment',
      /must have no load assignment/,
    ],
  ];
  for (const [json, path, message] of cases) {
    test(`${path}: ${String(message)}`, () =>
      assert.throws(() => compileCluster(cluster(json), fakeFactoryContext(), ''), { path, message }));
  }
});
