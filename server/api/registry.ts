// How an extension presents itself: a name, the proto types it reads, and a pure `compile` that turns a decoded message
// into a frozen runtime object, or throws ConfigError. `server/extensions/all_extensions.ts` is the list of all of them.
// Envoy: envoy/registry/registry.h, envoy/server/factory_context.h.

import type { AccessLog, AccessLogFilter } from './access_log.ts';
import type { DnsCache } from './dns_cache.ts';
import type { HttpFilterConfig } from './http/filter.ts';
import type { ListenerFilterConfig, NetworkFilterConfig } from './network/filter.ts';
import type {
  DownstreamTransportSocketFactory,
  UpstreamTransportSocketFactory,
} from './network/transport_socket.ts';
import type { RouteConfig, RouteDiscovery, RouteDiscoveryKind, RouteScope } from './router.ts';
import type { Runtime } from './runtime.ts';
import type { Secret, SecretKind } from './secret.ts';
import type { SharedCounter } from './shared_counter.ts';
import type { StatStore } from './stats.ts';
import type { Tracer, TracingProvider } from './tracing.ts';
import type { ClusterManager } from './upstream/cluster.ts';
import type { ClusterDiscovery, SubClusterDiscovery } from './upstream/cluster_discovery.ts';
import type { WorkloadMetadataProvider } from './workload_metadata.ts';

/** A google.protobuf.Any as protobufjs decodes it. */
export interface AnyMessage {
  type_url: string;
  value: Uint8Array;
}

/** A value that arrives or changes later (a secret, a route configuration, a filter's configuration). */
export interface Provider<T> {
  readonly name: string;
  /** Undefined until the first one came. Read it anew for every stream or handshake. */
  readonly current: T | undefined;
}

/** The process as configuration sees it. */
export interface ServerInfo {
  readonly nodeId: string;
  readonly nodeCluster: string;
  readonly locality: { readonly region: string; readonly zone: string; readonly subZone: string };
  /** The cluster that this proxy is a host of (bootstrap's cluster_manager.local_cluster_name), or ''. */
  readonly localClusterName: string;
  /** The bootstrap's tracing.http. */
  readonly defaultTracing: TracingProvider | undefined;
  /** node.metadata as plain JSON. */
  readonly nodeMetadata: Readonly<Record<string, unknown>>;
  /** This machine's first address that is not loopback (--local-address-ip-version), or loopback. */
  readonly localIp: string;
  /** Worker threads. */
  readonly concurrency: number;
  /** --file-flush-interval-msec (10,000) and --file-flush-min-size-kb (64). */
  readonly fileFlushIntervalMs: number;
  readonly fileFlushMinSizeBytes: number;
}

