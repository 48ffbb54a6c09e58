// Clusters: static ones and those of CDS, each with its secrets, its hosts and its places in the shared tables. It waits
// for secrets and hosts before it serves. Envoy: source/common/upstream/cluster_manager_impl.cc.

import { createRequire } from 'node:module';
import type { Cluster } from '../../../xds-protos/generated/envoy/config/cluster/v3.ts';
import type { ConfigSource } from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { Priority } from '../../api/upstream/cluster.ts';
import { HostHealthFlag } from '../../api/upstream/host.ts';
import { clientSideWeighting } from '../../common/load_balancing/load_balancer_config.ts';
import { CLUSTER_CONFIG_UPDATE_STATS } from '../../common/stats/families/cluster.ts';
import { CLUSTER_MANAGER_STATS } from '../../common/stats/families/managers.ts';
import { compileCircuitBreakers, statName } from '../../common/upstream/cluster_config.ts';
import { clusterDiscovery } from '../../common/upstream/cluster_discovery.ts';
import { currentThresholds } from '../../common/upstream/create_resource_manager.ts';
import type { HostEvent } from '../../common/upstream/host_event.ts';
import {
  BREAKER_SLOTS_PER_PRIORITY,
  SharedResourceManager,
  type Thresholds,
} from '../../common/upstream/resource_manager.ts';
import { SharedTable } from '../../common/upstream/shared_table.ts';
import { dnsEndpoints } from '../dns/dns_endpoints.ts';
import { ClusterHealthChecks } from '../health_checks/cluster_health_checks.ts';
import type { OrcaOobManager } from '../orca/orca_oob_manager.ts';
import { ClusterOutliers } from '../outlier_detection/cluster_outliers.ts';
import { ClusterHosts } from './cluster_hosts.ts';
import { ConfigReloadStats } from './config_reload_stats.ts';
import { CollectionRecord, DiscoveredCollection } from './discovered_collection.ts';
import { EdsEndpoints, type EndpointSource, StaticEndpoints } from './endpoint_source.ts';
import { checkLoadAssignment } from './load_assignment.ts';
import { mainFactoryContext } from './main_factory_context.ts';
import { MergedHealthUpdates } from './merged_health_updates.ts';
import { type ResourceVersion, TYPE_NAMES } from './resource.ts';
import { type ClusterShape, type Lease, leaseAll, releaseAll, type StoreServices } from './services.ts';
import { StabilizedEndpoints } from './stabilized_endpoints.ts';
import type { SubClusters } from './sub_clusters.ts';
import type { WatchedResources } from './watched_resources.ts';

const require = createRequire(import.meta.url);
/** Few clusters check their hosts through TLS. */
const loadProbeTransport = () =>
  (require('../health_checks/probe_transport.ts') as typeof import('../health_checks/probe_transport.ts'))
    .probeTransport;

/** Few clusters ask their hosts for load reports. */
const loadOrcaOobManager = () =>
  (require('../orca/orca_oob_manager.ts') as typeof import('../orca/orca_oob_manager.ts')).OrcaOobManager;

const AT = CLUSTER_MANAGER_STATS.offset;
const CDS = 'cds';

export interface ClusterVersion extends ResourceVersion {
  /** The `<x>` of its stats' `cluster.<x>.`. */
  readonly statName: string;
  /** Of the default and of the high priority. */
  readonly circuitBreakers: readonly [Thresholds, Thresholds];
  readonly shape: ClusterShape;
  readonly leases: readonly Lease[];
  readonly healthChecks: ClusterHealthChecks | undefined;
  /** Undefined where the workers find the hosts, as connections come. */
  readonly source: EndpointSource | undefined;
  /** Of a dynamic_forward_proxy cluster with a cluster for each host. */
  readonly subClusters: SubClusters | undefined;
}

/** The parts of a version that its hosts come from. */
interface ServingVersion {
  readonly source: EndpointSource;
  readonly healthChecks: ClusterHealthChecks | undefined;
}

/** Everything known of a cluster name. */
export class ClusterRecord extends CollectionRecord<ClusterVersion> {
  /** -1 until the first version is active. */
  breakerSlot = -1;
  /** Slots of the hosts as published last, in the order of `endpointBytes` (undefined: the cluster's own). */
  hostSlots: Int32Array = new Int32Array(0);
  endpointBytes: Uint8Array | undefined;
  readonly hosts = new ClusterHosts();
  stopObserving: (() => void) | undefined;
  health: MergedHealthUpdates | undefined;
  /** Undefined without outlier detection. */
  outliers: ClusterOutliers | undefined;
  /** Undefined unless hosts are asked for load reports. */
  orcaOob: OrcaOobManager | undefined;
}

