// The FactoryContext of a worker: what main has sent, by name, as holders whose content changes when an update comes.
// A compiled listener or cluster keeps the holder and reads it for each stream or handshake.

import { createRequire } from 'node:module';
import type {
  ConfigSource,
  ExtensionConfigSource,
  TypedExtensionConfig,
} from '../../xds-protos/generated/envoy/config/core/v3.ts';
import type { RouteConfiguration } from '../../xds-protos/generated/envoy/config/route/v3.ts';
import type { DnsCacheConfig } from '../../xds-protos/generated/envoy/extensions/common/dynamic_forward_proxy/v3.ts';
import type {
  Rds,
  ScopedRoutes,
} from '../../xds-protos/generated/envoy/extensions/filters/network/http_connection_manager/v3.ts';
import type { SdsSecretConfig } from '../../xds-protos/generated/envoy/extensions/transport_sockets/tls/v3.ts';
import { decode, encode } from '../../xds-protos/load.ts';
import type { HttpFilterConfig } from '../api/http/filter.ts';
import type { FactoryContext, LogFileManager, Provider, Registry, ServerInfo } from '../api/registry.ts';
import type { RouteConfig, RouteScope } from '../api/router.ts';
import type { Runtime } from '../api/runtime.ts';
import type { Secret } from '../api/secret.ts';
import type { SharedCounter } from '../api/shared_counter.ts';
import type { StatStore } from '../api/stats.ts';
import type { ClusterManager } from '../api/upstream/cluster.ts';
import type { WorkloadMetadataProvider } from '../api/workload_metadata.ts';
import { inlineRoutesKey, resourceKey, scopedRoutesKey } from '../common/config/resource_key.ts';
import { compiledResource, sharedMemoryName } from '../common/config/shared_memory_name.ts';
import { compileRouteConfiguration } from '../common/router/route_config.ts';
import { forgetRouteHits, openRouteHits } from '../common/router/route_hits.ts';
import { compileSecret } from '../common/secret/secret_config.ts';
import { TracerManager } from '../common/tracing/tracer_manager.ts';
import type { WorkerClusterDiscoveries } from './cluster_discoveries.ts';
import type { WorkerDnsCaches } from './dns_caches.ts';
import type { WorkerRouteDiscoveries } from './route_discoveries.ts';

// Few connection managers have scopes: loaded with the first.
const require = createRequire(import.meta.url);

class Holder<T> implements Provider<T> {
  readonly name: string;
  current: T | undefined = undefined;

  constructor(name: string) {
    this.name = name;
  }
}

/** An ECDS configuration compiles in the context of the filter chain that uses it, so each user has a holder of its own. */
class ExtensionHolder extends Holder<HttpFilterConfig> {
  readonly filterName: string;
  readonly context: FactoryContext;

  constructor(name: string, filterName: string, context: FactoryContext) {
    super(name);
    this.filterName = filterName;
    this.context = context;
  }
}

export interface WorkerEnvironment {
  readonly server: ServerInfo;
  readonly stats: StatStore;
  readonly runtime: Runtime;
  readonly registry: Registry;
  readonly clusterManager: ClusterManager;
  readonly workloads: WorkloadMetadataProvider;
  readonly logFiles: LogFileManager;
  sharedCounter(name: string): SharedCounter;
  readonly dnsCaches: WorkerDnsCaches;
  readonly clusterDiscoveries: WorkerClusterDiscoveries;
  readonly routeDiscoveries: WorkerRouteDiscoveries;
}

export class WorkerResources {
  readonly context: FactoryContext;
  private readonly secrets = new Map<string, Holder<Secret>>();
  private readonly routes = new Map<string, Holder<RouteConfig>>();
  private readonly scopes = new Map<string, Holder<ReadonlyMap<string, RouteScope>>>();
  private readonly memory = new Map<string, SharedArrayBuffer>();
  private readonly tracers = new TracerManager();
  private readonly extensions = new Map<string, TypedExtensionConfig>();
  /** Weak: a holder lives as long as the chain that reads it. */
  private readonly extensionUsers = new Map<string, Set<WeakRef<ExtensionHolder>>>();

