// What this worker alone knows of the hosts of clusters, asked for now and then. Loaded with the first question.

import { HOST_SLOTS } from '../api/upstream/host.ts';
import type { Host } from '../common/upstream/host.ts';
import type { ThreadLocalCluster } from '../common/upstream/thread_local_cluster.ts';
import type { WorkerHost } from '../common/upstream/worker_host.ts';

/** Hosts of the clusters that have answered here, and those that nobody else knows. */
export function workerHosts(clusters: Iterable<ThreadLocalCluster>): WorkerHost[] {
  const all: WorkerHost[] = [];
  for (const { ownHosts, prioritySet } of clusters) {
    for (const host of ownHosts) {
      const { table, slot } = host;
      all.push(described(host, table.slice(slot, slot + HOST_SLOTS)));
    }
    for (const host of prioritySet.hosts)
      if (host.latency !== undefined) all.push(described(host, undefined));
  }
  return all;
}

function described(
  { clusterName: cluster, address: { ip, port, text }, hostname, latency }: Host,
  numbers: Int32Array | undefined,
): WorkerHost {
  // Its text may be a getter, which no message takes along.
  const address = { ip, port, text };
  return { cluster, address, hostname, latency: latency?.counts, numbers };
}