const EVENTS = { added: AT.cluster_added, modified: AT.cluster_modified, removed: AT.cluster_removed };

export class ClusterStore extends DiscoveredCollection<ClusterVersion, ClusterRecord> {
  readonly #assignments: WatchedResources;
  readonly #stats;
  readonly #reloads: ConfigReloadStats;
  #active = 0;
  /** Static clusters that wait for the primary ones: EDS by a cluster or by ADS. */
  readonly #secondary: { readonly cluster: Cluster; readonly bytes: Uint8Array; readonly path: string }[] =
    [];

  /** `onChange` is called whenever a cluster became warm or went. */
  constructor(services: StoreServices, assignments: WatchedResources, onChange: () => void) {
    super(services, { kind: 'cluster', service: 'cds', statPrefix: 'cluster_manager.cds.' }, onChange);
    this.#reloads = new ConfigReloadStats(services.stats);
    this.#assignments = assignments;
    this.#stats = services.stats.block(CLUSTER_MANAGER_STATS, 'cluster_manager.');
  }

  override subscribe(source: ConfigSource, onFirst: () => void, path: string): void {
    super.subscribe(source, onFirst, path);
    this.#reloads.add(CDS, 'cluster_manager.cds.');
  }

  protected override reloaded(): void {
    this.#reloads.reloaded(CDS);
  }

  /** A cluster of the bootstrap. Throws ConfigError. EDS clusters start later, with `startSecondary`. */
  addStatic(cluster: Cluster, bytes: Uint8Array, path: string): void {
    if (this.records.has(cluster.name)) {
      throw new ConfigError(at(path, 'name'), `cluster manager: duplicate cluster '${cluster.name}'`);
    }
    const record = new ClusterRecord(cluster.name, true);
    this.records.set(cluster.name, record);
    if (clusterDiscovery(cluster, path).type === 'EDS') {
      this.#check(cluster, true, path);
      this.#secondary.push({ cluster, bytes, path });
    } else {
      this.#apply(record, cluster, { bytes, version: '', receivedAt: Date.now() }, path);
    }
    this.count('added');
    this.updateGauges();
  }

  /** Starts the static clusters that need another cluster to get their hosts. */
  startSecondary(): void {
    for (const { cluster, bytes, path } of this.#secondary.splice(0)) {
      const record = this.records.get(cluster.name) as ClusterRecord;
      this.#apply(record, cluster, { bytes, version: '', receivedAt: Date.now() }, path);
    }
  }

  override close(): void {
    for (const record of this.records.values()) {
      record.stopObserving?.();
      record.outliers?.close();
      record.orcaOob?.close();
      record.health?.close();
    }
    super.close();
  }

  /** A worker has noticed something about a host. */
  onHostEvent(cluster: string, slot: number, event: HostEvent): void {
    const record = this.records.get(cluster);
    if (event === 'IMMEDIATE_HEALTH_CHECK_FAIL') record?.active?.healthChecks?.setUnhealthy(slot);
    else if (event === 'DEGRADED') record?.outliers?.detector.onDegraded(slot);
    else record?.outliers?.detector.onConsecutiveError(slot, event);
  }

  protected createRecord(name: string, isStatic: boolean): ClusterRecord {
    return new ClusterRecord(name, isStatic);
  }

  protected accept(record: ClusterRecord, version: ResourceVersion): void {
    const cluster = this.services.decoder.decode(TYPE_NAMES.cluster, version.bytes);
    if (cluster.name !== record.name) {
      throw new ConfigError('name', `resource ${record.name} holds cluster ${cluster.name}`);
    }
    this.#apply(record, cluster, version, '');
  }

  protected activate(record: ClusterRecord, next: ClusterVersion): void {
    if (record.active === undefined) this.#active++;
    if (record.breakerSlot < 0) record.breakerSlot = this.services.breakerSlots.allocate();
    const { version, bytes, source, healthChecks } = next;
    const circuitBreakerSlot = record.breakerSlot;
    const { outliers, orcaOob } = record;
    record.health?.close();
    record.health = new MergedHealthUpdates(
      () => this.services.publisher.putHostHealth(record.name),
      next.shape.updateMergeWindowMs,
    );
    record.outliers = this.#outliers(record, next);
    outliers?.close();
    record.orcaOob = this.#orcaOob(record, next);
    orcaOob?.close();
    this.services.publisher.put({ kind: 'cluster', name: record.name, version, bytes, circuitBreakerSlot });
    record.stopObserving?.();
    record.stopObserving = source?.observe(() => {
      this.#publishEndpoints(record, { source, healthChecks });
      // The first hosts begin no window.
      record.health?.superseded();
      this.#bump(AT.cluster_updated);
    });
    if (source !== undefined) this.#publishEndpoints(record, { source, healthChecks });
    else this.#dropEndpoints(record);
  }

