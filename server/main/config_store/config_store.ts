// The owner of all resources: takes them from the bootstrap and from xDS, checks them, keeps every version, warms them in
// the order of their dependencies and gives the workers only what is ready. Envoy: source/server/server.cc and the
// managers of clusters, listeners, routes and secrets.

import { createRequire } from 'node:module';
import type { Bootstrap } from '../../../xds-protos/generated/envoy/config/bootstrap/v3.ts';
import { encode } from '../../../xds-protos/load.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { LogFile, LogFileManager, Registry, ServerInfo } from '../../api/registry.ts';
import type { RouteDiscoveryKind } from '../../api/router.ts';
import type { Runtime } from '../../api/runtime.ts';
import type { StatStore } from '../../api/stats.ts';
import { HOST_SLOTS, HostSlot } from '../../api/upstream/host.ts';
import { resourceKey } from '../../common/config/resource_key.ts';
import { SERVER_STATS } from '../../common/stats/families/server.ts';
import { BREAKER_SLOTS } from '../../common/upstream/resource_manager.ts';
import { WorkloadDiscovery } from '../../extensions/bootstrap/workload_discovery/config.ts';
import type { ResourceUpdate } from '../../messages.ts';
import type { DnsCaches } from '../dns/dns_caches.ts';
import { OutlierEventLogger } from '../outlier_detection/outlier_event_logger.ts';
import { SecretStore } from '../secret/secret_store.ts';
import type { SubscriptionFactory } from '../xds/subscription.ts';
import { ClusterStore } from './cluster_store.ts';
import { EdsStore } from './eds_store.ts';
import { ExtensionConfigStore } from './extension_config_store.ts';
import { ResourceHistory } from './history.ts';
import { InitSequence } from './init_sequence.ts';
import type { InlineVirtualHosts } from './inline_virtual_hosts.ts';
import { ListenerStore } from './listener_store.ts';
import { type CompileEnvironment, type Dependency, mainFactoryContext } from './main_factory_context.ts';
import { OnDemandClusters } from './on_demand_clusters.ts';
import { Publisher } from './publisher.ts';
import { type ResourceVersion, TYPE_NAMES } from './resource.ts';
import { ResourceDecoder, type UnknownFieldPolicy } from './resource_decoder.ts';
import { RouteStore } from './route_store.ts';
import { ScopedRouteStore } from './scoped_route_store.ts';
import type { Lease, ListenSocketBinder, ResourceCompilers, StoreServices } from './services.ts';
import { SharedCounterStore } from './shared_counter_store.ts';
import { SharedMemoryStore } from './shared_memory_store.ts';
import { type OnPiece, SlotAllocator, type TableName } from './slot_allocator.ts';
import type { VirtualHostDiscovery } from './virtual_host_discovery.ts';
import { WatchedResources } from './watched_resources.ts';
import { WorkloadStore } from './workload_store.ts';

const require = createRequire(import.meta.url);

export interface ConfigStoreOptions {
  readonly bootstrap: Bootstrap;
  readonly server: ServerInfo;
  readonly registry: Registry;
  readonly runtime: Runtime;
  readonly stats: StatStore;
  readonly compilers: ResourceCompilers;
  readonly subscriptions: SubscriptionFactory;
  /** For dynamic resources. */
  readonly unknownFields: UnknownFieldPolicy;
  /** Gets what the workers must apply, in order, once per event-loop turn at most. */
  publish(updates: readonly ResourceUpdate[]): void;
  /** Resolves when the workers have applied what was published. */
  settled(): Promise<void>;
  /** Gets new pieces of the shared tables, before any update that uses them. */
  readonly onPiece: OnPiece;
  /** Opens the logs of health checks. */
  readonly logFiles?: LogFileManager | undefined;
  /** The bootstrap's cluster_manager.outlier_detection.event_log_path, opened. */
  readonly outlierLog?: LogFile | undefined;
  /** Undefined where nothing is to listen (`--mode validate`). */
  readonly sockets?: ListenSocketBinder | undefined;
}

