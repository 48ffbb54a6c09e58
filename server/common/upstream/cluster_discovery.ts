// How a cluster gets its hosts: from `type`, or from the extension that `cluster_type` names. Both threads ask here.
// Envoy: ClusterFactoryImplBase::create (source/common/upstream/cluster_factory_impl.cc); document: config.cluster.v3.Cluster.

import type { Cluster } from '../../../xds-protos/generated/envoy/config/cluster/v3.ts';
import type { ClusterConfig as AggregateConfig } from '../../../xds-protos/generated/envoy/extensions/clusters/aggregate/v3.ts';
import type { DnsCluster } from '../../../xds-protos/generated/envoy/extensions/clusters/dns/v3.ts';
import type { ClusterConfig as ForwardProxyConfig } from '../../../xds-protos/generated/envoy/extensions/clusters/dynamic_forward_proxy/v3.ts';
import { create, decodeAny, typeNameOf } from '../../../xds-protos/load.ts';
import { assertValid } from '../../../xds-protos/validate.ts';
import { at, ConfigError } from '../../api/config_error.ts';

const DNS = 'envoy.extensions.clusters.dns.v3.DnsCluster';
const AGGREGATE = 'envoy.extensions.clusters.aggregate.v3.ClusterConfig';
const DYNAMIC_FORWARD_PROXY = 'envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig';

/** The extensions that take no configuration of their own. Source: the ClusterFactory names of Envoy. */
const BY_NAME: Readonly<Record<string, ClusterType>> = {
  'envoy.cluster.static': 'STATIC',
  'envoy.cluster.strict_dns': 'STRICT_DNS',
  'envoy.cluster.logical_dns': 'LOGICAL_DNS',
  'envoy.cluster.eds': 'EDS',
  'envoy.cluster.original_dst': 'ORIGINAL_DST',
};

export type ClusterType =
  | 'STATIC'
  | 'STRICT_DNS'
  | 'LOGICAL_DNS'
  | 'EDS'
  | 'ORIGINAL_DST'
  | 'AGGREGATE'
  | 'DYNAMIC_FORWARD_PROXY';

/** Only what belongs to `type` is there. */
export interface ClusterDiscovery {
  readonly type: ClusterType;
  /** Of DNS clusters; the deprecated fields of Cluster as a DnsCluster. */
  readonly dns: DnsCluster | undefined;
  /** Where `dns` stands, for ConfigError. */
  readonly dnsPath: string;
  readonly aggregate: AggregateConfig | undefined;
  readonly forwardProxy: ForwardProxyConfig | undefined;
  /** Hosts are chosen by a balancer of the cluster's own: lb_policy must be CLUSTER_PROVIDED. */
  readonly providesLoadBalancer: boolean;
}

/** Throws ConfigError for a type that is not known. */
export function clusterDiscovery(cluster: Cluster, path: string): ClusterDiscovery {
  const { cluster_type: extension } = cluster;
  if (extension === undefined) {
    const type = cluster.type ?? 'STATIC';
    if (typeof type === 'number') throw new ConfigError(at(path, 'type'), `unknown discovery type ${type}`);
    return discovery(type, dnsOf(cluster, type), path);
  }
  const where = at(at(path, 'cluster_type'), 'typed_config');
  switch (typeNameOf(extension.typed_config?.type_url ?? '')) {
    case DNS: {
      const dns = decoded<DnsCluster>(extension.typed_config!, where);
      return discovery(dns.all_addresses_in_single_endpoint ? 'LOGICAL_DNS' : 'STRICT_DNS', dns, where);
    }
    case AGGREGATE:
      return {
        ...discovery('AGGREGATE', undefined, path),
        aggregate: decoded<AggregateConfig>(extension.typed_config!, where),
      };
    case DYNAMIC_FORWARD_PROXY:
      return {
        ...discovery('DYNAMIC_FORWARD_PROXY', undefined, path),
        forwardProxy: decoded<ForwardProxyConfig>(extension.typed_config!, where),
      };
  }
  const type = BY_NAME[extension.name];
  if (type === undefined || extension.typed_config !== undefined) {
    throw new ConfigError(
      at(path, 'cluster_type'),
      `Didn't find a registered cluster factory implementation for name: '${extension.name}'`,
    );
  }
  return discovery(type, dnsOf(cluster, type), path);
}

function discovery(type: ClusterType, dns: DnsCluster | undefined, dnsPath: string): ClusterDiscovery {
  return {
    type,
    dns,
    dnsPath,
    aggregate: undefined,
    forwardProxy: undefined,
    providesLoadBalancer: type === 'ORIGINAL_DST' || type === 'AGGREGATE' || type === 'DYNAMIC_FORWARD_PROXY',
  };
}

function decoded<T>(any: NonNullable<NonNullable<Cluster['cluster_type']>['typed_config']>, path: string): T {
  const { typeName, message } = decodeAny(any, path);
  assertValid(typeName, message, path);
  return message as T;
}

/** What a cluster of `type` STRICT_DNS or LOGICAL_DNS says in fields of its own. */
function dnsOf(cluster: Cluster, type: ClusterType): DnsCluster | undefined {
  if (type !== 'STRICT_DNS' && type !== 'LOGICAL_DNS') return undefined;
  return {
    ...create(DNS),
    dns_refresh_rate: cluster.dns_refresh_rate,
    dns_failure_refresh_rate: cluster.dns_failure_refresh_rate,
    respect_dns_ttl: cluster.respect_dns_ttl,
    dns_jitter: cluster.dns_jitter,
    typed_dns_resolver_config: cluster.typed_dns_resolver_config,
    dns_lookup_family: cluster.dns_lookup_family,
    all_addresses_in_single_endpoint: type === 'LOGICAL_DNS',
  } as DnsCluster;
}