  protected retire(record: ClusterRecord): void {
    record.stopObserving?.();
    record.outliers?.close();
    record.orcaOob?.close();
    record.health?.close();
    if (record.active !== undefined) {
      this.#dropEndpoints(record);
      this.services.publisher.remove('cluster', record.name);
      this.#active--;
    }
    if (record.breakerSlot >= 0) this.services.breakerSlots.free(record.breakerSlot);
  }

  protected abandonWarming(): void {}

  protected closeVersion({ leases, source, healthChecks, subClusters }: ClusterVersion): void {
    subClusters?.close();
    releaseAll(leases);
    healthChecks?.close();
    source?.close();
  }

  protected count(event: keyof typeof EVENTS): void {
    this.#bump(EVENTS[event]);
  }

  protected updateGauges(): void {
    const { values, base } = this.#stats;
    values[base + AT.warming_clusters] = this.warmingCount;
    values[base + AT.active_clusters] = this.#active;
  }

  /**
   * The circuit breakers of an active cluster with the limits in force, to be read: nothing is held here.
   * `version`: whose limits.
   */
  breakers(
    { name, breakerSlot }: ClusterRecord,
    version: ClusterVersion,
    priority: Priority,
  ): SharedResourceManager {
    const { environment, breakerSlots } = this.services;
    const configured = version.circuitBreakers[priority];
    const thresholds = currentThresholds(configured, environment.runtime, name, priority);
    const slot = breakerSlot + priority * BREAKER_SLOTS_PER_PRIORITY;
    const view = breakerSlots.table.view(slot);
    return new SharedResourceManager(thresholds, view, view, SharedTable.offset(slot));
  }

