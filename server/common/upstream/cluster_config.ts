// Compiles a Cluster: everything about it that does not depend on its hosts. Main compiles to ACK or NACK, workers to run.
// Follows Envoy's ClusterInfoImpl (source/common/upstream/upstream_impl.cc); document: config.cluster.v3.Cluster.

import { createRequire } from 'node:module';
import type {
  CircuitBreakers_Thresholds,
  Cluster as ClusterMessage,
} from '../../../xds-protos/generated/envoy/config/cluster/v3.ts';
import type { MetadataKey as MetadataKeyMessage } from '../../../xds-protos/generated/envoy/type/metadata/v3.ts';
import { durationMs, wrapperValue } from '../../../xds-protos/well_known.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { DnsCache } from '../../api/dns_cache.ts';
import type { NetworkFilterConfig } from '../../api/network/filter.ts';
import type { FactoryContext } from '../../api/registry.ts';
import type { Address } from '../../api/stream_info.ts';
import type { SubClusterDiscovery } from '../../api/upstream/cluster_discovery.ts';
import { rejectOtherFields } from '../config/handled_fields.ts';
import { compileHttp1Settings, type Http1Settings } from '../http/http1/settings.ts';
import { statefulFormatterResolver } from '../http/http1/stateful_formatter.ts';
import { compileLoadBalancer, type LoadBalancerConfig } from '../load_balancing/load_balancer_config.ts';
import type { TcpKeepalive } from '../network/tcp_keepalive.ts';
import { type ClusterDiscovery, type ClusterType, clusterDiscovery } from './cluster_discovery.ts';
import { compileHealthCheck, type HealthCheckConfig } from './health_check_config.ts';
import { compileHttpOptions, type HttpOptions } from './http_protocol_options.ts';
import { type FilterMetadata, filterMetadata } from './metadata.ts';
import { compileOutlierDetection, type OutlierDetectionConfig } from './outlier_detection_config.ts';
import { overrideHostStatuses } from './override_host.ts';
import { DEFAULT_THRESHOLDS, type Thresholds } from './resource_manager.ts';
import { compileTransportSockets, type TransportSocketMatcher } from './transport_socket_matcher.ts';
import {
  compileBindConfig,
  compileConnectionOptions,
  compileHappyEyeballs,
  type HappyEyeballsConfig,
} from './upstream_connection_options.ts';

/** Source: Cluster.connect_timeout, 5 s. */
const require = createRequire(import.meta.url);

const DEFAULT_CONNECT_TIMEOUT_MS = 5000;
/** Source: Cluster.per_connection_buffer_limit_bytes, 1 MiB. */
const DEFAULT_BUFFER_LIMIT_BYTES = 1_048_576;
/** Source: Cluster.CommonLbConfig.healthy_panic_threshold, 50 %. */
const DEFAULT_PANIC_PERCENT = 50;
/** Source: Cluster.CommonLbConfig.update_merge_window. */
const DEFAULT_UPDATE_MERGE_WINDOW_MS = 1000;
/** Source: Cluster.cleanup_interval, 5 s. */
const DEFAULT_CLEANUP_INTERVAL_MS = 5000;

