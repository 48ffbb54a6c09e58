// The slots of a cluster's hosts in the shared host table. An address keeps its slot, and with it its health and its
// counters, as long as it stays in the cluster, whatever else about it or about the cluster changes.

import { isIPv4, isIPv6 } from 'node:net';
import type { Address } from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import type { ClusterLoadAssignment } from '../../../xds-protos/generated/envoy/config/endpoint/v3.ts';
import { HostHealthFlag, HostSlot } from '../../api/upstream/host.ts';
import { canonicalIpv6, ipv4Number } from '../../common/network/address.ts';
import { endpointOf } from '../../common/upstream/load_assignment.ts';
import { NumberTable } from '../../common/upstream/number_table.ts';
import type { PlainEndpoints } from '../../common/upstream/plain_endpoints.ts';
import { SharedTable } from '../../common/upstream/shared_table.ts';
import { ACTIVE_HC_FLAGS } from '../health_checks/cluster_health_checks.ts';
import type { Endpoints } from './endpoint_source.ts';
import { EDS_FLAGS_OF, EDS_HEALTH_FLAGS, edsHealthFlags } from './load_assignment.ts';
import type { SlotAllocator } from './slot_allocator.ts';

const NONE = new NumberTable(0);
const PORTS = 65_536;
/** Beyond all IPv4 addresses with their ports. */
const FIRST_TEXT_KEY = 2 ** 48;

/** By the places of the endpoints in the message. */
interface HostList {
  readonly keys: readonly number[];
  /** Bits of EDS_HEALTH_FLAGS. */
  readonly flags: readonly number[];
  readonly maxWeight: number;
}

export class ClusterHosts {
  /** By AddressKeys. */
  #slots = NONE;
  #texts: Map<string, number> | undefined;
  /** How often hosts came or went. */
  changes = 0;
  /** Of the last update. */
  maxWeight = 0;
  /** The slots, with -1 for an endpoint that has the address of an earlier one: workers take the first. */
  forWorkers: Int32Array = new Int32Array(0);
  /** Endpoints of all updates: a transport socket is chosen for each. */
  matched = 0;

  get size(): number {
    return this.#slots.size;
  }

  /**
   * Slots of the endpoints in the order of the message; health from EDS is written into them, and what checks say of the
   * i-th endpoint (bits of ACTIVE_HC_FLAGS), or that it is about to go (PendingDynamicRemoval).
   */
  update(
    endpoints: Endpoints,
    allocator: SlotAllocator,
    checkedFlags: (index: number) => number,
  ): Int32Array {
    const { keys, flags, maxWeight } =
      endpoints.plain === undefined
        ? this.#hostsOf(endpoints.assignment)
        : this.#plainHostsOf(endpoints.plain);
    this.maxWeight = maxWeight;
    const before = this.#slots;
    const after = new NumberTable(keys.length);
    const slots = new Int32Array(keys.length);
    const repeated: number[] = [];
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i] as number;
      const first = after.get(key);
      if (first >= 0) {
        slots[i] = first;
        repeated.push(i);
        continue;
      }
      const known = before.get(key);
      const slot = known < 0 ? allocator.allocate() : known;
      after.add(key, slot);
      slots[i] = slot;
      setHealth(allocator.table, slot, flags[i]! | checkedFlags(i));
    }
    this.matched += slots.length;
    let gone = false;
    before.forEach((key, slot) => {
      if (after.get(key) >= 0) return;
      gone = true;
      allocator.free(slot);
    });
    if (gone || after.size > before.size) this.changes++;
    this.#slots = after;
    this.forWorkers = repeated.length === 0 ? slots : slots.slice();
    for (const i of repeated) this.forWorkers[i] = -1;
    return slots;
  }

  release(allocator: SlotAllocator): void {
    this.#slots.forEach((_, slot) => {
      allocator.free(slot);
    });
    this.#slots = NONE;
    this.#texts = undefined;
  }

  #hostsOf(assignment: ClusterLoadAssignment): HostList {
    const keys = new AddressKeys(this.#texts);
    const flags: number[] = [];
    let maxWeight = 0;
    for (const { lb_endpoints } of assignment.endpoints) {
      for (const endpoint of lb_endpoints) {
        keys.add(endpointOf(assignment, endpoint)?.address);
        flags.push(edsHealthFlags(endpoint));
        maxWeight = Math.max(maxWeight, endpoint.load_balancing_weight?.value ?? 1);
      }
    }
    this.#texts = keys.texts;
    return { keys: keys.all, flags, maxWeight };
  }

  #plainHostsOf(endpoints: PlainEndpoints): HostList {
    const keys = new AddressKeys(this.#texts);
    const flags: number[] = [];
    let maxWeight = 0;
    for (let i = 0; i < endpoints.count; i++) {
      const ipv4 = endpoints.ipv4(i);
      if (ipv4 >= 0) keys.addIpv4(ipv4, endpoints.port(i));
      else keys.addText(`${endpoints.ip(i)}:${endpoints.port(i)}`);
      flags.push(EDS_FLAGS_OF[endpoints.healthStatus(i)] as number);
      maxWeight = Math.max(maxWeight, endpoints.weight(i));
    }
    this.#texts = keys.texts;
    return { keys: keys.all, flags, maxWeight };
  }
}

/** Equal numbers for equal addresses: an IPv4 address with its port is one, any other gets one for as long as it is there. */
class AddressKeys {
  readonly all: number[] = [];
  /** Numbers of those that are not IPv4; undefined where there are none. */
  texts: Map<string, number> | undefined;
  readonly #before: ReadonlyMap<string, number> | undefined;
  #next: number;

  constructor(before: ReadonlyMap<string, number> | undefined) {
    this.#before = before;
    this.#next = FIRST_TEXT_KEY;
    for (const number of before?.values() ?? []) this.#next = Math.max(this.#next, number + 1);
  }

  addIpv4(ipv4: number, port: number): void {
    this.all.push(ipv4 * PORTS + port);
  }

  addText(text: string): void {
    this.texts ??= new Map();
    const number = this.texts.get(text) ?? this.#before?.get(text) ?? this.#next++;
    this.texts.set(text, number);
    this.all.push(number);
  }

  add(address: Address | undefined): void {
    const socket = address?.socket_address;
    if (socket === undefined) this.addText(address?.pipe?.path ?? '');
    else if (isIPv4(socket.address)) this.addIpv4(ipv4Number(socket.address), socket.port_value ?? 0);
    else
      this.addText(
        `${isIPv6(socket.address) ? canonicalIpv6(socket.address) : socket.address}:${socket.port_value ?? 0}`,
      );
  }
}

/** The rest of the bits is outlier detection's. */
const FLAGS = EDS_HEALTH_FLAGS | ACTIVE_HC_FLAGS | HostHealthFlag.PendingDynamicRemoval;

function setHealth(table: SharedTable, slot: number, flags: number): void {
  const view = table.view(slot);
  const index = SharedTable.offset(slot) + HostSlot.HealthFlags;
  const now = Atomics.load(view, index) & FLAGS;
  if (now !== flags) Atomics.xor(view, index, now ^ flags);
}