/** What `compile` functions may use. Pure on both threads: it opens no socket and starts no timer. */
export interface FactoryContext {
  readonly thread: 'main' | 'worker';
  readonly server: ServerInfo;
  readonly stats: StatStore;
  readonly runtime: Runtime;
  readonly registry: Registry;
  /** For use while traffic flows. Empty on the main thread. */
  readonly clusterManager: ClusterManager;
  /** Who peers are, by address. Knows nobody on the main thread and without the bootstrap extension that discovers workloads. */
  readonly workloads: WorkloadMetadataProvider;
  /**
   * A secret by SDS (`sds`, an SdsSecretConfig). On main, asking for it is what subscribes to it and makes the resource wait for it.
   * A static secret of the bootstrap is found by name when the SdsSecretConfig has no sds_config.
   */
  secret(sds: object, kind: SecretKind, path: string): Provider<Secret>;
  /** A route configuration by RDS (`rds`, an Rds message). */
  routeConfiguration(rds: object, path: string): Provider<RouteConfig>;
  /**
   * The routes of `config` (a RouteConfiguration with `vhds`, written into a connection manager) with the virtual hosts that are
   * discovered for it.
   */
  discoveredVirtualHosts(config: object, path: string): Provider<RouteConfig>;
  /** Routes that requests ask for. `owner` is the key of a route configuration or of a collection of scopes. */
  routeDiscovery(of: RouteDiscoveryKind, owner: string): RouteDiscovery;
  /** Scopes by SRDS (`scopedRoutes`, a ScopedRoutes message with `scoped_rds`), by their keys. */
  scopedRouteConfigurations(scopedRoutes: object, path: string): Provider<ReadonlyMap<string, RouteScope>>;
  /** A filter configuration by ECDS (`discovery`, an ExtensionConfigSource; `name`, the filter's). */
  httpFilterConfiguration(discovery: object, name: string, path: string): Provider<HttpFilterConfig>;
  /** Clusters by on-demand CDS (`source`, a ConfigSource). */
  clusterDiscovery(source: object, path: string): ClusterDiscovery;
  /** The clusters that are made for the hosts that requests to the cluster `parent` name. */
  subClusters(parent: string): SubClusterDiscovery;
  /** A counter that all workers have in common, as long as a configuration that asks for that name is in use. */
  sharedCounter(name: string): SharedCounter;
  /**
   * Zeroed memory that all workers have in common for what stands at `path`, as long as this version of the resource is in use.
   * Always the same for one path: ask for it once.
   */
  sharedMemory(path: string, bytes: number): SharedArrayBuffer;
  /** The cache of names that `config` (a DnsCacheConfig) describes; one for each name. On main, asking for it is what opens it. */
  dnsCache(config: object, path: string): DnsCache;
  /** What is being compiled. */
  readonly resource: CompiledResource;
  /** The tracer of `provider`, or of the bootstrap where that is undefined. Equal providers have one. Throws ConfigError. */
  tracer(provider: TracingProvider | undefined, path: string): Tracer | undefined;
  /** A cluster that must exist now (static configuration) or may come later (dynamic). Throws ConfigError in static configuration. */
  checkCluster(name: string, path: string): void;
  /** Opens (once per path) the log file for this thread; see common/access_log. */
  readonly logFiles: LogFileManager;
  /** Facts of the listener being compiled; undefined for clusters and for the bootstrap itself. */
  readonly listener: ListenerScope | undefined;
  /** `http.<stat_prefix>.` of the connection manager whose HTTP filters are being compiled; '' elsewhere. */
  readonly httpStatPrefix: string;
  /** `cluster.<alt_stat_name or name>.` of the cluster being compiled; '' elsewhere. */
  readonly clusterStatPrefix: string;
}

/** A resource, or a filter chain of a listener. */
export interface CompiledResource {
  /** Where it stands. */
  readonly path: string;
  /** Tells this version of it from all others, and is the same in all threads. Not cheap: asked when something is compiled. */
  id(): string;
}

/** The listener that a filter belongs to. */
export interface ListenerScope {
  readonly name: string;
  /** The `listener.<x>.` part of stat names: stat_prefix, or the address with `:` as `_`. */
  readonly statName: string;
  readonly trafficDirection: 'UNSPECIFIED' | 'INBOUND' | 'OUTBOUND';
  readonly metadata: Readonly<Record<string, unknown>> | undefined;
  /** Tells this version of the filter chain from all others; equal chains of a listener that is updated in place have one. */
  chainId(): string;
  /** True while the listener (or the whole server) drains: HTTP/1 answers with `connection: close`. Cheap: read per request. */
  draining(): boolean;
  readonly perConnectionBufferLimitBytes: number;
}

/** A file that access logs are appended to. Writes are gathered and flushed by time and size. */
export interface LogFile {
  write(line: string): void;
}
export interface LogFileManager {
  /** `/dev/stdout` and `/dev/stderr` are understood. Throws ConfigError when it cannot be opened. */
  open(path: string): LogFile;
}

/** What the list of extensions says about one of them: enough to find it, and to load it when a configuration does. */
export interface Extension<Category extends ExtensionCategory = ExtensionCategory> {
  readonly category: Category;
  /** Envoy's extension name, e.g. `envoy.filters.http.router`. */
  readonly name: string;
  /** Full proto names that select it, e.g. `envoy.extensions.filters.http.router.v3.Router`. */
  readonly configTypes: readonly string[];
  /** HTTP filters: types of typed_per_filter_config, where they differ from `configTypes`. */
  readonly routeConfigTypes: readonly string[] | undefined;
  /** Most configurations name few extensions, so the code of one is loaded with the first that does. Cheap when repeated. */
  load(): FactoryOf<Category>;
}

