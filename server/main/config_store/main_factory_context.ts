// The FactoryContext of the main thread: a dry run of a resource's `compile` collects what the resource depends on. The
// watches start only when the whole resource has compiled, so that a rejected one asks the control plane for nothing.

import { closeSync, openSync } from 'node:fs';
import type {
  ConfigSource,
  ExtensionConfigSource,
} from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import type { RouteConfiguration } from '../../../xds-protos/generated/envoy/config/route/v3.ts';
import type { DnsCacheConfig } from '../../../xds-protos/generated/envoy/extensions/common/dynamic_forward_proxy/v3.ts';
import type {
  Rds,
  ScopedRoutes,
} from '../../../xds-protos/generated/envoy/extensions/filters/network/http_connection_manager/v3.ts';
import type { SdsSecretConfig } from '../../../xds-protos/generated/envoy/extensions/transport_sockets/tls/v3.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { DnsCache } from '../../api/dns_cache.ts';
import type {
  CompiledResource,
  FactoryContext,
  LogFileManager,
  Registry,
  ServerInfo,
} from '../../api/registry.ts';
import type { RouteDiscovery } from '../../api/router.ts';
import type { Runtime } from '../../api/runtime.ts';
import type { SecretKind } from '../../api/secret.ts';
import type { SharedCounter } from '../../api/shared_counter.ts';
import type { StatBlock, StatSchema, StatStore } from '../../api/stats.ts';
import type { ClusterDiscovery, SubClusterDiscovery } from '../../api/upstream/cluster_discovery.ts';
import { inlineRoutesKey, resourceKey, scopedRoutesKey } from '../../common/config/resource_key.ts';
import { sharedMemoryName } from '../../common/config/shared_memory_name.ts';
import { pendingRequestsOf } from '../../common/dynamic_forward_proxy/pending_requests.ts';
import { compileTracer } from '../../common/tracing/tracer_manager.ts';

/** What a resource needs beside itself: a secret, route or filter configuration that it waits for, a counter. */
export type Dependency =
  | {
      readonly kind: 'secret';
      readonly name: string;
      readonly source: ConfigSource;
      readonly secret: SecretKind;
      readonly path: string;
    }
  | {
      readonly kind: 'route';
      readonly name: string;
      readonly source: ConfigSource;
      readonly statPrefix: string;
      readonly path: string;
    }
  | {
      readonly kind: 'virtual_hosts';
      readonly key: string;
      readonly config: RouteConfiguration;
      readonly path: string;
    }
  | {
      readonly kind: 'extension';
      readonly name: string;
      readonly source: ConfigSource;
      readonly discovery: ExtensionConfigSource;
      readonly path: string;
    }
  | {
      readonly kind: 'scoped_routes';
      readonly key: string;
      readonly source: ConfigSource;
      readonly config: ScopedRoutes;
      readonly statPrefix: string;
      readonly path: string;
    }
  | {
      readonly kind: 'cluster_discovery';
      readonly key: string;
      readonly source: ConfigSource;
      readonly path: string;
    }
  | { readonly kind: 'shared_counter'; readonly name: string }
  | { readonly kind: 'dns_cache'; readonly config: DnsCacheConfig; readonly path: string }
  | { readonly kind: 'shared_memory'; readonly name: string; readonly bytes: number };

/** What all dry runs have in common. */
export interface CompileEnvironment {
  readonly server: ServerInfo;
  readonly runtime: Runtime;
  readonly registry: Registry;
  /** Takes a static secret into use. Throws ConfigError when there is none of that name and kind, or when it is not valid. */
  useStaticSecret(name: string, kind: SecretKind, path: string): void;
  /** A secret that serves now, by its key: the Secret message's bytes. */
  servingSecret(key: string): Uint8Array | undefined;
  /** Is there a cluster of that name, active or warming? */
  hasCluster(name: string): boolean;
}

export interface DryRun {
  readonly context: FactoryContext;
  /** Filled while `compile` runs. */
  readonly dependencies: readonly Dependency[];
}