const HANDLED = new Set([
  'name',
  'alt_stat_name',
  'type',
  'cluster_type',
  'eds_cluster_config',
  'connect_timeout',
  'per_connection_buffer_limit_bytes',
  'lb_policy',
  'load_assignment',
  'max_requests_per_connection',
  'circuit_breakers',
  'http_protocol_options',
  'http2_protocol_options',
  'protocol_selection',
  'common_http_protocol_options',
  'upstream_http_protocol_options',
  'typed_extension_protocol_options',
  'dns_refresh_rate',
  'dns_failure_refresh_rate',
  'respect_dns_ttl',
  'dns_lookup_family',
  'dns_resolvers',
  'use_tcp_for_dns_lookups',
  'dns_resolution_config',
  'typed_dns_resolver_config',
  'wait_for_warm_on_init',
  'dns_jitter',
  'cleanup_interval',
  'upstream_bind_config',
  'transport_socket',
  'transport_socket_matches',
  'metadata',
  'common_lb_config',
  'upstream_connection_options',
  'filters',
  'load_balancing_policy',
  'least_request_lb_config',
  'round_robin_lb_config',
  'ring_hash_lb_config',
  'maglev_lb_config',
  'lb_subset_config',
  'outlier_detection',
  'health_checks',
  'ignore_health_on_host_removal',
  'original_dst_lb_config',
  'preconnect_policy',
  'connection_pool_per_downstream_connection',
]);
const COMMON_LB_FIELDS = new Set([
  'healthy_panic_threshold',
  // It merges changes of health. What a control plane sends is applied at once.
  'update_merge_window',
  'ignore_new_hosts_until_first_hc',
  'close_connections_on_host_set_change',
  'zone_aware_lb_config',
  'locality_weighted_lb_config',
  'consistent_hashing_lb_config',
  'override_host_status',
]);
const BREAKER_FIELDS = new Set(['thresholds', 'per_host_thresholds']);
const PER_HOST_FIELDS = new Set(['priority', 'max_connections']);
const THRESHOLD_FIELDS = new Set([
  'priority',
  'max_connections',
  'max_pending_requests',
  'max_requests',
  'max_retries',
  'max_connection_pools',
  'track_remaining',
  'retry_budget',
]);
const PRECONNECT_FIELDS = new Set(['per_upstream_preconnect_ratio', 'predictive_preconnect_ratio']);
const FORWARD_PROXY_FIELDS = new Set([
  'dns_cache_config',
  'sub_clusters_config',
  'allow_insecure_cluster_options',
]);
const ORIGINAL_DST_FIELDS = new Set([
  'use_http_header',
  'http_header_name',
  'upstream_port_override',
  'metadata_key',
]);

const WITHOUT_ASSIGNMENT: ReadonlySet<ClusterType> = new Set([
  'EDS',
  'ORIGINAL_DST',
  'AGGREGATE',
  'DYNAMIC_FORWARD_PROXY',
]);

/** A compiled Cluster. */
export interface ClusterConfig {
  readonly name: string;
  readonly altStatName: string;
  readonly statName: string;
  readonly type: ClusterType;
  /** Name asked for by EDS. */
  readonly edsServiceName: string;
  readonly connectTimeoutMs: number;
  readonly perConnectionBufferLimitBytes: number;
  readonly http: HttpOptions;
  readonly http1Settings: Http1Settings;
  /** Streams per host that connections are kept ready for, as a multiple of those that there are; 1 = just those. */
  readonly preconnectRatio: number;
  /** The same over all hosts: connections are made to those that the next requests will go to. */
  readonly predictivePreconnectRatio: number;
  readonly loadBalancer: LoadBalancerConfig;
  /** Percent of healthy hosts below which all hosts are used; 0 = never. */
  readonly panicPercent: number;
  readonly closeConnectionsOnHostSetChange: boolean;
  /** Clients' connections share none of ours. */
  readonly poolPerDownstreamConnection: boolean;
  /** Hosts that a request may be told to go to: bits `1 << HealthStatus`. */
  readonly overrideHostStatuses: number;
  readonly circuitBreakers: readonly [Thresholds, Thresholds];
  readonly transportSockets: TransportSocketMatcher;
  /** Do some connections to its hosts have TLS? */
  readonly isSecure: boolean;
  readonly bindAddress: Address | undefined;
  readonly tcpKeepalive: TcpKeepalive | undefined;
  readonly happyEyeballs: HappyEyeballsConfig;
  /** Network filters of upstream connections (Cluster.filters). */
  readonly filters: readonly NetworkFilterConfig[];
  /** ms in which changes of health become one; 0 = none do. */
  readonly updateMergeWindowMs: number;
  readonly outlierDetection: OutlierDetectionConfig | undefined;
  readonly healthCheck: HealthCheckConfig | undefined;
  readonly metadata: FilterMetadata | undefined;
  readonly originalDst: OriginalDstConfig | undefined;
  /** Names of the clusters that it balances over. */
  readonly aggregate: readonly string[] | undefined;
  /** Where a dynamic_forward_proxy cluster has its hosts from. */
  readonly dnsCache: DnsCache | undefined;
  /** Those of a dynamic_forward_proxy cluster that has a cluster for each host. */
  readonly subClusters: SubClustersConfig | undefined;
}

export interface SubClustersConfig {
  readonly discovery: SubClusterDiscovery;
  /** ms; a sub cluster that no request has used for so long goes. */
  readonly ttlMs: number;
}

export interface MetadataKey {
  readonly namespace: string;
  readonly path: readonly string[];
}