export class ConfigStore {
  readonly history = new ResourceHistory();
  readonly clusters: ClusterStore;
  readonly listeners: ListenerStore;
  readonly secrets: SecretStore;
  /** Watched by name. */
  readonly assignments: WatchedResources;
  readonly routes: WatchedResources;
  readonly scopedRoutes: ScopedRouteStore;
  readonly onDemandClusters: OnDemandClusters;
  readonly sdsSecrets: WatchedResources;
  readonly extensions: WatchedResources;
  readonly hostSlots: SlotAllocator;
  readonly breakerSlots: SlotAllocator;
  readonly counterSlots: SlotAllocator;
  readonly bootstrap: Bootstrap;
  readonly #publisher: Publisher;
  readonly #init: InitSequence;
  readonly #routeStore: RouteStore;
  readonly #extensionStore: ExtensionConfigStore;
  readonly #sharedCounters: SharedCounterStore;
  readonly #sharedMemory: SharedMemoryStore;
  readonly environment: CompileEnvironment;
  readonly #openWorkloads: () => WorkloadStore;
  readonly #createInlineVirtualHosts: () => InlineVirtualHosts;
  /** Of the bootstrap extension; undefined without it. */
  #workloadDiscovery: WorkloadDiscovery | undefined;
  #workloads: WorkloadStore | undefined;
  #dnsCaches: DnsCaches | undefined;
  #inlineVirtualHosts: InlineVirtualHosts | undefined;
  readonly #stats: StatStore;

