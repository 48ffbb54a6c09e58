// The workloads of the mesh: one subscription to all of them. Of each only what tells who a peer is is kept, and the workers
// get it in batches, one when they have applied the one before: a mesh may have 100,000 workloads and requests do not wait.
// Istio: extensions/common/workload_discovery (WorkloadMetadataProviderImpl).

import type { Workload } from '../../../xds-protos/generated/istio/workload.ts';
import { encode } from '../../../xds-protos/load.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import { ipOfBytes } from '../../common/network/address.ts';
import { statSchema } from '../../common/stats/schema.ts';
import type { WorkloadDiscovery } from '../../extensions/bootstrap/workload_discovery/config.ts';
import type { ResourceUpdate } from '../../messages.ts';
import type { DiscoveredResource, RejectedResource, Subscription } from '../xds/subscription.ts';
import { equalBytes } from './resource.ts';
import type { StoreServices } from './services.ts';

type WorkloadsUpdate = Extract<ResourceUpdate, { kind: 'workloads' }>;

const TYPE_NAME = 'istio.workload.Workload';
const STAT_PREFIX = 'workload_discovery.';
/** Addresses that the workers are told of at a time: about 5 ms of their time. */
const BATCH = 500;

export const WORKLOAD_DISCOVERY_STATS = statSchema('workload_discovery', { total: 'gauge' });

interface WorkloadRecord {
  readonly addresses: readonly string[];
  /** A Workload with the fields that peers' metadata is made of. */
  readonly bytes: Uint8Array;
}

/** How batches get to the workers. */
export interface WorkloadOutput {
  publish(updates: readonly ResourceUpdate[]): void;
  /** Resolves when the workers have applied what was published. */
  settled(): Promise<void>;
}

export class WorkloadStore {
  readonly #services: StoreServices;
  readonly #output: WorkloadOutput;
  readonly #stats;
  /** By resource name, which is the workload's uid. */
  readonly #records = new Map<string, WorkloadRecord>();
  /** Whose an address is: of those that claim it, the one that came last. */
  readonly #owners = new Map<string, WorkloadRecord>();
  /** Addresses that the workers must be told of. */
  readonly #dirty = new Set<string>();
  #subscription: Subscription | undefined;
  #scheduled: NodeJS.Immediate | undefined;
  #sending = false;
  #closed = false;

  constructor(services: StoreServices, output: WorkloadOutput) {
    this.#services = services;
    this.#output = output;
    this.#stats = services.stats.block(WORKLOAD_DISCOVERY_STATS, STAT_PREFIX);
  }

  /** Nothing waits for the workloads: until they come, and when they cannot be had, peers are not found. Throws ConfigError. */
  subscribe({ configSource, path }: WorkloadDiscovery): void {
    this.#subscription = this.#services.subscriptions.subscribe(
      configSource,
      TYPE_NAME,
      undefined,
      {
        onConfigUpdate: (added, removed, full) => this.#update(added, removed, full),
        onConfigUpdateFailed: () => undefined,
      },
      STAT_PREFIX,
      path,
    );
  }

  /** Everything current, for a worker that starts now. */
  snapshot(): WorkloadsUpdate[] {
    return this.#owners.size === 0 ? [] : [this.#batch(this.#owners.keys())];
  }

  close(): void {
    this.#closed = true;
    clearImmediate(this.#scheduled);
    this.#subscription?.close();
  }

  #update(
    added: readonly DiscoveredResource[],
    removed: readonly string[],
    full: boolean,
  ): RejectedResource[] {
    const rejected: RejectedResource[] = [];
    for (const name of removed) this.#remove(name);
    if (full) this.#removeAbsent(added);
    for (const { name, bytes } of added) {
      try {
        this.#set(name, this.#compile(bytes));
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        rejected.push({ name, path: error.path, reason: error.reason });
      }
    }
    this.#stats.values[this.#stats.base + WORKLOAD_DISCOVERY_STATS.offset.total] = this.#owners.size;
    this.#schedule();
    return rejected;
  }

  #compile(bytes: Uint8Array): WorkloadRecord {
    const workload = this.#services.decoder.decode(TYPE_NAME, bytes);
    const addresses = workload.addresses.map((address, index) => {
      const text = ipOfBytes(address);
      if (text === '') throw new ConfigError(at('addresses', index), 'an IP address has 4 or 16 bytes');
      return text;
    });
    return { addresses, bytes: peerFields(workload) };
  }

  #set(name: string, record: WorkloadRecord): void {
    const before = this.#records.get(name);
    if (before !== undefined) {
      if (sameAddresses(before, record) && equalBytes(before.bytes, record.bytes)) return;
      this.#remove(name);
    }
    this.#records.set(name, record);
    for (const address of record.addresses) {
      this.#owners.set(address, record);
      this.#dirty.add(address);
    }
  }

  /** An address that another workload has taken over meanwhile stays that one's. */
  #remove(name: string): void {
    const record = this.#records.get(name);
    if (record === undefined) return;
    this.#records.delete(name);
    for (const address of record.addresses) {
      if (this.#owners.get(address) !== record) continue;
      this.#owners.delete(address);
      this.#dirty.add(address);
    }
  }

  #removeAbsent(present: readonly DiscoveredResource[]): void {
    const names = new Set(present.map(({ name }) => name));
    for (const name of this.#records.keys()) if (!names.has(name)) this.#remove(name);
  }

  #schedule(): void {
    if (this.#closed || this.#sending || this.#dirty.size === 0) return;
    this.#scheduled ??= setImmediate(() => void this.#send());
  }

  async #send(): Promise<void> {
    this.#scheduled = undefined;
    this.#sending = true;
    const addresses = this.#dirty.values().take(BATCH).toArray();
    for (const address of addresses) this.#dirty.delete(address);
    this.#output.publish([this.#batch(addresses)]);
    await this.#output.settled();
    this.#sending = false;
    this.#schedule();
  }

  #batch(addresses: Iterable<string>): WorkloadsUpdate {
    const changed = new Map<WorkloadRecord, string[]>();
    const removed: string[] = [];
    for (const address of addresses) {
      const owner = this.#owners.get(address);
      if (owner === undefined) removed.push(address);
      else if (!changed.has(owner)) changed.set(owner, [address]);
      else changed.get(owner)!.push(address);
    }
    return {
      kind: 'workloads',
      name: 'workloads',
      changed: [...changed].map(([{ bytes }, owned]) => ({ addresses: owned, bytes })),
      removed,
    };
  }
}

function sameAddresses(a: WorkloadRecord, b: WorkloadRecord): boolean {
  return a.addresses.join() === b.addresses.join();
}

/** A copy without what no peer metadata is made of. */
function peerFields(workload: Workload): Uint8Array {
  const { region, zone } = workload.locality ?? { region: '', zone: '' };
  return encode(TYPE_NAME, {
    name: workload.name,
    namespace: workload.namespace,
    trust_domain: workload.trust_domain,
    service_account: workload.service_account,
    canonical_name: workload.canonical_name,
    canonical_revision: workload.canonical_revision,
    workload_type: workload.workload_type,
    workload_name: workload.workload_name,
    cluster_id: workload.cluster_id,
    locality: { region, zone },
  });
}
