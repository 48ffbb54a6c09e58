// Consistent hashing with bounded loads: a host that has more than its share of the active requests passes new ones on, in an
// order that the key decides. Envoy: BoundedLoadHashingLoadBalancer of thread_aware_lb_impl.cc; https://arxiv.org/abs/1908.08762.

import type { Host } from '../upstream/host.ts';
import type { HashKey } from './hash_key.ts';
import type { HashTable } from './hash_table.ts';
import type { NormalizedHostWeights } from './host_weights.ts';
import { MersenneTwister } from './mersenne_twister.ts';

export class BoundedLoadHashTable implements HashTable {
  private readonly table: HashTable;
  private readonly hosts: readonly Host[];
  private readonly weights: Float64Array;
  private readonly weightOf: ReadonlyMap<Host, number>;
  private readonly balanceFactor: number;
  private readonly activeRequests: () => number;
  /** The order of second choices. Kept: a pick allocates nothing. */
  private readonly order: Uint32Array;
  private readonly twister = new MersenneTwister();

  /** `balanceFactor` in percent of the average load; `activeRequests` are those of the whole cluster. */
  constructor(
    table: HashTable,
    { hosts, weights }: NormalizedHostWeights,
    balanceFactor: number,
    activeRequests: () => number,
  ) {
    this.table = table;
    this.hosts = hosts;
    this.weights = weights;
    this.weightOf = new Map(hosts.map((host, i) => [host, weights[i]]));
    this.balanceFactor = balanceFactor;
    this.activeRequests = activeRequests;
    this.order = new Uint32Array(hosts.length);
  }

  choose(key: HashKey, attempt: number): Host | undefined {
    const first = this.table.choose(key, attempt);
    if (first === undefined) return undefined;
    const slots = Math.floor(((this.activeRequests() + 1) * this.balanceFactor + 99) / 100);
    const load = overload(first, slots * this.weightOf.get(first)!);
    return load <= 1 ? first : this.chooseAnother(key, first, load, slots);
  }

  private chooseAnother(key: HashKey, first: Host, firstLoad: number, slots: number): Host {
    const { hosts, weights, order, twister } = this;
    for (let i = 0; i < order.length; i++) order[i] = i;
    twister.seed(key.low);
    let best = first;
    let least = firstLoad;
    for (let i = 0; i < order.length; i++) {
      const other = i + twister.below(order.length - i);
      const chosen = order[other];
      order[other] = order[i];
      order[i] = chosen;
      const host = hosts[chosen];
      if (host === first) continue;
      const load = overload(host, slots * weights[chosen]);
      if (load <= 1) return host;
      if (load < least) {
        best = host;
        least = load;
      }
    }
    return best;
  }
}

/** Above 1: the host has more requests than its share. */
function overload(host: Host, share: number): number {
  return host.activeRequests / Math.max(1, Math.ceil(share));
}
