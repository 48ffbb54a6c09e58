// The stats of clusters that are the main thread's: every family's names at 0 from the start, who is a member, which limit
// is reached. Brought up to date when somebody reads, so that ten thousand clusters cost nothing until then.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/upstream/cluster_manager/cluster_stats

import type { StatBlock, StatSchema, StatStore } from '../../api/stats.ts';
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
import { BREAKER_SLOTS_PER_PRIORITY, type Thresholds } from '../../common/upstream/resource_manager.ts';
import { SharedTable } from '../../common/upstream/shared_table.ts';
import type { ClusterRecord, ClusterVersion } from '../config_store/cluster_store.ts';
import type { ConfigStore } from '../config_store/config_store.ts';
import { EdsEndpoints, StaticEndpoints } from '../config_store/endpoint_source.ts';
import { BreakerStats } from './breaker_stats.ts';
import { HashTableStats } from './hash_table_stats.ts';

const AT = CLUSTER_ENDPOINT_STATS.offset;
const PRIORITIES = ['default', 'high'] as const;

interface Listed {
  /** The version whose names and limits these are. */
  readonly version: ClusterVersion;
  readonly families: readonly (readonly [schema: StatSchema, prefix: string])[];
  readonly endpoints: StatBlock<keyof typeof AT>;
  readonly breakers: readonly BreakerStats[];
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
      for (const breakers of listed.breakers) breakers.refresh();
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
    const prefix = `cluster.${version.statName}.`;
    const families: (readonly [StatSchema, string])[] = [
      [CLUSTER_CONFIG_UPDATE_STATS, prefix],
      [CLUSTER_LB_STATS, prefix],
      [CLUSTER_TRAFFIC_STATS, prefix],
      [CLUSTER_CIRCUIT_BREAKER_STATS, `${prefix}circuit_breakers.default.`],
      [CLUSTER_CIRCUIT_BREAKER_STATS, `${prefix}circuit_breakers.high.`],
    ];
    // An EDS cluster's subscription has stats of the same names.
    if (!(version.source instanceof EdsEndpoints)) families.push([CLUSTER_UPDATE_STATS, prefix]);
    families.push(...shapedFamilies(version, prefix));
    for (const [schema, each] of families) this.#aggregator.declare(schema, each);
    const endpoints = this.#stats.block(CLUSTER_ENDPOINT_STATS, prefix);
    const { table } = this.#store.breakerSlots;
    const breakers = PRIORITIES.map((priority, index) => {
      const slot = record.breakerSlot + index * BREAKER_SLOTS_PER_PRIORITY;
      return new BreakerStats(
        this.#stats,
        `${prefix}circuit_breakers.${priority}.`,
        version.circuitBreakers[index] as Thresholds,
        table.view(slot),
        SharedTable.offset(slot),
      );
    });
    const hashTables = this.#hashTables(record, version, prefix);
    const listed = { version, families, endpoints, breakers, hashTables, seen: this.#refreshes };
    this.#listed.set(record, listed);
    return listed;
  }

  #hashTables(record: ClusterRecord, version: ClusterVersion, prefix: string): HashTableStats | undefined {
    const { loadBalancer, panicPercent } = version.shape;
    if (loadBalancer.policy !== 'RING_HASH' && loadBalancer.policy !== 'MAGLEV') return undefined;
    const { table } = this.#store.hostSlots;
    return new HashTableStats(this.#stats, prefix, record, loadBalancer, panicPercent, table);
  }

  #unlist({ families, endpoints, breakers, hashTables }: Listed): void {
    for (const [schema, prefix] of families) this.#aggregator.undeclare(schema, prefix);
    this.#stats.release(endpoints);
    for (const each of breakers) each.release();
    hashTables?.release();
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

/** What Envoy lists of a cluster from its start because of what it is configured with. */
function* shapedFamilies(
  { shape }: ClusterVersion,
  prefix: string,
): Generator<readonly [schema: StatSchema, prefix: string]> {
  const { isSecure, loadBalancer, healthCheck } = shape;
  if (loadBalancer.policy === 'SUBSET') yield [CLUSTER_SUBSET_STATS, prefix];
  if (isSecure) {
    yield [SSL_STATS, `${prefix}ssl.`];
    yield [SSL_SOCKET_FACTORY_STATS, `${prefix}client_ssl_socket_factory.`];
  }
  const probe = healthCheck?.probe;
  if (probe?.kind === 'GRPC' || (probe?.kind === 'HTTP' && probe.http2))
    yield [HTTP2_CODEC_STATS, `${prefix}http2.`];
  else if (probe?.kind === 'HTTP') yield [HTTP1_CODEC_STATS, `${prefix}http1.`];
}
