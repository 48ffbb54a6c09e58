// Balances over the hosts of other clusters: their priorities come one after the other in the order of the clusters, and the
// cluster whose priority is chosen chooses the host. Clusters that are not there are left out until they come.
// Envoy: source/extensions/clusters/aggregate/cluster.cc; document: arch_overview/upstream/aggregate_cluster.

import type { RequestHeaderMap } from '../../api/http/header_map.ts';
import type { ConnectionInfo, StreamInfo } from '../../api/stream_info.ts';
import type {
  ClusterManager,
  LoadBalancer,
  LoadBalancerContext,
  OverrideHost,
  PriorityChoice,
} from '../../api/upstream/cluster.ts';
import type { HostDescription } from '../../api/upstream/host.ts';
import { randomBelow } from '../load_balancing/random.ts';
import type { Host } from './host.ts';
import type { HostSet } from './host_set.ts';
import { chooseBy, loadBeside, type PriorityLoad, type PrioritySet, priorityLoad } from './priority_set.ts';
import type { ThreadLocalCluster } from './thread_local_cluster.ts';

/** A priority of a cluster that has hosts in it. */
interface Place {
  readonly cluster: ThreadLocalCluster;
  readonly priority: number;
}

/** The clusters as they were when the priorities were put in a row. */
interface Row {
  readonly sets: readonly (PrioritySet | undefined)[];
  readonly clusters: readonly (ThreadLocalCluster | undefined)[];
  readonly places: readonly Place[];
  readonly load: PriorityLoad;
}

export class AggregateLoadBalancer implements LoadBalancer {
  private readonly names: readonly string[];
  private readonly panicPercent: number;
  private readonly clusterManager: ClusterManager;
  private row: Row | undefined = undefined;

  /** `panicPercent` is that of the aggregate: it decides between the priorities of all clusters. */
  constructor(names: readonly string[], panicPercent: number, clusterManager: ClusterManager) {
    this.names = names;
    this.panicPercent = panicPercent;
    this.clusterManager = clusterManager;
  }

  chooseHost(context: LoadBalancerContext | undefined): Host | undefined {
    const { places, load } = this.current();
    if (places.length === 0) return undefined;
    const { priority, degraded } = chooseBy(
      this.loadFor(load, context?.excludedPriorities),
      randomBelow(100),
    );
    const place = places[priority];
    const forced = { priority: place.priority, degraded };
    return place.cluster.chooseHost(new AggregateLoadBalancerContext(context, forced));
  }

  private loadFor(load: PriorityLoad, excluded: Set<number> | undefined): PriorityLoad {
    if (excluded === undefined) return load;
    const beside = loadBeside(setsOf(this.current().places), excluded, this.panicPercent);
    if (beside !== undefined) return beside;
    excluded.clear();
    return load;
  }

  /** The place of a host's priority among all of them. */
  priorityOf(host: HostDescription): number {
    const at = this.current().places.findIndex(
      ({ cluster, priority }) => priority === host.priority && cluster.name === host.clusterName,
    );
    return Math.max(0, at);
  }

  /** Hosts of clusters change, and clusters come and go, without this one being told. */
  private current(): Row {
    const { row, names } = this;
    let same = row !== undefined;
    for (let i = 0; same && i < names.length; i++) {
      const cluster = this.clusterManager.getCluster(names[i]) as ThreadLocalCluster | undefined;
      same = cluster === row!.clusters[i] && cluster?.prioritySet === row!.sets[i];
    }
    return same ? row! : (this.row = this.putInARow());
  }

  private putInARow(): Row {
    const clusters = this.names.map(
      (name) => this.clusterManager.getCluster(name) as ThreadLocalCluster | undefined,
    );
    const places: Place[] = [];
    for (const cluster of clusters) {
      if (cluster === undefined) continue;
      cluster.prioritySet.sets.forEach((set, priority) => {
        if (set.hosts.length > 0) places.push({ cluster, priority });
      });
    }
    const sets = clusters.map((cluster) => cluster?.prioritySet);
    return { clusters, sets, places, load: priorityLoad(setsOf(places), this.panicPercent) };
  }
}

function setsOf(places: readonly Place[]): readonly HostSet[] {
  return places.map(({ cluster, priority }) => cluster.prioritySet.sets[priority]);
}

/** What the cluster that was chosen sees of the request: the priority is decided. */
class AggregateLoadBalancerContext implements LoadBalancerContext {
  readonly forcedPriority: PriorityChoice;
  readonly excludedPriorities = undefined;
  private readonly outer: LoadBalancerContext | undefined;

  constructor(outer: LoadBalancerContext | undefined, forcedPriority: PriorityChoice) {
    this.outer = outer;
    this.forcedPriority = forcedPriority;
  }

  get downstreamHeaders(): RequestHeaderMap | undefined {
    return this.outer?.downstreamHeaders;
  }
  get downstreamConnection(): ConnectionInfo | undefined {
    return this.outer?.downstreamConnection;
  }
  get requestStreamInfo(): StreamInfo | undefined {
    return this.outer?.requestStreamInfo;
  }
  get metadataMatch(): Readonly<Record<string, unknown>> | undefined {
    return this.outer?.metadataMatch;
  }
  get overrideHost(): OverrideHost | undefined {
    return this.outer?.overrideHost;
  }
  get hostSelectionRetryCount(): number {
    return this.outer?.hostSelectionRetryCount ?? 0;
  }
  hashKey(): bigint | undefined {
    return this.outer?.hashKey();
  }
  shouldSelectAnotherHost(host: HostDescription): boolean {
    return this.outer?.shouldSelectAnotherHost(host) === true;
  }
}
