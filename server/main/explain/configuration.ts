// A configuration as workers have it, compiled on the main thread for those who ask about it: the same bytes, the same compile
// functions, hosts in the tables that all threads share. A resource is compiled when a question comes to it, kept while its bytes
// stay the same, and forgotten when nobody has asked for a while.

import type { Cluster } from '../../../xds-protos/generated/envoy/config/cluster/v3.ts';
import type {
  ExtensionConfigSource,
  TypedExtensionConfig,
} from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import type { FilterChain, Listener } from '../../../xds-protos/generated/envoy/config/listener/v3.ts';
import type { RouteConfiguration } from '../../../xds-protos/generated/envoy/config/route/v3.ts';
import type {
  HttpConnectionManager,
  Rds,
  ScopedRoutes,
} from '../../../xds-protos/generated/envoy/extensions/filters/network/http_connection_manager/v3.ts';
import { create, decode, decodeAny, encode } from '../../../xds-protos/load.ts';
import type { CachedDnsHost } from '../../api/dns_cache.ts';
import type { HttpFilterConfig } from '../../api/http/filter.ts';
import type { FactoryContext, Provider, Registry, ServerInfo } from '../../api/registry.ts';
import type { RouteConfig, RouteScope } from '../../api/router.ts';
import type { Runtime } from '../../api/runtime.ts';
import type { Address } from '../../api/stream_info.ts';
import { inlineRoutesKey, resourceKey, scopedRoutesKey } from '../../common/config/resource_key.ts';
import {
  compileListener,
  type FilterChainConfig,
  type ListenerConfig,
} from '../../common/listener/listener_config.ts';
import { CompiledRouteConfig, compileRouteConfiguration } from '../../common/router/route_config.ts';
import { compileScopes, inlineRoutesOf } from '../../common/router/scoped_routes.ts';
import { compileCluster } from '../../common/upstream/cluster_config.ts';
import type { TableSlot } from '../../common/upstream/host_update.ts';
import { compileLoadAssignment } from '../../common/upstream/load_assignment.ts';
import { PIECE_SLOTS, SharedTable } from '../../common/upstream/shared_table.ts';
import { ThreadLocalCluster } from '../../common/upstream/thread_local_cluster.ts';
import type { ResourceUpdate } from '../../messages.ts';
import { mainFactoryContext } from '../config_store/main_factory_context.ts';
import { TYPE_NAMES } from '../config_store/resource.ts';

type Update<K extends ResourceUpdate['kind']> = Extract<ResourceUpdate, { readonly kind: K }>;

/** Where a configuration comes from. */
export interface ConfigurationSource {
  /** All that workers have, or would have. */
  updates(): readonly ResourceUpdate[];
  readonly hosts: SharedTable;
  readonly breakers: SharedTable;
  readonly server: ServerInfo;
  readonly runtime: Runtime;
  readonly registry: Registry;
  /** What listeners are bound to, where that differs from what is configured. */
  boundAddresses(): ReadonlyMap<string, readonly Address[]>;
}

export interface ExplainedListener {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly message: Listener;
  /** As they are bound. */
  readonly addresses: readonly Address[];
}

interface ClusterEntry {
  readonly update: Update<'cluster'>;
  readonly endpoints: Update<'endpoints'> | undefined;
  readonly cluster: ThreadLocalCluster;
}

const SCOPED_ROUTES = 'envoy.extensions.filters.network.http_connection_manager.v3.ScopedRoutes';

/** ms after the last question. */
const FORGET_MS = 60_000;
/** What this thread holds of the tables: nothing. */
const HELD = new Int32Array(PIECE_SLOTS);

export class CompiledConfiguration {
  readonly source: ConfigurationSource;
  readonly context: FactoryContext;
  readonly #updates = new Map<ResourceUpdate['kind'], Map<string, ResourceUpdate>>();
  readonly #compiled = new Map<Uint8Array, unknown>();
  readonly #messages = new WeakMap<RouteConfig, RouteConfiguration>();
  readonly #made = new Map<object, unknown>();
  readonly #clusters = new Map<string, ClusterEntry>();
  #forget: NodeJS.Timeout | undefined = undefined;

  constructor(source: ConfigurationSource) {
    this.source = source;
    this.context = this.#factoryContext();
  }