/** `config` is the decoded, validated message of one of `configTypes`; `path` where it stands, for ConfigError. */
export interface ListenerFilterFactory<C = never> {
  compile(config: C, context: FactoryContext, path: string): ListenerFilterConfig;
}
export interface NetworkFilterFactory<C = never> {
  compile(config: C, context: FactoryContext, path: string): NetworkFilterConfig;
}
/** `filterName` is the name in http_filters: per-route configuration is found by it. */
export interface HttpFilterFactory<C = never, R = never> {
  compile(config: C, context: FactoryContext, path: string, filterName: string): HttpFilterConfig;
  /** Names, below `http.<stat_prefix>.`, of the shared counters that a filter of this kind asks for. */
  readonly sharedCounters?: readonly string[];
  compileRoute?(config: R, context: FactoryContext, path: string): unknown;
}
export interface DownstreamTransportSocketExtension<C = never> {
  compile(config: C, context: FactoryContext, path: string): DownstreamTransportSocketFactory;
}
export interface UpstreamTransportSocketExtension<C = never> {
  compile(config: C, context: FactoryContext, path: string): UpstreamTransportSocketFactory;
}
export interface AccessLoggerFactory<C = never> {
  compile(config: C, filter: AccessLogFilter | undefined, context: FactoryContext, path: string): AccessLog;
}
/** `context` is not of one listener: listeners share tracers. */
export interface TracerFactory<C = never> {
  compile(config: C, context: FactoryContext, path: string): Tracer;
}
/** Extensions that only carry settings (request id, retry predicates, upstream options...): the owner of the category reads the result. */
export interface SettingsFactory<C = never> {
  compile(config: C, context: FactoryContext, path: string): unknown;
}
export type SettingsCategory =
  | 'envoy.request_id'
  | 'envoy.route.early_data_policy'
  | 'envoy.router.cluster_specifier_plugin'
  | 'envoy.retry_host_predicates'
  | 'envoy.retry_priorities'
  | 'envoy.internal_redirect_predicates'
  | 'envoy.path.match'
  | 'envoy.path.rewrite'
  | 'envoy.upstream_options'
  | 'envoy.access_loggers.extension_filters'
  | 'envoy.matching.inputs'
  | 'envoy.matching.input_matchers'
  | 'envoy.matching.actions'
  | 'envoy.formatter'
  | 'envoy.upstreams'
  | 'envoy.network.dns_resolver'
  | 'envoy.load_balancing_policies'
  | 'envoy.http.original_ip_detection'
  | 'envoy.http.stateful_header_formatters'
  | 'envoy.http.stateful_session'
  | 'envoy.bootstrap'
  | 'envoy.tracers.opentelemetry.resource_detectors'
  | 'envoy.tracers.opentelemetry.samplers'
  | 'envoy.filters.upstream_network'
  | 'envoy.http.header_validators'
  | 'envoy.compression.compressor';

/** Every kind of factory by its category. */
export interface FactoryByCategory {
  'envoy.filters.listener': ListenerFilterFactory;
  'envoy.filters.network': NetworkFilterFactory;
  'envoy.filters.http': HttpFilterFactory;
  'envoy.transport_sockets.downstream': DownstreamTransportSocketExtension;
  'envoy.transport_sockets.upstream': UpstreamTransportSocketExtension;
  'envoy.access_loggers': AccessLoggerFactory;
  'envoy.tracers': TracerFactory;
}
export type ExtensionCategory = keyof FactoryByCategory | SettingsCategory;
export type FactoryOf<Category extends ExtensionCategory> = Category extends keyof FactoryByCategory
  ? FactoryByCategory[Category]
  : SettingsFactory;

/** A resolved typed_config. `config` has been decoded (TypedStruct included) and validated. */
export interface ResolvedExtension<Category extends ExtensionCategory> {
  /** The extension's, which need not be the name in the configuration. */
  readonly name: string;
  readonly factory: FactoryOf<Category>;
  /** Decoded message of `typeName`; pass it to `factory.compile`. */
  readonly config: never;
  readonly typeName: string;
}

export interface Registry {
  /**
   * Finds the extension for a typed_config by its type (TypedStruct by the type it names), decodes and validates it.
   * Throws ConfigError naming extension, type and path when there is none, as Envoy's
   * "Didn't find a registered implementation for 'name' with type URL: 'type'".
   */
  resolve<Category extends ExtensionCategory>(
    category: Category,
    name: string,
    typedConfig: AnyMessage | undefined,
    path: string,
  ): ResolvedExtension<Category>;
  /** For per-route configuration: the HTTP filter whose `routeConfigTypes` or `configTypes` hold the type. Undefined when unknown. */
  resolveRoute(typedConfig: AnyMessage, path: string): ResolvedExtension<'envoy.filters.http'> | undefined;
  /** All extensions, for /help-like listings and the server_info's extension list. */
  readonly all: readonly Extension[];
}
