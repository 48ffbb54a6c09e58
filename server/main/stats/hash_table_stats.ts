// How large the rings and tables of consistent hashing are. Workers make them, each for itself and when they need them; what
// they look like follows from the hosts. Envoy: ring_hash_lb.cc (RingHashLoadBalancerStats), maglev_lb.cc (MaglevLoadBalancerStats).

import type { StatBlock, StatStore } from '../../api/stats.ts';
import {
  hostHashKey,
  type NormalizedHostWeights,
  normalizedHostWeights,
} from '../../common/load_balancing/host_weights.ts';
import type { HashingConfig } from '../../common/load_balancing/load_balancer_config.ts';
import { maglevOrder, planMaglev } from '../../common/load_balancing/maglev.ts';
import { planRing } from '../../common/load_balancing/ring_hash.ts';
import { MAGLEV_STATS, RING_HASH_STATS } from '../../common/stats/families/cluster.ts';
import { Host } from '../../common/upstream/host.ts';
import { compileLoadAssignment } from '../../common/upstream/load_assignment.ts';
import { DEFAULT_HOST_SET_OPTIONS, PrioritySet } from '../../common/upstream/priority_set.ts';
import { SharedTable } from '../../common/upstream/shared_table.ts';
import type { ClusterRecord } from '../config_store/cluster_store.ts';
import { currentAssignment } from '../config_store/endpoints_dump.ts';

const RING = RING_HASH_STATS.offset;
const MAGLEV = MAGLEV_STATS.offset;

export class HashTableStats {
  readonly #stats: StatStore;
  readonly #block: StatBlock;
  readonly #record: ClusterRecord;
  readonly #config: HashingConfig;
  readonly #panicPercent: number;
  readonly #table: SharedTable;
  /** What the numbers were computed from. */
  #slots: Int32Array | undefined;
  #hosts: readonly Host[] = [];
  #health: readonly string[] = [];

  /** `prefix` is `cluster.<name>.`, `table` that of the hosts. */
  constructor(
    stats: StatStore,
    prefix: string,
    record: ClusterRecord,
    config: HashingConfig,
    panicPercent: number,
    table: SharedTable,
  ) {
    this.#stats = stats;
    this.#record = record;
    this.#config = config;
    this.#panicPercent = panicPercent;
    this.#table = table;
    this.#block =
      config.policy === 'RING_HASH'
        ? stats.block(RING_HASH_STATS, `${prefix}ring_hash_lb.`)
        : stats.block(MAGLEV_STATS, `${prefix}maglev_lb.`);
  }

  /** Computes anew when hosts or their health have changed. */
  refresh(): void {
    const { hostSlots } = this.#record;
    if (this.#slots !== hostSlots) this.#hosts = hostsOf(this.#record, this.#table);
    const health = this.#hosts.map((host) => host.health);
    if (this.#slots === hostSlots && health.every((each, i) => each === this.#health[i])) return;
    this.#slots = hostSlots;
    this.#health = health;
    const { sets, load } = new PrioritySet(this.#hosts, this.#panicPercent, DEFAULT_HOST_SET_OPTIONS);
    // The last priority's tables are what is seen, as in Envoy.
    sets.forEach((set, priority) => {
      const panic = load.panic[priority] as boolean;
      this.#write(normalizedHostWeights(set, panic, this.#config.byLocality));
    });
  }

  release(): void {
    this.#stats.release(this.#block);
  }

  #write(weights: NormalizedHostWeights): void {
    if (weights.hosts.length === 0) return;
    const { values, base } = this.#block;
    const config = this.#config;
    if (config.policy === 'RING_HASH') {
      const { size, hashesPerHost } = planRing(weights, config);
      values[base + RING.size] = size;
      values[base + RING.min_hashes_per_host] = least(hashesPerHost);
      values[base + RING.max_hashes_per_host] = most(hashesPerHost);
      return;
    }
    const order = maglevOrder(weights.hosts.map((host) => hostHashKey(host, config.useHostname)));
    const sorted = Float64Array.from(order, (i) => weights.weights[i] as number);
    // Envoy needs no table for one host.
    const entries = sorted.length === 1 ? ONE_ENTRY : planMaglev(sorted, weights.max, config.tableSize);
    values[base + MAGLEV.min_entries_per_host] = least(entries);
    values[base + MAGLEV.max_entries_per_host] = most(entries);
  }
}

const ONE_ENTRY = Uint32Array.of(1);

/** The cluster's hosts as its workers have them, without connections. */
function hostsOf(record: ClusterRecord, table: SharedTable): Host[] {
  const { endpoints } = compileLoadAssignment(currentAssignment(record), '');
  return endpoints.slice(0, record.hostSlots.length).map((endpoint, i) => {
    const slot = record.hostSlots[i] as number;
    const view = table.view(slot);
    return new Host({
      ...endpoint,
      priority: endpoint.locality.priority,
      localityWeight: endpoint.locality.weight,
      clusterName: record.name,
      transportSocket: undefined,
      table: view,
      // Main only reads: nothing is held here.
      held: view,
      slot: SharedTable.offset(slot),
      slotNumber: slot,
    });
  });
}

function least(counts: Uint32Array): number {
  return counts.reduce((least, count) => Math.min(least, count), Number.POSITIVE_INFINITY);
}

function most(counts: Uint32Array): number {
  return counts.reduce((most, count) => Math.max(most, count), 0);
}
