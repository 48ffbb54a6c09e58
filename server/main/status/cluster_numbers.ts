// The live numbers of clusters for lists of ten thousand of them: read where the workers write them, without decoding any cluster.

import type { Cluster } from '../../../xds-protos/generated/envoy/config/cluster/v3.ts';
import { decode } from '../../../xds-protos/load.ts';
import { DEFAULT_PRIORITY, HIGH_PRIORITY } from '../../api/upstream/cluster.ts';
import { HostSlot } from '../../api/upstream/host.ts';
import type { StatAggregator } from '../../common/stats/aggregator.ts';
import { CLUSTER_TRAFFIC_STATS, RESPONSE_CODE_STATS } from '../../common/stats/families/cluster.ts';
import { coarseHealth } from '../../common/upstream/host.ts';
import type { BreakerUse } from '../../common/upstream/resource_manager.ts';
import { SharedTable } from '../../common/upstream/shared_table.ts';
import type { ClusterRecord, ClusterVersion } from '../config_store/cluster_store.ts';
import type { ConfigStore } from '../config_store/config_store.ts';
import { TYPE_NAMES } from '../config_store/resource.ts';

export interface HostCounts {
  readonly total: number;
  readonly healthy: number;
  readonly degraded: number;
}

type TrafficStat = keyof typeof CLUSTER_TRAFFIC_STATS.offset;
type ResponseStat = keyof typeof RESPONSE_CODE_STATS.offset;

/** One active cluster. Nothing is read before it is asked for. */
export class ClusterNumbers {
  readonly name: string;
  readonly #record: ClusterRecord;
  readonly #version: ClusterVersion;
  readonly #store: ConfigStore;
  readonly #stats: StatAggregator;

  constructor(record: ClusterRecord, version: ClusterVersion, store: ConfigStore, stats: StatAggregator) {
    this.name = record.name;
    this.#record = record;
    this.#version = version;
    this.#store = store;
    this.#stats = stats;
  }

  get isStatic(): boolean {
    return this.#record.isStatic;
  }

  /** Its configuration, decoded. */
  message(): Cluster {
    return decode(TYPE_NAMES.cluster, this.#version.bytes);
  }

  hosts(): HostCounts {
    const { table } = this.#store.hostSlots;
    const counts = { total: 0, healthy: 0, degraded: 0 };
    for (const slot of this.#record.hosts.forWorkers) {
      if (slot < 0) continue;
      counts.total++;
      const flags = Atomics.load(table.view(slot), SharedTable.offset(slot) + HostSlot.HealthFlags);
      const health = coarseHealth(flags);
      if (health !== 'unhealthy') counts[health]++;
    }
    return counts;
  }

  traffic(stat: TrafficStat): number {
    const family = this.#stats.family(CLUSTER_TRAFFIC_STATS, `cluster.${this.#version.statName}.`);
    return family?.value(CLUSTER_TRAFFIC_STATS.offset[stat]) ?? 0;
  }

  responses(stat: ResponseStat): number {
    const family = this.#stats.family(RESPONSE_CODE_STATS, `cluster.${this.#version.statName}.`);
    return family?.value(RESPONSE_CODE_STATS.offset[stat]) ?? 0;
  }

  /** Of the default and of the high priority: what is in use of each limit. */
  breakers(): readonly [BreakerUse, BreakerUse] {
    const { clusters } = this.#store;
    return [
      clusters.breakers(this.#record, this.#version, DEFAULT_PRIORITY).use(),
      clusters.breakers(this.#record, this.#version, HIGH_PRIORITY).use(),
    ];
  }
}

export function* clusterNumbers(store: ConfigStore, stats: StatAggregator): Generator<ClusterNumbers> {
  for (const record of store.clusters.all) {
    if (record.active !== undefined) yield new ClusterNumbers(record, record.active, store, stats);
  }
}
