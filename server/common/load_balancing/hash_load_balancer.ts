// Ring hash and Maglev: the request's hash decides on the priority and on the host. Requests without a hash go anywhere.
// Envoy: source/extensions/load_balancing_policies/common/thread_aware_lb_impl.cc. The tables are made with the first pick of
// their priority: of many updates in a row only the last one costs something.

import type { LoadBalancer, LoadBalancerContext } from '../../api/upstream/cluster.ts';
import { CLUSTER_LB_STATS } from '../stats/families/cluster.ts';
import type { Host } from '../upstream/host.ts';
import type { PrioritySet } from '../upstream/priority_set.ts';
import { BoundedLoadHashTable } from './bounded_load.ts';
import { HashKey } from './hash_key.ts';
import type { HashTable } from './hash_table.ts';
import { normalizedHostWeights } from './host_weights.ts';
import type { HashingConfig } from './load_balancer_config.ts';
import type { LoadBalancerEnvironment } from './load_balancer_environment.ts';
import { MaglevTable } from './maglev.ts';
import { Ring } from './ring_hash.ts';

const STAT = CLUSTER_LB_STATS.offset;

export class HashLoadBalancer implements LoadBalancer {
  private readonly prioritySet: PrioritySet;
  private readonly config: HashingConfig;
  private readonly environment: LoadBalancerEnvironment;
  private readonly tables: (HashTable | undefined)[];
  private readonly key = new HashKey();

  constructor(prioritySet: PrioritySet, config: HashingConfig, environment: LoadBalancerEnvironment) {
    this.prioritySet = prioritySet;
    this.config = config;
    this.environment = environment;
    this.tables = prioritySet.sets.map(() => undefined);
  }

  chooseHost(context: LoadBalancerContext | undefined): Host | undefined {
    const { key, prioritySet } = this;
    const hash = context?.hashKey();
    if (hash === undefined) key.setRandom();
    else key.set(hash);
    const { priority } = context?.forcedPriority ?? prioritySet.choose(key.modulo(100));
    if (prioritySet.load.panic[priority]) this.environment.count(STAT.lb_healthy_panic);
    const table = (this.tables[priority] ??= this.createTable(priority));
    let host = table.choose(key, 0);
    if (context === undefined) return host;
    for (let attempt = 1; attempt <= context.hostSelectionRetryCount; attempt++) {
      if (host === undefined || !context.shouldSelectAnotherHost(host)) return host;
      host = table.choose(key, attempt);
    }
    return host;
  }

  private createTable(priority: number): HashTable {
    const { prioritySet, config, environment } = this;
    const panic = prioritySet.load.panic[priority];
    const weights = normalizedHostWeights(prioritySet.sets[priority], panic, config.byLocality);
    const table =
      config.policy === 'RING_HASH' ? new Ring(weights, config) : new MaglevTable(weights, config);
    if (config.balanceFactor === 0) return table;
    return new BoundedLoadHashTable(table, weights, config.balanceFactor, environment.activeRequests);
  }
}
