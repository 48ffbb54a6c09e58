// The TCP proxy's configuration: envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.
// Follows Envoy's source/common/tcp_proxy/tcp_proxy.cc (Config).

import { createRequire } from 'node:module';
import type {
  TcpProxy_WeightedCluster,
  TcpProxy as TcpProxyMessage,
} from '../../../../../xds-protos/generated/envoy/extensions/filters/network/tcp_proxy/v3.ts';
import type { HashPolicy } from '../../../../../xds-protos/generated/envoy/type/v3.ts';
import { durationMs, wrapperValue } from '../../../../../xds-protos/well_known.ts';
import type { AccessLog } from '../../../../api/access_log.ts';
import { at, ConfigError } from '../../../../api/config_error.ts';
import type { NetworkFilter, NetworkFilterConfig } from '../../../../api/network/filter.ts';
import type { NetworkFilterFactory } from '../../../../api/registry.ts';
import type { StatBlock } from '../../../../api/stats.ts';
import type { StreamInfo } from '../../../../api/stream_info.ts';
import type { ClusterManager } from '../../../../api/upstream/cluster.ts';
import { compileAccessLogs } from '../../../../common/access_log/access_log_config.ts';
import { rejectOtherFields } from '../../../../common/config/handled_fields.ts';
import { dataPath, loadOnWorker } from '../../../../common/data_path.ts';
import { xxHash64 } from '../../../../common/hash/xx_hash_64.ts';
import { latin1Of } from '../../../../common/matcher/latin1.ts';
import { type PlainStruct, plainMetadata } from '../../../../common/router/metadata.ts';
import { TCP_PROXY_STATS } from '../../../../common/stats/families/tcp_proxy.ts';
import type { TcpProxy } from './tcp_proxy.ts';
import { compileTunneling, type Tunneling } from './tunneling.ts';

const require = createRequire(import.meta.url);
const tcpProxy = dataPath<typeof TcpProxy>(() => require('./tcp_proxy.ts').TcpProxy);

const HANDLED = new Set([
  'stat_prefix',
  'cluster',
  'weighted_clusters',
  'metadata_match',
  'idle_timeout',
  'access_log',
  'access_log_options',
  'access_log_flush_interval',
  'flush_access_log_on_connected',
  'max_connect_attempts',
  'backoff_options',
  'hash_policy',
  'tunneling_config',
  'max_downstream_connection_duration',
  'max_downstream_connection_duration_jitter_percentage',
]);
const LB_METADATA = 'envoy.lb';
/** Source: TcpProxy.idle_timeout, 1 h. */
const DEFAULT_IDLE_TIMEOUT_MS = 3_600_000;
/** Source: TcpProxy.max_connect_attempts. */
const DEFAULT_MAX_CONNECT_ATTEMPTS = 1;
/** Source: core.v3.BackoffStrategy.max_interval, ten times the base. */
const DEFAULT_MAX_BACKOFF_FACTOR = 10;

/** Where connections go. */
export interface TcpRoute {
  readonly clusterName: string;
  readonly metadataMatch: PlainStruct | undefined;
}

/** ms between connect attempts: random below an interval that doubles up to `maxMs`. */
export interface Backoff {
  readonly baseMs: number;
  readonly maxMs: number;
}

/** When the access log is written, besides the end of a connection. */
export interface AccessLogMoments {
  readonly onStart: boolean;
  readonly onConnected: boolean;
  /** ms; 0 = never. */
  readonly intervalMs: number;
}

/** What connections are hashed by for ring hash and Maglev. */
export type TcpHash = (info: StreamInfo) => bigint | undefined;

export class TcpProxyConfig implements NetworkFilterConfig {
  readonly isTerminal = true;
  readonly bulk = true;
  readonly stats: StatBlock;
  readonly clusterManager: ClusterManager;
  readonly routes: readonly TcpRoute[];
  /** Sums of the routes' weights, up to and with each. */
  readonly weightSums: readonly number[];
  readonly defaultMetadataMatch: PlainStruct | undefined;
  /** ms; 0 = none. */
  readonly idleTimeoutMs: number;
  readonly maxConnectAttempts: number;
  readonly backoff: Backoff | undefined;
  /** ms; 0 = unlimited. */
  readonly maxDurationMs: number;
  /** Up to so many percent of the maximum are added by chance. */
  readonly maxDurationJitterPercent: number;
  readonly hash: TcpHash | undefined;
  /** Connections go through requests, or undefined: they go as they are. */
  readonly tunneling: Tunneling | undefined;
  readonly accessLogs: readonly AccessLog[];
  readonly logMoments: AccessLogMoments;