  constructor(environment: WorkerEnvironment) {
    const resources = this;
    this.context = {
      thread: 'worker',
      ...environment,
      secret: (sds) => {
        const { name, sds_config } = sds as SdsSecretConfig;
        return holder(resources.secrets, resourceKey(sds_config, name));
      },
      routeConfiguration: (rds) => {
        const { route_config_name, config_source } = rds as Rds;
        return holder(resources.routes, resourceKey(config_source, route_config_name));
      },
      discoveredVirtualHosts: (config) =>
        holder(resources.routes, inlineRoutesKey(config as RouteConfiguration)),
      routeDiscovery: (of, owner) => environment.routeDiscoveries.of(of, owner),
      scopedRouteConfigurations: (scopedRoutes) =>
        holder(resources.scopes, scopedRoutesKey(scopedRoutes as ScopedRoutes)),
      httpFilterConfiguration(discovery, name) {
        const source = (discovery as ExtensionConfigSource).config_source as ConfigSource;
        return resources.extension(resourceKey(source, name), name, this, discovery as ExtensionConfigSource);
      },
      tracer(provider = environment.server.defaultTracing, path) {
        return provider && resources.tracers.getOrCreateTracer(provider, resources.context, path);
      },
      clusterDiscovery: (source) =>
        environment.clusterDiscoveries.of(resourceKey(source as ConfigSource, 'odcds')),
      subClusters: (parent) => environment.clusterDiscoveries.subClusters(parent),
      sharedMemory(path, bytes) {
        return resources.memory.get(sharedMemoryName(this.resource, path)) ?? new SharedArrayBuffer(bytes);
      },
      dnsCache(config) {
        return environment.dnsCaches.open(config as DnsCacheConfig, resources.context);
      },
      resource: { path: '', id: () => '' },
      checkCluster: () => {},
      listener: undefined,
      httpStatPrefix: '',
      clusterStatPrefix: '',
    };
  }

  applySecret(name: string, bytes: Uint8Array): void {
    holder(this.secrets, name).current = compileSecret(
      decode('envoy.extensions.transport_sockets.tls.v3.Secret', bytes),
      name,
    );
  }

  applyRoute(name: string, bytes: Uint8Array): void {
    const message = decode('envoy.config.route.v3.RouteConfiguration', bytes);
    const context = { ...this.context, resource: compiledResource('route', name, bytes) };
    const hits = openRouteHits(`route ${name}`, message.name, bytes);
    const options = { validateClusters: false, hits, key: name };
    holder(this.routes, name).current = compileRouteConfiguration(message, context, '', options);
  }

  applyScopedRoutes(name: string, bytes: Uint8Array): void {
    const config = decode('envoy.extensions.filters.network.http_connection_manager.v3.ScopedRoutes', bytes);
    const { compileScopes, inlineRoutesOf } =
      require('../common/router/scoped_routes.ts') as typeof import('../common/router/scoped_routes.ts');
    const scopes = config.scoped_route_configurations_list?.scoped_route_configurations ?? [];
    holder(this.scopes, name).current = compileScopes(
      scopes,
      (scope) => {
        const own = encode('envoy.config.route.v3.ScopedRouteConfiguration', scope);
        const resource = compiledResource('scope', `${name} ${scope.name}`, own);
        const inline = inlineRoutesOf(scope, { ...this.context, resource }, '');
        const { route_configuration_name: route } = scope;
        return inline ?? holder(this.routes, resourceKey(config.rds_config_source, route));
      },
      '',
    );
  }

  applySharedMemory(name: string, memory: SharedArrayBuffer): void {
    this.memory.set(name, memory);
  }

  applyExtension(name: string, bytes: Uint8Array): void {
    const message = decode('envoy.config.core.v3.TypedExtensionConfig', bytes);
    this.extensions.set(name, message);
    for (const reference of this.extensionUsers.get(name) ?? []) {
      const user = reference.deref();
      if (user === undefined) this.extensionUsers.get(name)?.delete(reference);
      else user.current = compileExtension(message, user);
    }
  }

  remove(resource: 'secret' | 'route' | 'scoped_routes' | 'extension' | 'shared_memory', name: string): void {
    if (resource === 'secret') this.secrets.delete(name);
    else if (resource === 'shared_memory') this.memory.delete(name);
    else if (resource === 'scoped_routes') this.scopes.delete(name);
    else if (resource === 'route') {
      this.routes.delete(name);
      forgetRouteHits(`route ${name}`);
    } else {
      this.extensions.delete(name);
      this.extensionUsers.delete(name);
    }
  }

  private extension(
    key: string,
    filterName: string,
    context: FactoryContext,
    discovery: ExtensionConfigSource,
  ): Provider<HttpFilterConfig> {
    const user = new ExtensionHolder(key, filterName, context);
    const users = this.extensionUsers.get(key) ?? new Set();
    users.add(new WeakRef(user));
    this.extensionUsers.set(key, users);
    const message = this.extensions.get(key);
    if (message !== undefined) user.current = compileExtension(message, user);
    else if (discovery.default_config !== undefined) {
      user.current = compileExtension({ name: filterName, typed_config: discovery.default_config }, user);
    }
    return user;
  }
}

function compileExtension(
  { name, typed_config }: TypedExtensionConfig,
  user: ExtensionHolder,
): HttpFilterConfig {
  const path = 'typed_config';
  const resource = compiledResource('extension', user.name, typed_config?.value ?? new Uint8Array(), path);
  const context = { ...user.context, resource };
  const resolved = context.registry.resolve('envoy.filters.http', name, typed_config, path);
  return resolved.factory.compile(resolved.config, context, path, user.filterName);
}

function holder<T>(map: Map<string, Holder<T>>, name: string): Holder<T> {
  let one = map.get(name);
  if (one === undefined) map.set(name, (one = new Holder<T>(name)));
  return one;
}
