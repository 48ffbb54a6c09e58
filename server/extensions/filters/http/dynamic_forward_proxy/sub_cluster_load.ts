// A request that waits for the cluster of its host to be made, and to know its addresses.
// Envoy: ProxyFilter::loadDynamicCluster (source/extensions/filters/http/dynamic_forward_proxy/proxy_filter.cc).

import type { ClusterDiscovery, ClusterDiscoveryWaiter } from '../../../../api/upstream/cluster_discovery.ts';
import { enter, leave, monotonicNow } from '../../../../common/event/dispatcher.ts';
import { Timer, type TimerOwner } from '../../../../common/event/timer.ts';

export type SubClusterOutcome = 'made' | 'overflow' | 'timeout';

export class SubClusterLoad implements ClusterDiscoveryWaiter, TimerOwner {
  private readonly name: string;
  private readonly discovery: ClusterDiscovery;
  private readonly isThere: () => boolean;
  private readonly done: (outcome: SubClusterOutcome) => void;
  private readonly timer = new Timer(this);

  /** `done` is called once, unless it is cancelled before. */
  constructor(
    name: string,
    discovery: ClusterDiscovery,
    timeoutMs: number,
    isThere: () => boolean,
    done: (outcome: SubClusterOutcome) => void,
  ) {
    this.name = name;
    this.discovery = discovery;
    this.isThere = isThere;
    this.done = done;
    discovery.request(name, this);
    this.timer.enable(timeoutMs, monotonicNow());
  }

  /** Or there are as many as there may be. */
  onClusterDiscovered(): void {
    this.timer.disable();
    enter();
    try {
      this.done(this.isThere() ? 'made' : 'overflow');
    } finally {
      leave();
    }
  }

  onTimeout(): void {
    this.discovery.cancel(this.name, this);
    this.done('timeout');
  }

  cancel(): void {
    this.timer.disable();
    this.discovery.cancel(this.name, this);
  }
}