  #apply(record: ClusterRecord, cluster: Cluster, version: ResourceVersion, path: string): void {
    const { dependencies, shape } = this.#check(cluster, record.isStatic, path);
    const leases = leaseAll(this.services, dependencies);
    let next: ClusterVersion;
    let source: EndpointSource | undefined;
    try {
      source = this.#stabilized(cluster, this.#endpointSource(cluster, version.bytes, path));
      next = {
        ...version,
        statName: statName(cluster),
        circuitBreakers: compileCircuitBreakers(cluster, path),
        shape,
        leases,
        source,
        healthChecks: this.#healthChecks(cluster, shape, source, leases),
        subClusters: this.#subClusters(cluster, path),
      };
    } catch (error) {
      source?.close();
      releaseAll(leases);
      throw error;
    }
    const targets = leases.map((lease) => lease.target);
    if (next.source !== undefined) targets.push(next.source);
    if (next.healthChecks !== undefined) targets.push(next.healthChecks);
    this.enter(record, next, targets);
  }

  /** The dry run. Throws ConfigError. */
  #check(cluster: Cluster, isStatic: boolean, path: string) {
    const { context, dependencies } = mainFactoryContext(this.services.environment, isStatic);
    const compiled = this.services.compilers.cluster(cluster, context, path);
    const { loadBalancer, panicPercent, outlierDetection, updateMergeWindowMs, healthCheck, isSecure } =
      compiled;
    if (cluster.load_assignment !== undefined) {
      const { dns } = clusterDiscovery(cluster, path);
      checkLoadAssignment(cluster.load_assignment, dns !== undefined, at(path, 'load_assignment'));
    }
    return {
      dependencies,
      shape: { loadBalancer, panicPercent, outlierDetection, updateMergeWindowMs, healthCheck, isSecure },
    };
  }

  #endpointSource(cluster: Cluster, bytes: Uint8Array, path: string): EndpointSource | undefined {
    const discovery = clusterDiscovery(cluster, path);
    switch (discovery.type) {
      case 'EDS': {
        const eds = cluster.eds_cluster_config;
        const name = eds?.service_name || cluster.name;
        const where = at(at(path, 'eds_cluster_config'), 'eds_config');
        if (eds?.eds_config === undefined) {
          throw new ConfigError(where, 'cannot create an EDS cluster without an EDS config');
        }
        const resource = this.#assignments.watch(
          eds.eds_config,
          name,
          where,
          `cluster.${statName(cluster)}.`,
        );
        return new EdsEndpoints(resource, this.#assignments, () => this.#countStale(cluster));
      }
      case 'STRICT_DNS':
      case 'LOGICAL_DNS':
        return dnsEndpoints(cluster, discovery, this.services.stats, path);
      case 'ORIGINAL_DST':
      case 'AGGREGATE':
      case 'DYNAMIC_FORWARD_PROXY':
        return undefined;
      default:
        return new StaticEndpoints(cluster, bytes);
    }
  }

  #subClusters(cluster: Cluster, path: string): SubClusters | undefined {
    const config = clusterDiscovery(cluster, path).forwardProxy?.sub_clusters_config;
    if (config === undefined) return undefined;
    const { SubClusters } = require('./sub_clusters.ts') as typeof import('./sub_clusters.ts');
    return new SubClusters(cluster, config, this, this.services.publisher);
  }

  #healthChecks(
    cluster: Cluster,
    { healthCheck }: ClusterShape,
    source: EndpointSource | undefined,
    leases: readonly Lease[],
  ): ClusterHealthChecks | undefined {
    if (healthCheck === undefined || source === undefined) return undefined;
    const { stats, logFiles, environment } = this.services;
    const prefix = `cluster.${statName(cluster)}.`;
    const checks = new ClusterHealthChecks(cluster.name, prefix, healthCheck, source, {
      stats,
      logFiles,
      runtime: environment.runtime,
      secrets: leases.map((lease) => lease.target),
      transport: healthCheck.secure ? loadProbeTransport()(cluster, environment, stats) : undefined,
    });
    if (source instanceof StabilizedEndpoints)
      source.checkedBy((priority, address) => checks.passes(priority, address));
    return checks;
  }

  /** Hosts by discovery that go only when their checks fail, where they are checked. */
  #stabilized(cluster: Cluster, source: EndpointSource | undefined): EndpointSource | undefined {
    const { health_checks, ignore_health_on_host_removal: ignore } = cluster;
    const { type } = clusterDiscovery(cluster, '');
    const discovered = type === 'EDS' || type === 'STRICT_DNS';
    if (source === undefined || !discovered || health_checks.length === 0 || ignore) return source;
    return new StabilizedEndpoints(source);
  }

  #outliers(record: ClusterRecord, { shape, statName, source }: ClusterVersion): ClusterOutliers | undefined {
    // The main thread does not know the hosts of ORIGINAL_DST.
    if (shape.outlierDetection === undefined || source === undefined) return undefined;
    return new ClusterOutliers(record, shape.outlierDetection, `cluster.${statName}.`, this.services);
  }

  #orcaOob(record: ClusterRecord, { bytes, shape, statName, source }: ClusterVersion) {
    const config = clientSideWeighting(shape.loadBalancer);
    if (config?.outOfBand === undefined || source === undefined) return undefined;
    const { stats, environment, publisher, decoder } = this.services;
    const cluster = decoder.decode(TYPE_NAMES.cluster, bytes);
    const secured = cluster.transport_socket !== undefined || cluster.transport_socket_matches.length > 0;
    return new (loadOrcaOobManager())({
      clusterName: record.name,
      prefix: `cluster.${statName}.`,
      config,
      outOfBand: config.outOfBand,
      stats,
      transport: secured ? loadProbeTransport()(cluster, environment, stats) : undefined,
      onWeights: (weights) => publisher.putHostLoad(record.name, weights),
    });
  }

  #publishEndpoints(record: ClusterRecord, { source, healthChecks }: ServingVersion): void {
    const endpoints = source.endpoints();
    const { bytes, version } = endpoints;
    const stabilized = source instanceof StabilizedEndpoints ? source : undefined;
    record.hostSlots = record.hosts.update(
      endpoints,
      this.services.hostSlots,
      (index) =>
        (healthChecks?.flagsOf(index) ?? 0) |
        (stabilized?.isKept(index) === true ? HostHealthFlag.PendingDynamicRemoval : 0),
    );
    healthChecks?.attach(this.services.hostSlots.table, record.hostSlots, {
      onHealthChange: () => {
        record.health?.changed();
        stabilized?.onHealthChange();
      },
      onHealthy: (slot) => record.outliers?.detector.onHealthy(slot),
    });
    record.endpointBytes = bytes;
    record.outliers?.detector.setHosts(record.hostSlots);
    record.orcaOob?.setHosts(endpoints, record.hostSlots);
    this.services.publisher.put({
      kind: 'endpoints',
      name: record.name,
      version,
      bytes,
      hostSlots: record.hosts.forWorkers,
    });
  }

  #dropEndpoints(record: ClusterRecord): void {
    this.services.publisher.remove('endpoints', record.name);
    record.hosts.release(this.services.hostSlots);
    record.hostSlots = new Int32Array(0);
    record.endpointBytes = undefined;
  }

  #countStale(cluster: Cluster): void {
    const prefix = `cluster.${statName(cluster)}.`;
    const block = this.services.stats.block(CLUSTER_CONFIG_UPDATE_STATS, prefix);
    block.values[block.base + CLUSTER_CONFIG_UPDATE_STATS.offset.assignment_stale]!++;
    this.services.stats.release(block);
  }

  #bump(offset: number): void {
    this.#stats.values[this.#stats.base + offset]!++;
  }
}
