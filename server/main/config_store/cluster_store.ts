// Clusters: static ones and those of CDS. A new version is compiled (ACK or NACK), waits for its secrets and hosts while
// the old one serves, then takes its place. Envoy: source/common/upstream/cluster_manager_impl.cc, cds_api_helper.cc.

import type { Cluster } from '../../../xds-protos/generated/envoy/config/cluster/v3.ts';
import type { ConfigSource } from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import { logger } from '../../common/log.ts';
import { CLUSTER_CONFIG_UPDATE_STATS } from '../../common/stats/families/cluster.ts';
import { CLUSTER_MANAGER_STATS } from '../../common/stats/families/managers.ts';
import { statName } from '../../common/upstream/cluster_config.ts';
import { dnsEndpoints } from '../dns/dns_endpoints.ts';
import type { DiscoveredResource, RejectedResource, Subscription } from '../xds/subscription.ts';
import { ClusterHosts } from './cluster_hosts.ts';
import { EdsEndpoints, type EndpointSource, StaticEndpoints } from './endpoint_source.ts';
import { checkLoadAssignment } from './load_assignment.ts';
import { mainFactoryContext } from './main_factory_context.ts';
import { equalBytes, type ResourceVersion, TYPE_NAMES, type UpdateFailure } from './resource.ts';
import { type Lease, leaseAll, releaseAll, type StoreServices } from './services.ts';
import { WarmingGate } from './warming.ts';
import type { WatchedResources } from './watched_resources.ts';

const log = logger('upstream');
const AT = CLUSTER_MANAGER_STATS.offset;

export interface ClusterVersion extends ResourceVersion {
  /** The `<x>` of its stats' `cluster.<x>.`. */
  readonly statName: string;
  readonly leases: readonly Lease[];
  /** Undefined for ORIGINAL_DST: its hosts appear as connections come. */
  readonly source: EndpointSource | undefined;
}

/** Everything known of a cluster name. */
export class ClusterRecord {
  readonly name: string;
  readonly isStatic: boolean;
  active: ClusterVersion | undefined;
  warming: ClusterVersion | undefined;
  gate: WarmingGate | undefined;
  failure: UpdateFailure | undefined;
  /** -1 until the first version is active. */
  breakerSlot = -1;
  /** Slots of the hosts as published last, in the order of `endpointBytes` (undefined: the cluster's own). */
  hostSlots: Int32Array = new Int32Array(0);
  endpointBytes: Uint8Array | undefined;
  readonly hosts = new ClusterHosts();
  stopObserving: (() => void) | undefined;

  constructor(name: string, isStatic: boolean) {
    this.name = name;
    this.isStatic = isStatic;
  }
}

export class ClusterStore {
  readonly #services: StoreServices;
  readonly #assignments: WatchedResources;
  readonly #onChange: () => void;
  readonly #records = new Map<string, ClusterRecord>();
  readonly #stats;
  readonly #cds: Subscription[] = [];
  #warming = 0;
  #active = 0;
  /** Static clusters that wait for the primary ones: EDS by a cluster or by ADS. */
  readonly #secondary: { readonly cluster: Cluster; readonly bytes: Uint8Array; readonly path: string }[] =
    [];
  /** version_info of the last CDS response that was taken in full. */
  version = '';

  /** `onChange` is called whenever a cluster became warm or went. */
  constructor(services: StoreServices, assignments: WatchedResources, onChange: () => void) {
    this.#services = services;
    this.#assignments = assignments;
    this.#onChange = onChange;
    this.#stats = services.stats.block(CLUSTER_MANAGER_STATS, 'cluster_manager.');
  }

  /** In the order they came. */
  get all(): Iterable<ClusterRecord> {
    return this.#records.values();
  }

  get warmingCount(): number {
    return this.#warming;
  }

  get(name: string): ClusterRecord | undefined {
    return this.#records.get(name);
  }

  /** A cluster of the bootstrap. Throws ConfigError. EDS clusters start later, with `startSecondary`. */
  addStatic(cluster: Cluster, bytes: Uint8Array, path: string): void {
    if (this.#records.has(cluster.name)) {
      throw new ConfigError(at(path, 'name'), `cluster manager: duplicate cluster '${cluster.name}'`);
    }
    const record = new ClusterRecord(cluster.name, true);
    this.#records.set(cluster.name, record);
    if (cluster.type === 'EDS') {
      this.#check(cluster, true, path);
      this.#secondary.push({ cluster, bytes, path });
    } else {
      this.#apply(record, cluster, { bytes, version: '', receivedAt: Date.now() }, path);
    }
    this.#bump(AT.cluster_added);
    this.#count();
  }

  /** Starts the static clusters that need another cluster to get their hosts. */
  startSecondary(): void {
    for (const { cluster, bytes, path } of this.#secondary.splice(0)) {
      const record = this.#records.get(cluster.name) as ClusterRecord;
      this.#apply(record, cluster, { bytes, version: '', receivedAt: Date.now() }, path);
    }
  }