/** ORIGINAL_DST: where the client wanted to go. */
export interface OriginalDstConfig {
  /** Header that may name the host, or '' when only the connection's address counts. */
  readonly headerName: string;
  readonly portOverride: number | undefined;
  /** Where in the metadata of the request or of its connection the host may be. */
  readonly metadataKey: MetadataKey | undefined;
  /** ms after which an unused host is forgotten. */
  readonly cleanupIntervalMs: number;
}

/** Throws ConfigError at the first field that cannot be honoured. */
export function compileCluster(
  cluster: ClusterMessage,
  context: FactoryContext,
  path: string,
): ClusterConfig {
  rejectOtherFields(cluster, HANDLED, path);
  const discovery = clusterDiscovery(cluster, path);
  const { type } = discovery;
  checkType(cluster, discovery, path);
  const preconnect = cluster.preconnect_policy;
  if (preconnect !== undefined)
    rejectOtherFields(preconnect, PRECONNECT_FIELDS, at(path, 'preconnect_policy'));
  const common = cluster.common_lb_config;
  if (common !== undefined) rejectOtherFields(common, COMMON_LB_FIELDS, at(path, 'common_lb_config'));
  const http = withSafeNames(discovery, compileHttpOptions(cluster, context, path), cluster, path);
  const transportSockets = compileTransportSockets(
    cluster,
    http,
    context,
    `cluster.${statName(cluster)}.`,
    path,
  );
  return Object.freeze({
    name: cluster.name,
    altStatName: cluster.alt_stat_name,
    statName: statName(cluster),
    type,
    edsServiceName: cluster.eds_cluster_config?.service_name || cluster.name,
    connectTimeoutMs: durationMs(cluster.connect_timeout) ?? DEFAULT_CONNECT_TIMEOUT_MS,
    perConnectionBufferLimitBytes:
      wrapperValue(cluster.per_connection_buffer_limit_bytes) ?? DEFAULT_BUFFER_LIMIT_BYTES,
    http,
    http1Settings: compileHttp1Settings(
      http.http1,
      {
        maxHeadersKb: http.features.maxResponseHeadersKb,
        maxHeadersCount: http.features.maxHeadersCount,
        headersWithUnderscoresAction: 'ALLOW',
        streamErrorOnInvalidHttpMessage: false,
      },
      at(path, 'http_protocol_options'),
      statefulFormatterResolver(context),
    ),
    preconnectRatio: wrapperValue(preconnect?.per_upstream_preconnect_ratio) ?? 1,
    predictivePreconnectRatio: wrapperValue(preconnect?.predictive_preconnect_ratio) ?? 1,
    loadBalancer: compileLoadBalancer(cluster, discovery, context, path),
    poolPerDownstreamConnection: cluster.connection_pool_per_downstream_connection,
    closeConnectionsOnHostSetChange: common?.close_connections_on_host_set_change ?? false,
    overrideHostStatuses: overrideHostStatuses(common?.override_host_status),
    panicPercent: Math.trunc(
      common?.healthy_panic_threshold === undefined
        ? DEFAULT_PANIC_PERCENT
        : common.healthy_panic_threshold.value,
    ),
    circuitBreakers: compileCircuitBreakers(cluster, path),
    transportSockets,
    isSecure: transportSockets.isSecure,
    bindAddress: compileBindConfig(cluster.upstream_bind_config, at(path, 'upstream_bind_config')),
    tcpKeepalive: compileConnectionOptions(
      cluster.upstream_connection_options,
      at(path, 'upstream_connection_options'),
    ),
    happyEyeballs: compileHappyEyeballs(
      cluster.upstream_connection_options,
      at(path, 'upstream_connection_options'),
    ),
    filters: cluster.filters.map((filter, index) => {
      const where = at(at(path, 'filters'), index);
      const resolved = context.registry.resolve(
        'envoy.filters.network',
        filter.name,
        filter.typed_config,
        at(where, 'typed_config'),
      );
      return resolved.factory.compile(resolved.config, context, at(where, 'typed_config'));
    }),
    updateMergeWindowMs: durationMs(common?.update_merge_window) ?? DEFAULT_UPDATE_MERGE_WINDOW_MS,
    healthCheck: compileHealthCheck(cluster, http.features.upstreamProtocol !== 'http1', path),
    outlierDetection: compileOutlierDetection(cluster.outlier_detection, at(path, 'outlier_detection')),
    metadata: filterMetadata(cluster.metadata),
    originalDst: type === 'ORIGINAL_DST' ? compileOriginalDst(cluster, path) : undefined,
    aggregate: discovery.aggregate?.clusters,
    ...compileForwardProxy(discovery, context, cluster.name, path),
  });
}

