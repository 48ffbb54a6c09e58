// The clusters of one worker. Main sends what is warm, in order; here each update is one map or field assignment.
// Envoy: source/common/upstream/cluster_manager_impl.cc (ThreadLocalClusterManagerImpl).

import type { ClusterLoadAssignment } from '../../xds-protos/generated/envoy/config/endpoint/v3.ts';
import { decode } from '../../xds-protos/load.ts';
import type { FactoryContext } from '../api/registry.ts';
import type { StatBlock } from '../api/stats.ts';
import type { ClusterManager } from '../api/upstream/cluster.ts';
import { THREAD_LOCAL_CLUSTER_MANAGER_STATS } from '../common/stats/families/managers.ts';
import { compileCluster } from '../common/upstream/cluster_config.ts';
import type { HostEvent } from '../common/upstream/host_event.ts';
import type { HostTable, TableSlot } from '../common/upstream/host_update.ts';
import { compileLoadAssignment } from '../common/upstream/load_assignment.ts';
import { PlainEndpoints } from '../common/upstream/plain_endpoints.ts';
import { SharedTable } from '../common/upstream/shared_table.ts';
import { ThreadLocalCluster } from '../common/upstream/thread_local_cluster.ts';
import type { MainToWorker, ResourceUpdate } from '../messages.ts';

type ClusterUpdate = Extract<ResourceUpdate, { kind: 'cluster' }>;
type EndpointsUpdate = Extract<ResourceUpdate, { kind: 'endpoints' }>;

/** A cluster and what its hosts were made from. Most clusters of a mesh see no traffic: they stay bytes until they do. */
interface Entry {
  update: ClusterUpdate;
  endpoints: EndpointsUpdate | undefined;
  cluster: ThreadLocalCluster | undefined;
  /** What its hosts were made from, where that was plain. */
  plain: PlainEndpoints | undefined;
  /** The version before, until this one is needed: it keeps the stats. */
  previous: ThreadLocalCluster | undefined;
}

/** A table of all threads, and what this one has added to it. */
interface Table {
  readonly shared: SharedTable;
  readonly held: SharedTable;
}

export class WorkerClusterManager implements ClusterManager {
  private readonly hosts: Table = { shared: new SharedTable(), held: new SharedTable() };
  private readonly breakers: Table = { shared: new SharedTable(), held: new SharedTable() };
  private readonly entries = new Map<string, Entry>();
  private context!: FactoryContext;
  private stats!: StatBlock;
  private readonly onHostEvent: (cluster: string, slot: number, event: HostEvent) => void;

  /** `onHostEvent` is told of the slots of hosts that the main thread has to judge. */
  constructor(onHostEvent: (cluster: string, slot: number, event: HostEvent) => void) {
    this.onHostEvent = onHostEvent;
  }

  /** Must be called before the first update; the context refers back to this manager. */
  setContext(context: FactoryContext, workerIndex: number): void {
    this.context = context;
    this.stats = context.stats.block(
      THREAD_LOCAL_CLUSTER_MANAGER_STATS,
      `thread_local_cluster_manager.worker_${workerIndex}.`,
    );
  }

  addPiece({ table, index, memory, held }: Extract<MainToWorker, { type: 'table' }>): void {
    const { shared, held: mine } = table === 'hosts' ? this.hosts : this.breakers;
    shared.add(index, memory);
    mine.add(index, held);
  }

  getCluster(name: string): ThreadLocalCluster | undefined {
    const entry = this.entries.get(name);
    if (entry === undefined) return undefined;
    return entry.cluster ?? this.inflate(entry);
  }

  /** Those of the names that have seen traffic: nobody is made for a question. */
  *inflated(names: readonly string[]): Generator<ThreadLocalCluster> {
    for (const name of names) {
      const cluster = this.entries.get(name)?.cluster;
      if (cluster !== undefined) yield cluster;
    }
  }

