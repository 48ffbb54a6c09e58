// Balancers that belong to a type of cluster: hosts are not given to them, they find or borrow them. Each is loaded with the
// first cluster of its type. Envoy: lb_policy CLUSTER_PROVIDED.

import { createRequire } from 'node:module';
import type { FactoryContext } from '../../api/registry.ts';
import type { LoadBalancer } from '../../api/upstream/cluster.ts';
import type { ClusterConfig } from './cluster_config.ts';

const require = createRequire(import.meta.url);

/** Undefined for a cluster whose hosts are known. `onInvalidHost`: a request names a host that cannot be one. */
export function createProvidedLoadBalancer(
  config: ClusterConfig,
  context: FactoryContext,
  onInvalidHost: () => void,
): LoadBalancer | undefined {
  if (config.originalDst !== undefined) {
    const { OriginalDstLoadBalancer } =
      require('./original_dst_load_balancer.ts') as typeof import('./original_dst_load_balancer.ts');
    return new OriginalDstLoadBalancer(config, onInvalidHost);
  }
  if (config.aggregate !== undefined) {
    const { AggregateLoadBalancer } =
      require('./aggregate_load_balancer.ts') as typeof import('./aggregate_load_balancer.ts');
    return new AggregateLoadBalancer(config.aggregate, config.panicPercent, context.clusterManager);
  }
  if (config.dnsCache !== undefined) {
    const { DynamicForwardProxyLoadBalancer } =
      require('../dynamic_forward_proxy/dynamic_forward_proxy_load_balancer.ts') as typeof import('../dynamic_forward_proxy/dynamic_forward_proxy_load_balancer.ts');
    return new DynamicForwardProxyLoadBalancer(config, config.dnsCache);
  }
  if (config.subClusters !== undefined) {
    const { SubClustersLoadBalancer } =
      require('../dynamic_forward_proxy/sub_clusters_load_balancer.ts') as typeof import('../dynamic_forward_proxy/sub_clusters_load_balancer.ts');
    const { defaultDfpPort } =
      require('../dynamic_forward_proxy/default_port.ts') as typeof import('../dynamic_forward_proxy/default_port.ts');
    return new SubClustersLoadBalancer(defaultDfpPort(config), context.clusterManager);
  }
  return undefined;
}