/**
 * Hosts that clients name are held to their names: SNI and certificates are those of the request, unless the configuration
 * says something else, and then it has to say both or that it means to be insecure. Throws ConfigError.
 */
function withSafeNames(
  { forwardProxy }: ClusterDiscovery,
  http: HttpOptions,
  cluster: ClusterMessage,
  path: string,
): HttpOptions {
  if (forwardProxy === undefined) return http;
  const typed =
    cluster.typed_extension_protocol_options['envoy.extensions.upstreams.http.v3.HttpProtocolOptions'];
  if (typed === undefined && cluster.upstream_http_protocol_options === undefined)
    return { ...http, autoSni: true, autoSanValidation: true };
  if ((http.autoSni && http.autoSanValidation) || forwardProxy.allow_insecure_cluster_options) return http;
  throw new ConfigError(
    at(path, typed === undefined ? 'upstream_http_protocol_options' : 'typed_extension_protocol_options'),
    'dynamic_forward_proxy cluster must have auto_sni and auto_san_validation true unless allow_insecure_cluster_options is set.',
  );
}

/** The `<x>` of `cluster.<x>.`: colons would break statsd lines, so Envoy writes them as underscores. */
export function statName(cluster: { readonly name: string; readonly alt_stat_name: string }): string {
  return (cluster.alt_stat_name === '' ? cluster.name : cluster.alt_stat_name).replaceAll(':', '_');
}

/** Fields that contradict the type. Throws ConfigError with Envoy's words. */
function checkType(
  cluster: ClusterMessage,
  { type, providesLoadBalancer }: ClusterDiscovery,
  path: string,
): void {
  if (
    providesLoadBalancer !== (cluster.lb_policy === 'CLUSTER_PROVIDED') &&
    cluster.load_balancing_policy === undefined
  ) {
    const reason =
      type === 'ORIGINAL_DST'
        ? `cluster: LB policy ${cluster.lb_policy} is not valid for Cluster type ORIGINAL_DST. Only 'CLUSTER_PROVIDED' is allowed with cluster type 'ORIGINAL_DST'`
        : providesLoadBalancer
          ? `cluster manager: cluster provided LB not specified but cluster '${cluster.name}' provided one. Check cluster documentation.`
          : `cluster manager: cluster provided LB specified but cluster '${cluster.name}' did not provide one. Check cluster documentation.`;
    throw new ConfigError(at(path, 'lb_policy'), reason);
  }
  if (type === 'EDS' && cluster.eds_cluster_config?.eds_config === undefined) {
    throw new ConfigError(
      at(path, 'eds_cluster_config'),
      'cannot create an EDS cluster without an EDS config',
    );
  }
  if (type !== 'EDS' && cluster.eds_cluster_config !== undefined)
    throw new ConfigError(at(path, 'eds_cluster_config'), 'eds_cluster_config set in a non-EDS cluster');
  if (WITHOUT_ASSIGNMENT.has(type) && cluster.load_assignment !== undefined) {
    throw new ConfigError(
      at(path, 'load_assignment'),
      `${type} clusters must have no load assignment configured`,
    );
  }
}

function compileForwardProxy(
  { forwardProxy }: ClusterDiscovery,
  context: FactoryContext,
  name: string,
  path: string,
): Pick<ClusterConfig, 'dnsCache' | 'subClusters'> {
  if (forwardProxy === undefined) return { dnsCache: undefined, subClusters: undefined };
  const where = at(at(path, 'cluster_type'), 'typed_config');
  rejectOtherFields(forwardProxy, FORWARD_PROXY_FIELDS, where);
  const { dns_cache_config: cache, sub_clusters_config: own } = forwardProxy;
  if (own !== undefined) {
    const { compileSubClusters } =
      require('../dynamic_forward_proxy/sub_clusters_config.ts') as typeof import('../dynamic_forward_proxy/sub_clusters_config.ts');
    const { ttlMs } = compileSubClusters(own, at(where, 'sub_clusters_config'));
    return { dnsCache: undefined, subClusters: { discovery: context.subClusters(name), ttlMs } };
  }
  if (cache === undefined) throw new ConfigError(at(where, 'dns_cache_config'), 'value is required');
  return { dnsCache: context.dnsCache(cache, at(where, 'dns_cache_config')), subClusters: undefined };
}