  /** To be called before each question: takes what the source has now. */
  refresh(): void {
    this.#updates.clear();
    for (const update of this.source.updates()) {
      const { kind, name } = update;
      let byName = this.#updates.get(kind);
      if (byName === undefined) this.#updates.set(kind, (byName = new Map()));
      byName.set(name, update);
    }
    clearTimeout(this.#forget);
    this.#forget = setTimeout(() => this.#forgetAll(), FORGET_MS).unref();
  }

  get listeners(): readonly ExplainedListener[] {
    const bound = this.source.boundAddresses();
    return this.#all('listener').map(({ name, bytes }) => {
      let message: Listener | undefined;
      return {
        name,
        bytes,
        // It may hold fifty thousand routes, which not everybody who asks looks at.
        get message() {
          return (message ??= decode(TYPE_NAMES.listener, bytes));
        },
        addresses: bound.get(name) ?? [],
      };
    });
  }

  /** Throws ConfigError. */
  listener(name: string): ListenerConfig {
    const { bytes } = this.#get('listener', name) as Update<'listener'>;
    return this.#cached(bytes, () => compileListener(decode(TYPE_NAMES.listener, bytes), this.context, ''));
  }

  /** The message that a chain was compiled from. */
  filterChain({ key }: FilterChainConfig): FilterChain {
    return decode('envoy.config.listener.v3.FilterChain', Buffer.from(key, 'latin1'));
  }

  /** Names of clusters, for the nearest one. */
  get clusterNames(): readonly string[] {
    return this.#all('cluster').map(({ name }) => name);
  }

  /** The cluster with its hosts as they are now. Throws ConfigError where it cannot be compiled. */
  cluster(name: string): ThreadLocalCluster | undefined {
    const update = this.#get('cluster', name) as Update<'cluster'> | undefined;
    if (update === undefined) return undefined;
    const endpoints = this.#get('endpoints', name) as Update<'endpoints'> | undefined;
    const before = this.#clusters.get(name);
    if (before?.update === update && before.endpoints === endpoints) {
      before.cluster.updateHealth();
      return before.cluster;
    }
    before?.cluster.drain();
    const cluster = this.#compileCluster(update, endpoints);
    this.#clusters.set(name, { update, endpoints, cluster });
    return cluster;
  }

  /** What a DNS cache knows of a host, by its key; undefined where nobody asks for it. */
  dnsHost(cache: string, key: string): CachedDnsHost | undefined {
    return (this.#get('dns_host', `${cache} ${key}`) as Update<'dns_host'> | undefined)?.host;
  }

  clusterMessage(name: string): Cluster | undefined {
    const update = this.#get('cluster', name) as Update<'cluster'> | undefined;
    return update && decode(TYPE_NAMES.cluster, update.bytes);
  }

  /** All route configurations by RDS. */
  get routeConfigurations(): readonly { readonly name: string; readonly message: RouteConfiguration }[] {
    return this.#all('route').map(({ bytes }) => {
      const message = decode(TYPE_NAMES.route, bytes);
      return { name: message.name, message };
    });
  }

  /** What `routes` were compiled from, as far as it is known: the chain has them inside, or they came by RDS. */
  routeMessage(chain: FilterChain, routes: CompiledRouteConfig): RouteConfiguration {
    const known = this.#messages.get(routes);
    if (known !== undefined) return known;
    const typed = chain.filters.at(-1)?.typed_config;
    const manager = typed && (decodeAny(typed).message as unknown as HttpConnectionManager);
    const { scoped_route_configurations_list: list } = manager?.scoped_routes ?? {};
    const scoped = list?.scoped_route_configurations.map((scope) => scope.route_configuration) ?? [];
    const inside = [manager?.route_config, ...scoped].find((each) => each?.name === routes.name);
    return inside ?? create(TYPE_NAMES.route, { name: routes.name });
  }

  /** As above, read when they are needed. */
  get routeSources(): readonly {
    readonly name: string;
    readonly key: Uint8Array;
    read(): RouteConfiguration;
  }[] {
    return this.#all('route').map(({ name, bytes }) => ({
      name,
      key: bytes,
      read: () => decode(TYPE_NAMES.route, bytes),
    }));
  }

  /** Of routes that are written into a connection manager: is there a version of them with discovered virtual hosts? */
  hasDiscoveredHosts(routes: RouteConfiguration): boolean {
    return routes.vhds !== undefined && this.#get('route', inlineRoutesKey(routes)) !== undefined;
  }

  /** What was made of `key` before, if somebody asked not long ago. */
  memo<T>(key: object, make: () => T): T {
    let made = this.#made.get(key) as T | undefined;
    if (made === undefined) this.#made.set(key, (made = make()));
    return made;
  }

  #all<K extends ResourceUpdate['kind']>(kind: K): Update<K>[] {
    return [...(this.#updates.get(kind)?.values() ?? [])] as Update<K>[];
  }

  #get(kind: ResourceUpdate['kind'], name: string): ResourceUpdate | undefined {
    return this.#updates.get(kind)?.get(name);
  }

  #cached<T>(bytes: Uint8Array, compile: () => T): T {
    let compiled = this.#compiled.get(bytes) as T | undefined;
    if (compiled === undefined) this.#compiled.set(bytes, (compiled = compile()));
    return compiled;
  }

  #forgetAll(): void {
    for (const { cluster } of this.#clusters.values()) cluster.drain();
    this.#clusters.clear();
    this.#compiled.clear();
    this.#made.clear();
    this.#updates.clear();
  }

  #compileCluster(update: Update<'cluster'>, endpoints: Update<'endpoints'> | undefined): ThreadLocalCluster {
    const message = decode(TYPE_NAMES.cluster, update.bytes);
    const config = compileCluster(message, this.context, '');
    const slot = tableSlot(this.source.breakers, update.circuitBreakerSlot);
    const cluster = new ThreadLocalCluster(config, this.context, slot, () => undefined);
    if (endpoints === undefined) return cluster;
    const assignment =
      endpoints.bytes === undefined ? message.load_assignment : decode(TYPE_NAMES.endpoints, endpoints.bytes);
    const { hosts } = this.source;
    cluster.updateHosts(compileLoadAssignment(assignment, ''), {
      number: (index) => endpoints.hostSlots[index] as number,
      slot: (index) => tableSlot(hosts, endpoints.hostSlots[index] as number),
    });
    return cluster;
  }

  #factoryContext(): FactoryContext {
    const { server, runtime, registry } = this.source;
    const environment = {
      server,
      runtime,
      registry,
      useStaticSecret: () => undefined,
      servingSecret: () => undefined,
      hasCluster: () => true,
    };
    return {
      ...mainFactoryContext(environment, false).context,
      clusterManager: { getCluster: (name) => this.cluster(name) },
      routeConfiguration: (rds) => this.#routes(rds as Rds),
      discoveredVirtualHosts: (config) => this.#inlineRoutes(config as RouteConfiguration),
      scopedRouteConfigurations: (config) => this.#scopes(config as ScopedRoutes),
      httpFilterConfiguration: (discovery, name) => this.#filter(discovery as ExtensionConfigSource, name),
      // Whose configuration it is: its files are nobody's business here.
      logFiles: { open: () => ({ write: () => undefined }) },
    };
  }

  /** A source may know the routes by their name alone. */
  #routes({ config_source, route_config_name: name }: Rds): Provider<RouteConfig> {
    const configuration = this;
    return {
      name,
      get current() {
        const found =
          configuration.#get('route', resourceKey(config_source, name)) ?? configuration.#get('route', name);
        if (found === undefined) return undefined;
        const { bytes } = found as Update<'route'>;
        return configuration.#routesOf(bytes);
      },
    };
  }

  /** With the virtual hosts that were discovered, where the source knows them. */
  #inlineRoutes(config: RouteConfiguration): Provider<RouteConfig> {
    const configuration = this;
    return {
      name: config.name,
      get current() {
        const found = configuration.#get('route', inlineRoutesKey(config)) as Update<'route'> | undefined;
        return configuration.#routesOf(found?.bytes ?? encode(TYPE_NAMES.route, config));
      },
    };
  }

  #routesOf(bytes: Uint8Array): RouteConfig {
    return this.#cached(bytes, () => {
      const message = decode(TYPE_NAMES.route, bytes);
      const options = { validateClusters: false, key: message.name };
      const routes = compileRouteConfiguration(message, this.context, '', options);
      this.#messages.set(routes, message);
      return routes;
    });
  }

  /** Of a collection of scopes by SRDS. */
  #scopes(config: ScopedRoutes): Provider<ReadonlyMap<string, RouteScope>> {
    const configuration = this;
    return {
      name: config.name,
      get current() {
        const found = configuration.#get('scoped_routes', scopedRoutesKey(config));
        if (found === undefined) return undefined;
        const { bytes } = found as Update<'scoped_routes'>;
        return configuration.memo(bytes, () => configuration.#compileScopes(bytes));
      },
    };
  }

  #compileScopes(bytes: Uint8Array): ReadonlyMap<string, RouteScope> {
    const { scoped_route_configurations_list: list, rds_config_source } = decode(SCOPED_ROUTES, bytes);
    return compileScopes(
      list?.scoped_route_configurations ?? [],
      (scope, path) =>
        inlineRoutesOf(scope, this.context, path) ??
        this.#routes({ config_source: rds_config_source, route_config_name: scope.route_configuration_name }),
      '',
    );
  }

  #filter(
    { config_source, default_config }: ExtensionConfigSource,
    name: string,
  ): Provider<HttpFilterConfig> {
    const configuration = this;
    return {
      name,
      get current() {
        const key = resourceKey(config_source, name);
        const found = configuration.#get('extension', key) ?? configuration.#get('extension', name);
        if (found === undefined && default_config === undefined) return undefined;
        const config: TypedExtensionConfig =
          found === undefined
            ? { name, typed_config: default_config }
            : decode('envoy.config.core.v3.TypedExtensionConfig', (found as Update<'extension'>).bytes);
        const { context } = configuration;
        const resolved = context.registry.resolve('envoy.filters.http', config.name, config.typed_config, '');
        return resolved.factory.compile(resolved.config, context, '', name);
      },
    };
  }
}

/** Route configurations of this build are of one class. */
export function compiledRoutes(routes: RouteConfig | undefined): CompiledRouteConfig | undefined {
  return routes instanceof CompiledRouteConfig ? routes : undefined;
}

function tableSlot(table: SharedTable, slot: number): TableSlot {
  return { table: table.view(slot), held: HELD, slot: SharedTable.offset(slot), number: slot };
}
