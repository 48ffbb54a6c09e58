// The slots of a cluster's hosts in the shared host table. An address keeps its slot, and with it its health and its
// counters, as long as it stays in the cluster, whatever else about it or about the cluster changes.

import type { ClusterLoadAssignment } from '../../../xds-protos/generated/envoy/config/endpoint/v3.ts';
import { HostSlot } from '../../api/upstream/host.ts';
import { SharedTable } from '../../common/upstream/shared_table.ts';
import { ACTIVE_HC_FLAGS } from '../health_checks/cluster_health_checks.ts';
import { addressKey, EDS_HEALTH_FLAGS, edsHealthFlags } from './load_assignment.ts';
import type { SlotAllocator } from './slot_allocator.ts';

export class ClusterHosts {
  #slots = new Map<string, number>();
  /** How often hosts came or went. */
  changes = 0;
  /** Of the last update. */
  maxWeight = 0;
  /** Endpoints of all updates: a transport socket is chosen for each. */
  matched = 0;

  get size(): number {
    return this.#slots.size;
  }

  /**
   * Slots of the endpoints in the order of the message; health from EDS is written into them, and what checks say of the
   * i-th endpoint (bits of ACTIVE_HC_FLAGS).
   */
  update(
    assignment: ClusterLoadAssignment,
    allocator: SlotAllocator,
    checkedFlags: (index: number) => number,
  ): Int32Array {
    const before = this.#slots;
    const sizeBefore = before.size;
    const after = new Map<string, number>();
    const order: number[] = [];
    this.maxWeight = 0;
    for (const locality of assignment.endpoints) {
      for (const endpoint of locality.lb_endpoints) {
        // The same address in two priorities is two hosts.
        let key = addressKey(assignment, endpoint);
        while (after.has(key)) key += '+';
        const slot = before.get(key) ?? allocator.allocate();
        before.delete(key);
        after.set(key, slot);
        const flags = edsHealthFlags(endpoint) | checkedFlags(order.length);
        order.push(slot);
        setHealth(allocator.table, slot, flags);
        this.maxWeight = Math.max(this.maxWeight, endpoint.load_balancing_weight?.value ?? 1);
      }
    }
    this.matched += order.length;
    // Of `before` only those that left are still there.
    if (before.size > 0 || after.size > sizeBefore) this.changes++;
    for (const slot of before.values()) allocator.free(slot);
    this.#slots = after;
    return Int32Array.from(order);
  }

  release(allocator: SlotAllocator): void {
    for (const slot of this.#slots.values()) allocator.free(slot);
    this.#slots.clear();
  }
}

/** The rest of the bits is outlier detection's. */
const FLAGS = EDS_HEALTH_FLAGS | ACTIVE_HC_FLAGS;

function setHealth(table: SharedTable, slot: number, flags: number): void {
  const view = table.view(slot);
  const index = SharedTable.offset(slot) + HostSlot.HealthFlags;
  const now = Atomics.load(view, index) & FLAGS;
  if (now !== flags) Atomics.xor(view, index, now ^ flags);
}