/** Limits of the default and of the high priority. Throws ConfigError. */
export function compileCircuitBreakers(cluster: ClusterMessage, path: string): [Thresholds, Thresholds] {
  const result: [Thresholds, Thresholds] = [DEFAULT_THRESHOLDS, DEFAULT_THRESHOLDS];
  const breakers = cluster.circuit_breakers;
  if (breakers === undefined) return result;
  rejectOtherFields(breakers, BREAKER_FIELDS, at(path, 'circuit_breakers'));
  const where = at(path, 'circuit_breakers');
  const all = firstOfPriority(breakers.thresholds, THRESHOLD_FIELDS, at(where, 'thresholds'));
  const perHost = firstOfPriority(
    breakers.per_host_thresholds,
    PER_HOST_FIELDS,
    at(where, 'per_host_thresholds'),
  );
  for (const priority of [0, 1] as const)
    result[priority] = compileThresholds(all[priority], perHost[priority]);
  return result;
}

/** Of the default and of the high priority: Envoy takes the first of each. */
function firstOfPriority(
  list: readonly CircuitBreakers_Thresholds[],
  handled: ReadonlySet<string>,
  path: string,
): (CircuitBreakers_Thresholds | undefined)[] {
  for (const [i, thresholds] of list.entries()) rejectOtherFields(thresholds, handled, at(path, i));
  return [list.find(({ priority }) => priority !== 'HIGH'), list.find(({ priority }) => priority === 'HIGH')];
}

function compileThresholds(
  thresholds: CircuitBreakers_Thresholds | undefined,
  perHost: CircuitBreakers_Thresholds | undefined,
): Thresholds {
  if (thresholds === undefined && perHost === undefined) return DEFAULT_THRESHOLDS;
  const budget = thresholds?.retry_budget;
  return Object.freeze({
    maxConnections: wrapperValue(thresholds?.max_connections) ?? DEFAULT_THRESHOLDS.maxConnections,
    maxPendingRequests:
      wrapperValue(thresholds?.max_pending_requests) ?? DEFAULT_THRESHOLDS.maxPendingRequests,
    maxRequests: wrapperValue(thresholds?.max_requests) ?? DEFAULT_THRESHOLDS.maxRequests,
    maxRetries: wrapperValue(thresholds?.max_retries) ?? DEFAULT_THRESHOLDS.maxRetries,
    maxConnectionPools:
      wrapperValue(thresholds?.max_connection_pools) ?? DEFAULT_THRESHOLDS.maxConnectionPools,
    // Source: RetryBudget.budget_percent, 20 %.
    retryBudgetPercent: budget === undefined ? undefined : (budget.budget_percent?.value ?? 20),
    budgetIntervalMs: durationMs(budget?.budget_interval) ?? DEFAULT_THRESHOLDS.budgetIntervalMs,
    minRetryConcurrency:
      wrapperValue(budget?.min_retry_concurrency) ?? DEFAULT_THRESHOLDS.minRetryConcurrency,
    trackRemaining: thresholds?.track_remaining === true,
    maxConnectionsPerHost: wrapperValue(perHost?.max_connections) ?? DEFAULT_THRESHOLDS.maxConnectionsPerHost,
  });
}

function compileMetadataKey({ key, path }: MetadataKeyMessage): MetadataKey {
  return Object.freeze({ namespace: key, path: path.map((segment) => segment.key ?? '') });
}

function compileOriginalDst(cluster: ClusterMessage, path: string): OriginalDstConfig {
  const config = cluster.original_dst_lb_config;
  if (config !== undefined)
    rejectOtherFields(config, ORIGINAL_DST_FIELDS, at(path, 'original_dst_lb_config'));
  return Object.freeze({
    // Source: OriginalDstLbConfig.http_header_name, x-envoy-original-dst-host.
    headerName:
      config?.use_http_header === true ? config.http_header_name || 'x-envoy-original-dst-host' : '',
    portOverride: wrapperValue(config?.upstream_port_override),
    metadataKey: config?.metadata_key && compileMetadataKey(config.metadata_key),
    cleanupIntervalMs: durationMs(cluster.cleanup_interval) ?? DEFAULT_CLEANUP_INTERVAL_MS,
  });
}