/** A plain object, not a class: compilers spread it to add the listener they compile. */
export function mainFactoryContext(
  environment: CompileEnvironment,
  isStatic: boolean,
  resource: CompiledResource = NAMELESS,
): DryRun {
  const dependencies: Dependency[] = [];
  const context: FactoryContext = {
    thread: 'main',
    server: environment.server,
    stats: SCRATCH_STATS,
    runtime: environment.runtime,
    registry: environment.registry,
    clusterManager: { getCluster: () => undefined },
    workloads: { getMetadata: () => undefined },
    secret: (sds, kind, path) => {
      const { name, sds_config: source } = sds as SdsSecretConfig;
      if (source === undefined) environment.useStaticSecret(name, kind, path);
      else dependencies.push({ kind: 'secret', name, source, secret: kind, path: at(path, 'sds_config') });
      return { name: resourceKey(source, name), current: undefined };
    },
    // `this` is the context of the connection manager, which has its own httpStatPrefix.
    routeConfiguration(rds, path) {
      const { route_config_name: name, config_source: source } = rds as Rds;
      if (source === undefined) throw new ConfigError(at(path, 'config_source'), 'value is required');
      const statPrefix = this.httpStatPrefix;
      dependencies.push({ kind: 'route', name, source, statPrefix, path: at(path, 'config_source') });
      return { name: resourceKey(source, name), current: undefined };
    },
    discoveredVirtualHosts: (message, path) => {
      const config = message as RouteConfiguration;
      const key = inlineRoutesKey(config);
      dependencies.push({ kind: 'virtual_hosts', key, config, path });
      return { name: key, current: undefined };
    },
    routeDiscovery: () => NO_ROUTE_DISCOVERY,
    scopedRouteConfigurations(scopedRoutes, path) {
      const config = scopedRoutes as ScopedRoutes;
      const where = at(path, 'scoped_rds.scoped_rds_config_source');
      const source = config.scoped_rds?.scoped_rds_config_source;
      if (source === undefined) throw new ConfigError(where, 'value is required');
      const key = scopedRoutesKey(config);
      const statPrefix = this.httpStatPrefix;
      dependencies.push({ kind: 'scoped_routes', key, source, config, statPrefix, path: where });
      return { name: key, current: undefined };
    },
    httpFilterConfiguration: (discovery, name, path) => {
      const { config_source: source } = discovery as ExtensionConfigSource;
      if (source === undefined) throw new ConfigError(at(path, 'config_source'), 'value is required');
      dependencies.push({
        kind: 'extension',
        name,
        source,
        discovery: discovery as ExtensionConfigSource,
        path: at(path, 'config_source'),
      });
      return { name: resourceKey(source, name), current: undefined };
    },
    sharedCounter: (name) => {
      dependencies.push({ kind: 'shared_counter', name });
      return SCRATCH_COUNTER;
    },
    clusterDiscovery: (config, path) => {
      const source = config as ConfigSource;
      dependencies.push({ kind: 'cluster_discovery', key: resourceKey(source, 'odcds'), source, path });
      return NO_DISCOVERY;
    },
    subClusters: () => NO_SUB_CLUSTERS,
    sharedMemory(path, bytes) {
      dependencies.push({ kind: 'shared_memory', name: sharedMemoryName(this.resource, path), bytes });
      return new SharedArrayBuffer(bytes);
    },
    resource,
    dnsCache(config, path) {
      dependencies.push({ kind: 'dns_cache', config: config as DnsCacheConfig, path });
      this.sharedCounter(pendingRequestsOf((config as DnsCacheConfig).name));
      return UNUSED_DNS_CACHE;
    },
    tracer(provider = environment.server.defaultTracing, path) {
      return provider && compileTracer(provider, context, path);
    },
    checkCluster: (name, path) => {
      if (isStatic && !environment.hasCluster(name)) throw new ConfigError(path, `unknown cluster '${name}'`);
    },
    logFiles: CHECKED_LOG_FILES,
    listener: undefined,
    httpStatPrefix: '',
    clusterStatPrefix: '',
  };
  return { context, dependencies };
}

const NO_ROUTE_DISCOVERY: RouteDiscovery = { request: () => () => undefined };
const NO_DISCOVERY: ClusterDiscovery = { request: () => undefined, cancel: () => undefined };
const NO_SUB_CLUSTERS: SubClusterDiscovery = { ...NO_DISCOVERY, touch: () => undefined };

/** Of what has no memory to share: clusters, the bootstrap. */
const NAMELESS: CompiledResource = { path: '', id: () => '' };

/** Opens a log file as the workers will, to find out whether they can, and closes it. */
const CHECKED_LOG_FILES: LogFileManager = {
  open(path) {
    if (path !== '/dev/stdout' && path !== '/dev/stderr') {
      try {
        closeSync(openSync(path, 'a'));
      } catch (error) {
        throw new ConfigError('', `unable to open file '${path}': ${(error as Error).message}`);
      }
    }
    return { write: () => undefined };
  },
};

/** Dry runs make no stats: the workers, who count, make them. */
class ScratchStatStore implements StatStore {
  readonly evictions = 0;
  #values = new Float64Array(64);

  block<Name extends string>(schema: StatSchema<Name>, prefix: string): StatBlock<Name> {
    const size = schema.definitions.length;
    if (size > this.#values.length) this.#values = new Float64Array(size);
    return { prefix, schema, values: this.#values, base: 0, record: () => undefined };
  }
  release(): void {}
  counter(): { add(n: number): void } {
    return { add: () => undefined };
  }
  gauge(): { set(value: number): void; add(n: number): void } {
    return { set: () => undefined, add: () => undefined };
  }
  histogram(): { record(value: number): void } {
    return { record: () => undefined };
  }
  textReadout(): void {}
}

/** Nothing flows through the main thread. */
const UNUSED_DNS_CACHE: DnsCache = {
  name: '',
  get: () => undefined,
  has: () => false,
  load: () => 'host_overflow',
};
const SCRATCH_COUNTER: SharedCounter = {
  value: 0,
  tryAcquire: () => true,
  release: () => undefined,
  offer: () => true,
  adopt: () => undefined,
};
const SCRATCH_STATS: StatStore = new ScratchStatStore();
