// Over the sub clusters of a dynamic_forward_proxy cluster: the host of a request is one of the cluster that was made for the name
// it goes to. The filter of the same name sees to it that there is one.
// Envoy: Cluster::chooseHost (source/extensions/clusters/dynamic_forward_proxy/cluster.cc).

import type { ClusterManager, LoadBalancer, LoadBalancerContext } from '../../api/upstream/cluster.ts';
import type { HostDescription } from '../../api/upstream/host.ts';
import { dynamicHostKey } from './dynamic_host.ts';
import { subClusterName } from './sub_cluster_name.ts';

export class SubClustersLoadBalancer implements LoadBalancer {
  private readonly defaultPort: number;
  private readonly clusterManager: ClusterManager;

  constructor(defaultPort: number, clusterManager: ClusterManager) {
    this.defaultPort = defaultPort;
    this.clusterManager = clusterManager;
  }

  chooseHost(context: LoadBalancerContext | undefined): HostDescription | undefined {
    const { defaultPort } = this;
    const key = context && dynamicHostKey(context, defaultPort);
    if (key === undefined) return undefined;
    return this.clusterManager.getCluster(subClusterName(key, defaultPort))?.chooseHost(context);
  }
}
