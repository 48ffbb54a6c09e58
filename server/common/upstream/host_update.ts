// From the hosts of a cluster on one worker to those that an update leaves: a host that the update says nothing new of stays
// the object that it is, one that changed hands its connections on, one that is gone closes them.
// Envoy: BaseDynamicClusterImpl::updateDynamicHostList (source/common/upstream/upstream_impl.cc).

import type { Address } from '../../api/stream_info.ts';
import type { ClusterConfig } from './cluster_config.ts';
import { Host } from './host.ts';
import type { CompiledEndpoint, CompiledEndpoints } from './load_assignment.ts';
import { NumberTable } from './number_table.ts';

/** Where a host's or a cluster's live numbers are. */
export interface TableSlot {
  /** Shared by all threads. */
  readonly table: Int32Array;
  /** What this thread alone has added to `table`, at the same places: main takes it back when the thread dies. */
  readonly held: Int32Array;
  readonly slot: number;
  /** What the main thread calls it: its place in all pieces of the table together. */
  readonly number: number;
}

/** The slots of endpoints by their places in the message. An address keeps its slot as long as it stays in the cluster. */
export interface HostTable {
  /** What the main thread calls the slot; -1: an earlier endpoint has the same address, and Envoy takes the first. */
  number(index: number): number;
  slot(index: number): TableSlot;
}

export class HostUpdate {
  /** In the order of the message. */
  readonly hosts: Host[] = [];
  private readonly before: readonly Host[];
  private readonly config: ClusterConfig;
  private readonly keepsConnections: boolean;
  /** Places of hosts before, by slot number; made when the order is another. */
  private bySlot: NumberTable | undefined = undefined;

  constructor(before: readonly Host[], config: ClusterConfig) {
    this.before = before;
    this.config = config;
    this.keepsConnections = !config.closeConnectionsOnHostSetChange;
  }

  /** The endpoints of the message. */
  add(endpoints: CompiledEndpoints, table: HostTable): void {
    for (let i = 0; i < endpoints.length; i++) {
      const number = table.number(i);
      if (number < 0) continue;
      const same = this.before[i];
      if (same?.slotNumber === number && this.keepsConnections && endpoints.isUnchanged?.(i) === true) {
        same.kept = true;
        this.hosts.push(same);
      } else this.addNew(endpoints.at(i)!, i, table.slot(i));
    }
  }

  private addNew(endpoint: CompiledEndpoint, index: number, place: TableSlot): void {
    const { address, otherIps, hostname, locality, weight, metadata } = endpoint;
    const host = new Host({
      address,
      otherIps,
      hostname,
      locality,
      priority: locality.priority,
      weight,
      localityWeight: locality.weight,
      metadata,
      clusterName: this.config.name,
      transportSocket: this.config.transportSockets.resolve(metadata, locality.metadata),
      table: place.table,
      held: place.held,
      slot: place.slot,
      slotNumber: place.number,
    });
    this.hosts.push(host);
    if (!this.keepsConnections) return;
    const old = this.hostBefore(place.number, index, address);
    if (old !== undefined && old.transportSocket === host.transportSocket) host.takeOver(old);
  }

  /** Call it when the new hosts are in use. */
  drainOthers(): void {
    for (const host of this.before) {
      if (host.kept) host.kept = false;
      else host.drainPools();
    }
  }

  /** Most updates leave the order as it was. */
  private hostBefore(number: number, index: number, address: Address): Host | undefined {
    let host: Host | undefined = this.before[index];
    if (host?.slotNumber !== number) {
      if (this.bySlot === undefined) {
        this.bySlot = new NumberTable(this.before.length);
        for (let i = 0; i < this.before.length; i++) this.bySlot.add(this.before[i].slotNumber, i);
      }
      const found = this.bySlot.get(number);
      host = found < 0 ? undefined : this.before[found];
    }
    // A slot that rested may have come back for another address.
    return host !== undefined && isSameAddress(host.address, address) ? host : undefined;
  }
}

function isSameAddress(a: Address, b: Address): boolean {
  return a.ip === b.ip && a.port === b.port && (a.ip !== '' || a.text === b.text);
}