  /** Subscribes to CDS; `onFirst` is called when the first answer came or will not come. Throws ConfigError. */
  startCds(source: ConfigSource, onFirst: () => void, path: string): void {
    this.#cds.push(
      this.#services.subscriptions.subscribe(
        source,
        TYPE_NAMES.cluster,
        undefined,
        {
          onConfigUpdate: (added, removed, full, version) => {
            const rejected = this.update(added, removed, full, version, 'cds');
            onFirst();
            return rejected;
          },
          onConfigUpdateFailed: (reason) => {
            if (reason !== 'connection') onFirst();
          },
        },
        'cluster_manager.cds.',
        path,
      ),
    );
  }

  /** Takes a CDS response: all good resources apply, the bad ones are the answer. */
  update(
    added: readonly DiscoveredResource[],
    removed: readonly string[],
    full: boolean,
    systemVersion: string,
    source: string,
  ): RejectedResource[] {
    const rejected: RejectedResource[] = [];
    const seen = new Set<string>();
    let changes = 0;
    for (const resource of added) {
      if (seen.has(resource.name)) {
        rejected.push({ name: resource.name, path: '', reason: `duplicate cluster ${resource.name} found` });
        continue;
      }
      seen.add(resource.name);
      try {
        if (this.#addOrUpdate(resource, source)) changes++;
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        rejected.push(this.#reject(resource, error, source));
      }
    }
    const gone = full ? this.#absentFrom(seen) : removed;
    for (const name of gone) this.remove(name, source);
    if (rejected.length === 0) this.version = systemVersion;
    log.info(`cds: added/updated ${changes} cluster(s), removed ${gone.length}, of ${added.length} sent`);
    this.#count();
    return rejected;
  }

  remove(name: string, source: string): void {
    const record = this.#records.get(name);
    if (record === undefined || record.isStatic) return;
    this.#records.delete(name);
    this.#dropWarming(record);
    if (record.active !== undefined) {
      this.#services.publisher.remove('endpoints', name);
      this.#services.publisher.remove('cluster', name);
      this.#close(record.active);
      this.#active--;
      this.#bump(AT.cluster_removed);
    }
    record.stopObserving?.();
    record.hosts.release(this.#services.hostSlots);
    if (record.breakerSlot >= 0) this.#services.breakerSlots.free(record.breakerSlot);
    this.#services.history.add({
      kind: 'cluster',
      name,
      version: '',
      source,
      at: Date.now(),
      bytes: undefined,
      error: undefined,
    });
    this.#count();
    this.#onChange();
  }

  close(): void {
    for (const subscription of this.#cds) subscription.close();
    for (const record of this.#records.values()) {
      record.stopObserving?.();
      this.#dropWarming(record);
      if (record.active !== undefined) this.#close(record.active);
    }
  }

  /** True when something changed. Throws ConfigError. */
  #addOrUpdate(resource: DiscoveredResource, source: string): boolean {
    const { name, bytes, version } = resource;
    const record = this.#records.get(name);
    if (record?.isStatic) return false;
    if (record !== undefined && this.#isKnown(record, bytes, version)) return false;
    const cluster = this.#services.decoder.decode(TYPE_NAMES.cluster, bytes);
    if (cluster.name !== name)
      throw new ConfigError('name', `resource ${name} holds cluster ${cluster.name}`);
    const target = record ?? new ClusterRecord(name, false);
    const receivedAt = Date.now();
    this.#apply(target, cluster, { bytes, version, receivedAt }, '');
    this.#records.set(name, target);
    target.failure = undefined;
    this.#services.history.add({
      kind: 'cluster',
      name,
      version,
      source,
      at: receivedAt,
      bytes,
      error: undefined,
    });
    this.#bump(record === undefined ? AT.cluster_added : AT.cluster_modified);
    return true;
  }

  /** Are these the bytes that serve or that are on their way? A version that warms is dropped when the active one comes back. */
  #isKnown(record: ClusterRecord, bytes: Uint8Array, version: string): boolean {
    if (record.warming !== undefined && equalBytes(record.warming.bytes, bytes)) {
      record.warming = { ...record.warming, version };
    } else if (record.active !== undefined && equalBytes(record.active.bytes, bytes)) {
      this.#dropWarming(record);
      record.active = { ...record.active, version };
    } else return false;
    record.failure = undefined;
    return true;
  }

  #apply(record: ClusterRecord, cluster: Cluster, version: ResourceVersion, path: string): void {
    const dependencies = this.#check(cluster, record.isStatic, path);
    const leases = leaseAll(this.#services, dependencies);
    let next: ClusterVersion;
    try {
      next = {
        ...version,
        statName: statName(cluster),
        leases,
        source: this.#endpointSource(cluster, version.bytes, path),
      };
    } catch (error) {
      releaseAll(leases);
      throw error;
    }
    this.#dropWarming(record);
    const targets = leases.map((lease) => lease.target);
    if (next.source !== undefined) targets.push(next.source);
    if (targets.every((target) => target.ready)) {
      this.#activate(record, next);
      return;
    }
    record.warming = next;
    this.#warming++;
    record.gate = new WarmingGate(targets, () => {
      const warm = record.warming as ClusterVersion;
      record.warming = undefined;
      record.gate = undefined;
      this.#warming--;
      log.info(`warming cluster ${record.name} complete`);
      this.#activate(record, warm);
      this.#onChange();
    });
  }

  /** The dry run. Throws ConfigError; the result is what the cluster depends on. */
  #check(cluster: Cluster, isStatic: boolean, path: string) {
    const { context, dependencies } = mainFactoryContext(this.#services.environment, isStatic);
    this.#services.compilers.cluster(cluster, context, path);
    if (cluster.load_assignment !== undefined) {
      const names = cluster.type === 'STRICT_DNS' || cluster.type === 'LOGICAL_DNS';
      checkLoadAssignment(cluster.load_assignment, names, at(path, 'load_assignment'));
    }
    return dependencies;
  }

  #endpointSource(cluster: Cluster, bytes: Uint8Array, path: string): EndpointSource | undefined {
    switch (cluster.type) {
      case 'EDS': {
        const eds = cluster.eds_cluster_config;
        const name = eds?.service_name || cluster.name;
        const where = at(at(path, 'eds_cluster_config'), 'eds_config');
        if (eds?.eds_config === undefined) {
          throw new ConfigError(where, 'cannot create an EDS cluster without an EDS config');
        }
        const resource = this.#assignments.watch(eds.eds_config, name, where);
        return new EdsEndpoints(resource, this.#assignments, () => this.#countStale(cluster));
      }
      case 'STRICT_DNS':
      case 'LOGICAL_DNS':
        return dnsEndpoints(cluster, this.#services.stats, path);
      case 'ORIGINAL_DST':
        return undefined;
      default:
        return new StaticEndpoints(cluster, bytes);
    }
  }

  #activate(record: ClusterRecord, next: ClusterVersion): void {
    const before = record.active;
    record.active = next;
    if (before === undefined) this.#active++;
    if (record.breakerSlot < 0) record.breakerSlot = this.#services.breakerSlots.allocate();
    this.#services.publisher.put({
      kind: 'cluster',
      name: record.name,
      version: next.version,
      bytes: next.bytes,
      circuitBreakerSlot: record.breakerSlot,
    });
    record.stopObserving?.();
    record.stopObserving = next.source?.observe(() => {
      this.#publishEndpoints(record, next.source!);
      this.#bump(AT.cluster_updated);
    });
    if (next.source !== undefined) this.#publishEndpoints(record, next.source);
    else this.#dropEndpoints(record);
    // After the new version holds its watches, so that a shared one is never dropped in between.
    if (before !== undefined) this.#close(before);
    this.#count();
  }

  #publishEndpoints(record: ClusterRecord, source: EndpointSource): void {
    const { bytes, version, assignment } = source.endpoints();
    record.hostSlots = record.hosts.update(assignment, this.#services.hostSlots);
    record.endpointBytes = bytes;
    this.#services.publisher.put({
      kind: 'endpoints',
      name: record.name,
      version,
      bytes,
      hostSlots: record.hostSlots,
    });
  }

  #dropEndpoints(record: ClusterRecord): void {
    this.#services.publisher.remove('endpoints', record.name);
    record.hosts.release(this.#services.hostSlots);
    record.hostSlots = new Int32Array(0);
    record.endpointBytes = undefined;
  }

  #reject(resource: DiscoveredResource, error: ConfigError, source: string): RejectedResource {
    const { name, bytes, version } = resource;
    const { path, reason } = error;
    const now = Date.now();
    let record = this.#records.get(name);
    if (record === undefined) {
      record = new ClusterRecord(name, false);
      this.#records.set(name, record);
    }
    record.failure = { bytes, version, at: now, path, reason };
    this.#services.history.add({
      kind: 'cluster',
      name,
      version,
      source,
      at: now,
      bytes,
      error: { path, reason },
    });
    log.warning(`cds: cluster '${name}' rejected: ${error.message}`);
    return { name, path, reason };
  }

  #absentFrom(names: ReadonlySet<string>): string[] {
    const gone: string[] = [];
    for (const record of this.#records.values()) {
      if (!record.isStatic && !names.has(record.name)) gone.push(record.name);
    }
    return gone;
  }

  #dropWarming(record: ClusterRecord): void {
    if (record.warming === undefined) return;
    record.gate?.cancel();
    record.gate = undefined;
    this.#close(record.warming);
    record.warming = undefined;
    this.#warming--;
  }

  #close(version: ClusterVersion): void {
    releaseAll(version.leases);
    version.source?.close();
  }

  #countStale(cluster: Cluster): void {
    const prefix = `cluster.${statName(cluster)}.`;
    const block = this.#services.stats.block(CLUSTER_CONFIG_UPDATE_STATS, prefix);
    block.values[block.base + CLUSTER_CONFIG_UPDATE_STATS.offset.assignment_stale]!++;
    this.#services.stats.release(block);
  }

  #bump(offset: number): void {
    this.#stats.values[this.#stats.base + offset]!++;
  }

  #count(): void {
    const { values, base } = this.#stats;
    values[base + AT.warming_clusters] = this.#warming;
    values[base + AT.active_clusters] = this.#active;
  }
}
