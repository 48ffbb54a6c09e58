// Connections to the hosts that the next requests will go to, made when a request begins.
// Follows Envoy's ClusterEntry::maybePreconnect (source/common/upstream/cluster_manager_impl.cc);
// document: Cluster.PreconnectPolicy.predictive_preconnect_ratio.

import type { LoadBalancer } from '../../api/upstream/cluster.ts';
import type { BalancingConfig } from '../load_balancing/load_balancer_config.ts';
import { canPeek, PeekingLoadBalancer } from '../load_balancing/peeking_load_balancer.ts';
import { CLUSTER_TRAFFIC_STATS } from '../stats/families/cluster.ts';
import type { Host } from '../upstream/host.ts';
import type { ThreadLocalCluster } from '../upstream/thread_local_cluster.ts';
import type { ConnPoolBase } from './conn_pool_base.ts';

const STAT = CLUSTER_TRAFFIC_STATS.offset;
/** Connections that one request makes ahead at most. Source: maybePreconnect. */
const MAX_CONNECTIONS_PER_REQUEST = 3;

export class PredictivePreconnect {
  private readonly cluster: ThreadLocalCluster;
  private readonly ratio: number;

  /** `ratio` is above 1: streams that connections are to be ready for, as a multiple of those that there are. */
  constructor(cluster: ThreadLocalCluster, ratio: number) {
    this.cluster = cluster;
    this.ratio = ratio;
  }

  /** A stream is about to begin in `pool`: the next ones will want pools like it. */
  onNewStream(pool: ConnPoolBase): void {
    for (let i = 0; i < MAX_CONNECTIONS_PER_REQUEST && this.isShort(); i++) {
      const host = this.cluster.peekAnotherHost();
      const other = host && this.cluster.poolLike(pool, host);
      if (other?.preconnect(this.ratio) !== true) return;
    }
  }

  /** A balancer that says ahead what it will choose, where it can. */
  peeking(balancer: LoadBalancer, config: BalancingConfig): LoadBalancer {
    const { prioritySet } = this.cluster;
    return canPeek(config, prioritySet) ? new PeekingLoadBalancer(balancer, prioritySet) : balancer;
  }

  /** Would the streams of this worker, one more of them, want more room than there is? */
  private isShort(): boolean {
    const { values, base } = this.cluster.stats;
    const active = values[base + STAT.upstream_rq_active] as number;
    const pending = values[base + STAT.upstream_rq_pending_active] as number;
    let wanted = (pending + active + 1) * this.ratio - active;
    for (const host of this.cluster.prioritySet.hosts) {
      wanted -= roomOf(host);
      if (wanted <= 0) return false;
    }
    return true;
  }
}

function roomOf({ http1Pool, http2Pool, otherPools }: Host): number {
  let room =
    ((http1Pool as ConnPoolBase | undefined)?.room ?? 0) +
    ((http2Pool as ConnPoolBase | undefined)?.room ?? 0);
  if (otherPools !== undefined) for (const pool of otherPools.values()) room += (pool as ConnPoolBase).room;
  return room;
}
