// The stats of clusters that are the main thread's: every family's names at 0 from the start, who is a member, which limit
// is reached. Brought up to date when somebody reads, so that ten thousand clusters cost nothing until then.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/upstream/cluster_manager/cluster_stats

import type { StatBlock, StatSchema, StatStore } from '../../api/stats.ts';
import { DEFAULT_PRIORITY, HIGH_PRIORITY } from '../../api/upstream/cluster.ts';
import { HostSlot } from '../../api/upstream/host.ts';
import type { Steps } from '../../common/event/steps.ts';
import type { StatAggregator } from '../../common/stats/aggregator.ts';
import {
  CLUSTER_CIRCUIT_BREAKER_STATS,
  CLUSTER_CONFIG_UPDATE_STATS,
  CLUSTER_ENDPOINT_STATS,
  CLUSTER_LB_STATS,
  CLUSTER_SUBSET_STATS,
  CLUSTER_TRAFFIC_STATS,
  CLUSTER_UPDATE_STATS,
} from '../../common/stats/families/cluster.ts';
import { HTTP1_CODEC_STATS, HTTP2_CODEC_STATS } from '../../common/stats/families/codec.ts';
import { SSL_SOCKET_FACTORY_STATS, SSL_STATS } from '../../common/stats/families/ssl.ts';
import { coarseHealth, EXCLUDED_FLAGS } from '../../common/upstream/host.ts';
import { BREAKER_SLOTS_PER_PRIORITY, isInUse } from '../../common/upstream/resource_manager.ts';
import { SharedTable } from '../../common/upstream/shared_table.ts';
import type { ClusterRecord, ClusterVersion } from '../config_store/cluster_store.ts';
import type { ConfigStore } from '../config_store/config_store.ts';
import { EdsEndpoints, StaticEndpoints } from '../config_store/endpoint_source.ts';
import { BreakerStats } from './breaker_stats.ts';
import { HashTableStats } from './hash_table_stats.ts';

const AT = CLUSTER_ENDPOINT_STATS.offset;
const PRIORITIES = ['default', 'high'] as const;

/** A family of a cluster, and what its prefix has behind that of the cluster. */
type BelowCluster = readonly (readonly [schema: StatSchema, below: string])[];

/** Shared by clusters: ten thousand lists of their own would be 11 MB. */
const EDS_FAMILIES: BelowCluster = [
  [CLUSTER_CONFIG_UPDATE_STATS, ''],
  [CLUSTER_LB_STATS, ''],
  [CLUSTER_TRAFFIC_STATS, ''],
  [CLUSTER_CIRCUIT_BREAKER_STATS, 'circuit_breakers.default.'],
  [CLUSTER_CIRCUIT_BREAKER_STATS, 'circuit_breakers.high.'],
];
/** An EDS cluster's subscription has stats of the same names. */
const FAMILIES: BelowCluster = [...EDS_FAMILIES, [CLUSTER_UPDATE_STATS, '']];

interface Listed {
  /** The version whose names and limits these are. */
  readonly version: ClusterVersion;
  /** `cluster.<name>.` */
  readonly prefix: string;
  readonly families: BelowCluster;
  readonly endpoints: StatBlock<keyof typeof AT>;
  /** By priority; made once there is something in use, or shown at all times: of most clusters that is never. */
  readonly breakers: (BreakerStats | undefined)[];
  readonly hashTables: HashTableStats | undefined;
  /** The refresh that saw it last. */
  seen: number;
}

export class ClusterStats {
  readonly #store: ConfigStore;
  readonly #aggregator: StatAggregator;
  readonly #stats: StatStore & { flush(): void };
  readonly #listed = new Map<ClusterRecord, Listed>();
  #refreshes = 0;

  constructor(store: ConfigStore, aggregator: StatAggregator, stats: StatStore & { flush(): void }) {
    this.#store = store;
    this.#aggregator = aggregator;
    this.#stats = stats;
    aggregator.beforeRead(() => this.#refresh());
  }

  *#refresh(): Steps {
    // Two readers may be on their way at once.
    const refresh = ++this.#refreshes;
    for (const record of this.#store.clusters.all) {
      if (record.active === undefined) continue;
      let listed = this.#listed.get(record);
      // The same bytes under another version_info are no change.
      if (listed?.version.bytes !== record.active.bytes) {
        // The new ones first, so that what both have is never taken away.
        const before = listed;
        listed = this.#list(record, record.active);
        if (before !== undefined) this.#unlist(before);
      }
      listed.seen = refresh;
      this.#countHosts(record, listed.endpoints);
      if (!(record.active.source instanceof StaticEndpoints))
        listed.endpoints.values[listed.endpoints.base + AT.max_host_weight] = record.hosts.maxWeight;
      this.#refreshBreakers(record, listed);
      listed.hashTables?.refresh();
      // What was made just now is to be read at once.
      this.#stats.flush();
      yield '';
    }
    for (const [record, listed] of this.#listed) {
      if (listed.seen >= refresh) continue;
      this.#unlist(listed);
      this.#listed.delete(record);
    }
    this.#stats.flush();
  }