  constructor(options: ConfigStoreOptions) {
    const { subscriptions, onPiece } = options;
    this.bootstrap = options.bootstrap;
    this.#stats = options.stats;
    this.#publisher = new Publisher((updates) => options.publish(updates));
    this.hostSlots = new SlotAllocator(
      'hosts',
      HOST_SLOTS,
      [HostSlot.ActiveRequests, HostSlot.ActiveConnections],
      onPiece,
    );
    const breakers = Array.from({ length: BREAKER_SLOTS }, (_, index) => index);
    this.breakerSlots = new SlotAllocator('circuit_breakers', BREAKER_SLOTS, breakers, onPiece);
    this.counterSlots = new SlotAllocator('shared_counters', 1, [0], onPiece);
    this.#sharedCounters = new SharedCounterStore(this.counterSlots, this.#publisher);
    this.#sharedMemory = new SharedMemoryStore(this.#publisher);
    const services = this.#services(options);
    this.environment = services.environment;
    this.#openWorkloads = () => new WorkloadStore(services, options);
    this.#createInlineVirtualHosts = () => {
      const { InlineVirtualHosts } =
        require('./inline_virtual_hosts.ts') as typeof import('./inline_virtual_hosts.ts');
      return new InlineVirtualHosts(services);
    };
    this.secrets = new SecretStore(this.#publisher, services.decoder, services.stats);
    this.#routeStore = new RouteStore(services);
    this.#extensionStore = new ExtensionConfigStore(services);
    this.assignments = new WatchedResources(new EdsStore(services), subscriptions, this.history);
    this.routes = new WatchedResources(this.#routeStore, subscriptions, this.history);
    this.scopedRoutes = new ScopedRouteStore(services);
    this.sdsSecrets = new WatchedResources(this.secrets, subscriptions, this.history);
    this.extensions = new WatchedResources(this.#extensionStore, subscriptions, this.history);
    this.clusters = new ClusterStore(services, this.assignments, () => this.#init.advance());
    this.onDemandClusters = new OnDemandClusters(services, this.clusters);
    this.listeners = new ListenerStore(services, () => this.#init.advance());
    this.#init = new InitSequence(options.bootstrap, this.clusters, this.listeners);
  }

  /** All clusters are there; listeners may still wait for what they need. */
  /** Of all shared tables. */
  get slotAllocators(): readonly SlotAllocator[] {
    return [this.hostSlots, this.breakerSlots, this.counterSlots];
  }

  get clustersInitialized(): boolean {
    return this.#init.clustersReady;
  }

  /** Everything is there and the workers listen. */
  get initialized(): boolean {
    return this.#init.finished;
  }

  /** Checks and takes the bootstrap's static resources. Throws ConfigError with the path from the bootstrap on. */
  loadStatic(): void {
    this.#compileExtensions();
    const resources = this.bootstrap.static_resources;
    const path = 'static_resources';
    resources?.secrets.forEach((secret, index) => {
      this.secrets.addStatic(secret, at(at(path, 'secrets'), index));
    });
    resources?.clusters.forEach((cluster, index) => {
      this.clusters.addStatic(cluster, encode(TYPE_NAMES.cluster, cluster), at(at(path, 'clusters'), index));
    });
    const local = this.bootstrap.cluster_manager?.local_cluster_name ?? '';
    if (local !== '' && this.clusters.get(local) === undefined) {
      throw new ConfigError('cluster_manager.local_cluster_name', `local cluster '${local}' must be defined`);
    }
    resources?.listeners.forEach((listener, index) => {
      const bytes = encode(TYPE_NAMES.listener, listener);
      this.listeners.addStatic(listener, bytes, at(at(path, 'listeners'), index));
    });
  }

  /** Goes on in Envoy's order; `onInitialized` is called when the workers may listen, after the last update they need. Throws ConfigError. */
  start(onInitialized: () => void): void {
    this.#discoverWorkloads();
    this.#init.start(() => {
      this.#publisher.flush();
      onInitialized();
    });
  }

  /** For `--mode validate`: can all config sources be honoured? Close the store at once: nothing was asked yet. Throws ConfigError. */
  checkSources(): void {
    const { cds_config: cds, lds_config: lds } = this.bootstrap.dynamic_resources ?? {};
    const path = 'dynamic_resources';
    this.#discoverWorkloads();
    this.clusters.startSecondary();
    this.listeners.startStatic();
    if (cds !== undefined) this.clusters.subscribe(cds, () => undefined, at(path, 'cds_config'));
    if (lds !== undefined) this.listeners.subscribe(lds, () => undefined, at(path, 'lds_config'));
  }

  /** Everything the workers have now, in order. Pieces of the tables come first: `slotAllocators`. */
  snapshot(): ResourceUpdate[] {
    return [...(this.#workloads?.snapshot() ?? []), ...this.#publisher.snapshot()];
  }

  /** A worker wants a cluster that is made or asked for on demand. `source`: of whom. */
  discoverCluster(source: string, name: string): void {
    const { parentOfSubClusters } =
      require('../../common/dynamic_forward_proxy/sub_cluster_name.ts') as typeof import('../../common/dynamic_forward_proxy/sub_cluster_name.ts');
    const parent = parentOfSubClusters(source);
    if (parent === undefined) this.onDemandClusters.discover(source, name);
    else this.clusters.get(parent)?.active?.subClusters?.use(name);
  }

  /** Sends what has gathered without waiting for the end of the turn. */
  flush(): void {
    this.#publisher.flush();
  }

  /** A worker died: what it `held` in a piece of a shared table is free again. */
  reclaim(table: TableName, index: number, held: SharedArrayBuffer): void {
    this.slotAllocators.find(({ name }) => name === table)!.reclaim(index, held);
  }

  /** What the start or a warming resource still waits for. */
  *unreadyTargets(): Iterable<{ readonly name: string; readonly targetNames: readonly string[] }> {
    if (!this.#init.finished) yield { name: 'Server', targetNames: this.#init.waitingFor };
    for (const { name, gate } of this.clusters.all) {
      if (gate !== undefined) yield { name: `cluster ${name}`, targetNames: gate.waitingFor };
    }
    for (const { name, gate } of this.listeners.all) {
      if (gate !== undefined) yield { name: `listener ${name}`, targetNames: gate.waitingFor };
    }
  }

  close(): void {
    this.#publisher.close();
    this.#workloads?.close();
    this.listeners.close();
    this.clusters.close();
    this.secrets.close();
  }

  /** Settings of bootstrap extensions. Throws ConfigError. */
  #compileExtensions(): void {
    const { registry } = this.environment;
    const { context } = mainFactoryContext(this.environment, true);
    this.bootstrap.bootstrap_extensions.forEach(({ name, typed_config: config }, index) => {
      const path = at('bootstrap_extensions', index);
      const resolved = registry.resolve('envoy.bootstrap', name, config, path);
      const settings = resolved.factory.compile(resolved.config, context, at(path, 'typed_config'));
      if (settings instanceof WorkloadDiscovery) this.#workloadDiscovery ??= settings;
    });
  }

  #discoverWorkloads(): void {
    if (this.#workloadDiscovery === undefined) return;
    this.#workloads = this.#openWorkloads();
    this.#workloads.subscribe(this.#workloadDiscovery);
  }

  #services(options: ConfigStoreOptions): StoreServices {
    const { server, registry, runtime, compilers, subscriptions, stats } = options;
    const serverStats = stats.block(SERVER_STATS, 'server.');
    const unknownField = serverStats.base + SERVER_STATS.offset.dynamic_unknown_fields;
    return {
      compilers,
      subscriptions,
      stats,
      environment: {
        server,
        runtime,
        registry,
        useStaticSecret: (name, kind, path) => this.secrets.useStatic(name, kind, path),
        servingSecret: (key) => this.secrets.servingOf(key)?.bytes,
        hasCluster: (name) => this.clusters.get(name) !== undefined,
      },
      decoder: new ResourceDecoder(options.unknownFields, () => {
        serverStats.values[unknownField] = (serverStats.values[unknownField] as number) + 1;
      }),
      publisher: this.#publisher,
      history: this.history,
      hostSlots: this.hostSlots,
      breakerSlots: this.breakerSlots,
      logFiles: options.logFiles,
      outlierLog: options.outlierLog && new OutlierEventLogger(options.outlierLog),
      sockets: options.sockets,
      lease: (dependency) => this.#lease(dependency),
    };
  }

  /** A worker asks for a host of a DNS cache. */
  useDnsHost(cache: string, key: string): void {
    this.#dnsCaches?.use(cache, key);
  }

  /** A worker has a request that wants routes. */
  discoverRoute(of: RouteDiscoveryKind, owner: string, name: string): void {
    if (of === 'scope') this.scopedRoutes.discover(owner, name);
    else for (const [key, discovery] of this.virtualHosts()) if (key === owner) discovery.discover(name);
  }

  /** Of route configurations with `vhds`, by the keys of those. */
  *virtualHosts(): Iterable<[string, VirtualHostDiscovery]> {
    yield* this.#routeStore.discoveries;
    if (this.#inlineVirtualHosts !== undefined) yield* this.#inlineVirtualHosts.discoveries();
  }

  /** A route configuration (by its key) with the virtual hosts that were discovered for it; undefined where it has no `vhds`. */
  withDiscoveredHosts(key: string): ResourceVersion | undefined {
    return this.#routeStore.withDiscoveredHosts(key) ?? this.#inlineVirtualHosts?.published(key);
  }

  /** Made with the first cache. */
  #openDnsCaches(): DnsCaches {
    if (this.#dnsCaches === undefined) {
      const { DnsCaches } = require('../dns/dns_caches.ts') as typeof import('../dns/dns_caches.ts');
      this.#dnsCaches = new DnsCaches(this.#publisher, this.#stats);
    }
    return this.#dnsCaches;
  }

  #lease(dependency: Dependency): Lease {
    if (dependency.kind === 'dns_cache')
      return this.#openDnsCaches().lease(dependency.config, dependency.path);
    if (dependency.kind === 'shared_counter') return this.#sharedCounters.lease(dependency.name);
    if (dependency.kind === 'shared_memory')
      return this.#sharedMemory.lease(dependency.name, dependency.bytes);
    if (dependency.kind === 'cluster_discovery') return this.onDemandClusters.lease(dependency);
    if (dependency.kind === 'scoped_routes') return this.scopedRoutes.lease(dependency);
    if (dependency.kind === 'virtual_hosts') {
      this.#inlineVirtualHosts ??= this.#createInlineVirtualHosts();
      return this.#inlineVirtualHosts.lease(dependency);
    }
    const { kind, source, name, path } = dependency;
    const key = resourceKey(source, name);
    if (kind === 'secret') {
      this.secrets.want(key, dependency.secret);
      return leaseOf(this.sdsSecrets, dependency);
    }
    if (kind === 'route') {
      this.#routeStore.setStatPrefix(name, dependency.statPrefix);
      return leaseOf(this.routes, dependency);
    }
    const { discovery } = dependency;
    this.#extensionStore.expect(key, name, discovery, path);
    const lease = leaseOf(this.extensions, dependency);
    return discovery.apply_default_config_without_warming ? { ...lease, target: READY } : lease;
  }
}

function leaseOf(
  resources: WatchedResources,
  {
    source,
    name,
    path,
  }: Exclude<
    Dependency,
    {
      kind:
        | 'shared_counter'
        | 'shared_memory'
        | 'scoped_routes'
        | 'virtual_hosts'
        | 'cluster_discovery'
        | 'dns_cache';
    }
  >,
): Lease {
  const target = resources.watch(source, name, path);
  return { target, release: () => resources.release(target) };
}

const READY = { name: 'default configuration', ready: true, observe: () => () => undefined };