  constructor(options: Omit<TcpProxyConfig, 'isTerminal' | 'bulk' | 'createFilter' | 'pickRoute'>) {
    this.stats = options.stats;
    this.clusterManager = options.clusterManager;
    this.routes = options.routes;
    this.weightSums = options.weightSums;
    this.defaultMetadataMatch = options.defaultMetadataMatch;
    this.idleTimeoutMs = options.idleTimeoutMs;
    this.maxConnectAttempts = options.maxConnectAttempts;
    this.backoff = options.backoff;
    this.maxDurationMs = options.maxDurationMs;
    this.maxDurationJitterPercent = options.maxDurationJitterPercent;
    this.hash = options.hash;
    this.tunneling = options.tunneling;
    this.accessLogs = options.accessLogs;
    this.logMoments = options.logMoments;
  }

  createFilter(): NetworkFilter {
    return new (tcpProxy())(this);
  }

  /** `random` in [0, 1). */
  pickRoute(random: number): TcpRoute {
    const { routes, weightSums } = this;
    if (routes.length === 1) return routes[0];
    const value = random * weightSums[weightSums.length - 1];
    let i = 0;
    while (weightSums[i] <= value) i++;
    return routes[i];
  }
}

export const tcpProxyFactory: NetworkFilterFactory<TcpProxyMessage> = {
  compile(config, context, path) {
    rejectOtherFields(config, HANDLED, path);
    loadOnWorker(context, tcpProxy);
    const defaultMetadataMatch = plainMetadata(config.metadata_match)?.[LB_METADATA];
    const routes = compileRoutes(config, defaultMetadataMatch);
    return Object.freeze(
      new TcpProxyConfig({
        stats: context.stats.block(TCP_PROXY_STATS, `tcp.${config.stat_prefix}.`),
        clusterManager: context.clusterManager,
        routes,
        weightSums: sums(config.weighted_clusters),
        defaultMetadataMatch,
        idleTimeoutMs: durationMs(config.idle_timeout) ?? DEFAULT_IDLE_TIMEOUT_MS,
        maxConnectAttempts: wrapperValue(config.max_connect_attempts) ?? DEFAULT_MAX_CONNECT_ATTEMPTS,
        backoff: compileBackoff(config, path),
        maxDurationMs: durationMs(config.max_downstream_connection_duration) ?? 0,
        maxDurationJitterPercent: config.max_downstream_connection_duration_jitter_percentage?.value ?? 0,
        hash: config.hash_policy.length === 0 ? undefined : compileHash(config.hash_policy[0]),
        tunneling: compileTunneling(config.tunneling_config, context, at(path, 'tunneling_config')),
        accessLogs: compileAccessLogs(config.access_log, context, at(path, 'access_log')),
        logMoments: compileLogMoments(config, path),
      }),
    );
  },
};

function compileRoutes(config: TcpProxyMessage, metadataMatch: PlainStruct | undefined): readonly TcpRoute[] {
  if (config.weighted_clusters === undefined) return [{ clusterName: config.cluster ?? '', metadataMatch }];
  return config.weighted_clusters.clusters.map(({ name, metadata_match }) => {
    const own = plainMetadata(metadata_match)?.[LB_METADATA];
    return {
      clusterName: name,
      metadataMatch: own === undefined ? metadataMatch : { ...metadataMatch, ...own },
    };
  });
}

function sums(weighted: TcpProxy_WeightedCluster | undefined): readonly number[] {
  let sum = 0;
  return weighted?.clusters.map(({ weight }) => (sum += weight)) ?? [];
}

function compileBackoff({ backoff_options: options }: TcpProxyMessage, path: string): Backoff | undefined {
  if (options === undefined) return undefined;
  const baseMs = durationMs(options.base_interval) ?? 0;
  const maxMs = durationMs(options.max_interval) ?? baseMs * DEFAULT_MAX_BACKOFF_FACTOR;
  if (maxMs < baseMs) {
    throw new ConfigError(
      at(path, 'backoff_options.max_interval'),
      'max_backoff_interval must be greater or equal to base_backoff_interval',
    );
  }
  return { baseMs, maxMs };
}

function compileHash({ source_ip, filter_state }: HashPolicy): TcpHash | undefined {
  if (source_ip !== undefined) {
    return ({ remoteAddress: { ip } }) => (ip === '' ? undefined : xxHash64(ip));
  }
  const key = filter_state!.key;
  return (info) => {
    const object = info.filterState.get(key);
    return object && xxHash64(latin1Of(object.serializeAsString()));
  };
}

/** `access_log_options`, or the two deprecated fields that it replaced. */
function compileLogMoments(config: TcpProxyMessage, path: string): AccessLogMoments {
  const options = config.access_log_options;
  if (options !== undefined) {
    for (const field of ['access_log_flush_interval', 'flush_access_log_on_connected'] as const) {
      if (config[field] !== undefined && config[field] !== false)
        throw new ConfigError(
          at(path, field),
          `Only one of ${field} or access_log_options can be specified.`,
        );
    }
  }
  const { flush_access_log_on_connected, access_log_flush_interval } = options ?? config;
  return {
    onStart: options?.flush_access_log_on_start ?? false,
    onConnected: flush_access_log_on_connected,
    intervalMs: durationMs(access_log_flush_interval) ?? 0,
  };
}
