// Streams of one worker that wait for clusters that the main thread is to ask control planes for.
// Envoy: ClusterDiscoveryManager in source/common/upstream/cluster_discovery_manager.cc.

import { createRequire } from 'node:module';
import type {
  ClusterDiscovery,
  ClusterDiscoveryWaiter,
  SubClusterDiscovery,
} from '../api/upstream/cluster_discovery.ts';

const require = createRequire(import.meta.url);

export class WorkerClusterDiscoveries {
  private readonly waiting = new Map<string, Set<ClusterDiscoveryWaiter>>();
  private readonly ask: (source: string, cluster: string) => void;

  constructor(ask: (source: string, cluster: string) => void) {
    this.ask = ask;
  }

  /** `source` is the key under which the main thread knows the config source. */
  of(source: string): ClusterDiscovery {
    return Object.freeze({
      request: (name: string, waiter: ClusterDiscoveryWaiter) => this.request(source, name, waiter),
      cancel: (name: string, waiter: ClusterDiscoveryWaiter) => this.cancel(name, waiter),
    });
  }

  /** Those that are made for hosts of `parent`, of which the main thread keeps count. */
  subClusters(parent: string): SubClusterDiscovery {
    const { subClusterSource } =
      require('../common/dynamic_forward_proxy/sub_cluster_name.ts') as typeof import('../common/dynamic_forward_proxy/sub_cluster_name.ts');
    const source = subClusterSource(parent);
    return Object.freeze({ ...this.of(source), touch: (name: string) => this.ask(source, name) });
  }

  private request(source: string, name: string, waiter: ClusterDiscoveryWaiter): void {
    let waiters = this.waiting.get(name);
    if (waiters === undefined) this.waiting.set(name, (waiters = new Set()));
    // The first asks for all.
    if (waiters.size === 0) this.ask(source, name);
    waiters.add(waiter);
  }

  private cancel(name: string, waiter: ClusterDiscoveryWaiter): void {
    const waiters = this.waiting.get(name);
    if (waiters?.delete(waiter) && waiters.size === 0) this.waiting.delete(name);
  }

  /** The cluster came, or it is known not to exist. */
  settle(name: string): void {
    const waiters = this.waiting.get(name);
    if (waiters === undefined) return;
    this.waiting.delete(name);
    for (const waiter of waiters) waiter.onClusterDiscovered();
  }
}
