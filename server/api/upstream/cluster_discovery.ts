// Asking a control plane for a cluster because a request wants it. Envoy: OdCdsApiHandle in envoy/upstream/cluster_manager.h.

/** Who waits for a cluster. */
export interface ClusterDiscoveryWaiter {
  /** The cluster is there, or the control plane has none of that name. Never called from `request`. */
  onClusterDiscovered(): void;
}

export interface ClusterDiscovery {
  /** The waiter is told once, unless it is `cancel`led before. */
  request(name: string, waiter: ClusterDiscoveryWaiter): void;
  cancel(name: string, waiter: ClusterDiscoveryWaiter): void;
}

/** Sub clusters of one dynamic_forward_proxy cluster: the main thread makes them when they are asked for. */
export interface SubClusterDiscovery extends ClusterDiscovery {
  /** A request uses one that is there: it stays for another while. */
  touch(name: string): void;
}