  /** A new or changed cluster. Requests under way keep the old one. */
  applyCluster(update: ClusterUpdate): void {
    const entry = this.entries.get(update.name);
    if (entry === undefined) {
      this.entries.set(update.name, {
        update,
        endpoints: undefined,
        cluster: undefined,
        plain: undefined,
        previous: undefined,
      });
      return;
    }
    entry.update = update;
    if (entry.cluster === undefined) return;
    this.countInflated(-1);
    entry.cluster.drain();
    entry.previous?.retire();
    entry.previous = entry.cluster;
    entry.cluster = undefined;
    entry.plain = undefined;
  }

  applyEndpoints(update: EndpointsUpdate): void {
    const entry = this.entries.get(update.name);
    if (entry === undefined) return;
    entry.endpoints = update;
    if (entry.cluster !== undefined) this.setHosts(entry, entry.cluster);
  }

  /** Those that are still bytes will ask the runtime when they are made. */
  onRuntimeUpdate(): void {
    for (const { cluster, previous } of this.entries.values()) {
      cluster?.onRuntimeUpdate();
      previous?.onRuntimeUpdate();
    }
  }

  /** Main has changed what the table says of hosts' health. A cluster that is still bytes will read it. */
  updateHealth(name: string): void {
    this.entries.get(name)?.cluster?.updateHealth();
  }

  /** Weights by slot. Even of a cluster without traffic: its first requests go by them. */
  takeHostLoad(name: string, weights: ReadonlyMap<number, number>): void {
    this.getCluster(name)?.clientSideWeights?.takeWeights(weights);
  }

  removeCluster(name: string): void {
    const entry = this.entries.get(name);
    if (entry === undefined) return;
    this.entries.delete(name);
    if (entry.cluster !== undefined) this.countInflated(-1);
    entry.cluster?.retire();
    entry.previous?.retire();
  }

  private countInflated(change: 1 | -1): void {
    const { values, base } = this.stats;
    const slot = base + THREAD_LOCAL_CLUSTER_MANAGER_STATS.offset.clusters_inflated;
    values[slot] = (values[slot] as number) + change;
  }

  private inflate(entry: Entry): ThreadLocalCluster {
    const message = decode('envoy.config.cluster.v3.Cluster', entry.update.bytes);
    const config = compileCluster(message, this.context, '');
    const cluster = new ThreadLocalCluster(
      config,
      this.context,
      tableSlot(this.breakers, entry.update.circuitBreakerSlot),
      ({ slotNumber }, event) => this.onHostEvent(config.name, slotNumber, event),
    );
    entry.cluster = cluster;
    this.countInflated(1);
    if (entry.previous !== undefined) {
      cluster.keepStatsOf(entry.previous);
      entry.previous.retire();
      entry.previous = undefined;
    }
    this.setHosts(entry, cluster, message.load_assignment);
    return cluster;
  }

  private setHosts(entry: Entry, cluster: ThreadLocalCluster, own?: ClusterLoadAssignment | undefined): void {
    const { endpoints } = entry;
    if (endpoints === undefined) return;
    const { bytes, hostSlots } = endpoints;
    const slots = new HostSlots(this.hosts, hostSlots);
    const plain = bytes && PlainEndpoints.read(bytes);
    const before = entry.plain;
    entry.plain = plain;
    if (plain !== undefined) {
      cluster.updateHosts(plain.compile(before), slots);
      return;
    }
    const assignment =
      bytes === undefined
        ? (own ?? decode('envoy.config.cluster.v3.Cluster', entry.update.bytes).load_assignment)
        : decode('envoy.config.endpoint.v3.ClusterLoadAssignment', bytes);
    cluster.updateHosts(compileLoadAssignment(assignment, 'load_assignment'), slots);
  }
}

/** Where the live numbers of a cluster's hosts are, by the places of the endpoints in their message. */
class HostSlots implements HostTable {
  private readonly table: Table;
  private readonly slots: Int32Array;

  constructor(table: Table, slots: Int32Array) {
    this.table = table;
    this.slots = slots;
  }

  number(index: number): number {
    return this.slots[index];
  }

  slot(index: number): TableSlot {
    return tableSlot(this.table, this.slots[index]);
  }
}

function tableSlot({ shared, held }: Table, slot: number): TableSlot {
  return { table: shared.view(slot), held: held.view(slot), slot: SharedTable.offset(slot), number: slot };
}