  #list(record: ClusterRecord, version: ClusterVersion): Listed {
    const prefix = flat('cluster.', version.statName, '.');
    const common = version.source instanceof EdsEndpoints ? EDS_FAMILIES : FAMILIES;
    const shaped = [...shapedFamilies(version)];
    const families = shaped.length === 0 ? common : [...common, ...shaped];
    for (const [schema, below] of families) this.#aggregator.declare(schema, flat(prefix, below));
    const endpoints = this.#stats.block(CLUSTER_ENDPOINT_STATS, prefix);
    const hashTables = this.#hashTables(record, version, prefix);
    const breakers = PRIORITIES.map(() => undefined);
    const listed = { version, prefix, families, endpoints, breakers, hashTables, seen: this.#refreshes };
    this.#listed.set(record, listed);
    return listed;
  }

  #hashTables(record: ClusterRecord, version: ClusterVersion, prefix: string): HashTableStats | undefined {
    const { loadBalancer, panicPercent } = version.shape;
    if (loadBalancer.policy !== 'RING_HASH' && loadBalancer.policy !== 'MAGLEV') return undefined;
    const { table } = this.#store.hostSlots;
    return new HashTableStats(this.#stats, prefix, record, loadBalancer, panicPercent, table);
  }

  #unlist({ prefix, families, endpoints, breakers, hashTables }: Listed): void {
    for (const [schema, below] of families) this.#aggregator.undeclare(schema, prefix + below);
    this.#stats.release(endpoints);
    for (const each of breakers) each?.release();
    hashTables?.release();
  }

  #refreshBreakers(record: ClusterRecord, { version, prefix, breakers }: Listed): void {
    const { table } = this.#store.breakerSlots;
    for (const priority of [DEFAULT_PRIORITY, HIGH_PRIORITY]) {
      if (breakers[priority] === undefined) {
        const slot = record.breakerSlot + priority * BREAKER_SLOTS_PER_PRIORITY;
        const { trackRemaining } = version.circuitBreakers[priority];
        if (!trackRemaining && !isInUse(table.view(slot), SharedTable.offset(slot))) continue;
        const below = `${prefix}circuit_breakers.${PRIORITIES[priority]}.`;
        breakers[priority] = new BreakerStats(this.#stats, below, trackRemaining);
      }
      breakers[priority].refresh(this.#store.clusters.breakers(record, version, priority));
    }
  }

  #countHosts({ hosts }: ClusterRecord, { values, base }: StatBlock): void {
    const { table } = this.#store.hostSlots;
    let healthy = 0;
    let degraded = 0;
    let excluded = 0;
    let total = 0;
    for (const slot of hosts.forWorkers) {
      if (slot < 0) continue;
      total++;
      const flags = Atomics.load(table.view(slot), SharedTable.offset(slot) + HostSlot.HealthFlags);
      const health = coarseHealth(flags);
      if (health === 'healthy') healthy++;
      else if (health === 'degraded') degraded++;
      if ((flags & EXCLUDED_FLAGS) !== 0) excluded++;
    }
    values[base + AT.membership_total] = total;
    values[base + AT.membership_healthy] = healthy;
    values[base + AT.membership_degraded] = degraded;
    values[base + AT.membership_excluded] = excluded;
    values[base + AT.membership_change] = hosts.changes;
    values[base + AT['default.total_match_count']] = hosts.matched;
  }
}

/** The parts as one string: what `+` makes keeps the parts besides the whole. */
function flat(...parts: readonly string[]): string {
  return parts.join('');
}

/** What Envoy lists of a cluster from its start because of what it is configured with. */
function* shapedFamilies({ shape }: ClusterVersion): Generator<BelowCluster[number]> {
  const { isSecure, loadBalancer, healthCheck } = shape;
  if (loadBalancer.policy === 'SUBSET') yield [CLUSTER_SUBSET_STATS, ''];
  if (isSecure) {
    yield [SSL_STATS, 'ssl.'];
    yield [SSL_SOCKET_FACTORY_STATS, 'client_ssl_socket_factory.'];
  }
  const probe = healthCheck?.probe;
  if (probe?.kind === 'GRPC' || (probe?.kind === 'HTTP' && probe.http2)) yield [HTTP2_CODEC_STATS, 'http2.'];
  else if (probe?.kind === 'HTTP') yield [HTTP1_CODEC_STATS, 'http1.'];
}
