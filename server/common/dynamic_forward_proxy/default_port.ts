// The port of a host that is named without one. Envoy: Cluster::LoadBalancer (source/extensions/clusters/dynamic_forward_proxy/cluster.cc).

import type { ClusterConfig } from '../upstream/cluster_config.ts';

export function defaultDfpPort({ transportSockets }: ClusterConfig): number {
  return transportSockets.resolve(undefined, undefined)?.secure === true ? 443 : 80;
}
