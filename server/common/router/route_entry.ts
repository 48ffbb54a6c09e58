// A route that forwards to a cluster, compiled: RouteAction of envoy.config.route.v3 with what it inherits.
// Envoy: RouteEntryImplBase in source/common/router/config_impl.cc.

import type { RequestHeaderMap } from '../../api/http/header_map.ts';
import type { RouteRateLimits } from '../../api/rate_limit.ts';
import type {
  ConnectConfig,
  InternalRedirectPolicy,
  RequestStats,
  RetryPolicy,
  RouteEntry,
  ShadowPolicy,
} from '../../api/router.ts';
import type { FilterStateObject, StreamInfo } from '../../api/stream_info.ts';
import type { Priority } from '../../api/upstream/cluster.ts';
import { getPortStart } from '../http/path_utility.ts';
import type { HashPolicy } from './hash_policy.ts';
import type { HeaderParser } from './header_parser.ts';
import type { HostRewrite } from './host_rewrite.ts';
import type { PathRewrite } from './path_rewrite.ts';
import type { VirtualClusters } from './virtual_cluster.ts';

/** The filter state in which the connection manager keeps the port it stripped from a CONNECT request's host. */
export const ORIGINAL_CONNECT_PORT = 'envoy.router.original_connect_port';

/** The plain values of a RouteEntry. */
type Values = Omit<
  RouteEntry,
  'clusterName' | 'upgradeEnabled' | 'hashKey' | 'finalizeRequestHeaders' | 'requestStats'
>;

export interface RouteEntrySettings extends Values {
  /** '' when `clusterHeader` says, or when the route forwards nowhere. */
  readonly cluster: string;
  readonly clusterHeader: string;
  readonly upgrades: ReadonlyMap<string, boolean>;
  readonly hashPolicy: HashPolicy | undefined;
  readonly virtualClusters: VirtualClusters;
  /** By place of the virtual cluster. */
  readonly requestStats: readonly (readonly RequestStats[])[];
  /** The chosen weighted cluster's own mutations and host, applied before the route's. */
  readonly weightedParser: HeaderParser | undefined;
  readonly weightedHost: string;
  /** In the order in which they apply. */
  readonly requestParsers: readonly HeaderParser[];
  readonly hostRewrite: HostRewrite | undefined;
  readonly pathRewrite: PathRewrite | undefined;
}

export class CompiledRouteEntry implements RouteEntry {
  readonly clusterNotFoundResponseCode: number;
  readonly priority: Priority;
  readonly timeoutMs: number;
  readonly idleTimeoutMs: number | undefined;
  readonly flushTimeoutMs: number | undefined;
  readonly maxStreamDurationMs: number | undefined;
  readonly grpcTimeoutHeaderMaxMs: number | undefined;
  readonly grpcTimeoutHeaderOffsetMs: number;
  readonly maxGrpcTimeoutMs: number | undefined;
  readonly grpcTimeoutOffsetMs: number;
  readonly retryPolicy: RetryPolicy | undefined;
  readonly shadowPolicies: readonly ShadowPolicy[];
  readonly internalRedirectPolicy: InternalRedirectPolicy | undefined;
  readonly includeAttemptCountInRequest: boolean;
  readonly includeAttemptCountInResponse: boolean;
  readonly includeTimeoutRetryHeader: boolean;
  readonly hedgeOnPerTryTimeout: boolean;
  readonly connectConfig: ConnectConfig | undefined;
  readonly metadataMatch: Readonly<Record<string, unknown>> | undefined;
  readonly autoHostRewrite: boolean;
  readonly appendXForwardedHost: boolean;
  readonly requestBodyBufferLimit: number | undefined;
  readonly rateLimits: RouteRateLimits | undefined;
  private readonly cluster: string;
  private readonly clusterHeader: string;
  private readonly upgrades: ReadonlyMap<string, boolean>;
  private readonly hashPolicy: HashPolicy | undefined;
  private readonly virtualClusters: VirtualClusters;
  private readonly statsByVirtualCluster: readonly (readonly RequestStats[])[];
  private readonly weightedParser: HeaderParser | undefined;
  private readonly weightedHost: string;
  private readonly requestParsers: readonly HeaderParser[];
  private readonly hostRewrite: HostRewrite | undefined;
  private readonly pathRewrite: PathRewrite | undefined;

  constructor(settings: RouteEntrySettings) {
    // One by one: an object filled in a loop is a hash table to V8, and every field of it a lookup on the request's path.
    this.clusterNotFoundResponseCode = settings.clusterNotFoundResponseCode;
    this.priority = settings.priority;
    this.timeoutMs = settings.timeoutMs;
    this.idleTimeoutMs = settings.idleTimeoutMs;
    this.flushTimeoutMs = settings.flushTimeoutMs;
    this.maxStreamDurationMs = settings.maxStreamDurationMs;
    this.grpcTimeoutHeaderMaxMs = settings.grpcTimeoutHeaderMaxMs;
    this.grpcTimeoutHeaderOffsetMs = settings.grpcTimeoutHeaderOffsetMs;
    this.maxGrpcTimeoutMs = settings.maxGrpcTimeoutMs;
    this.grpcTimeoutOffsetMs = settings.grpcTimeoutOffsetMs;
    this.retryPolicy = settings.retryPolicy;
    this.shadowPolicies = settings.shadowPolicies;
    this.internalRedirectPolicy = settings.internalRedirectPolicy;
    this.includeAttemptCountInRequest = settings.includeAttemptCountInRequest;
    this.includeAttemptCountInResponse = settings.includeAttemptCountInResponse;
    this.includeTimeoutRetryHeader = settings.includeTimeoutRetryHeader;
    this.hedgeOnPerTryTimeout = settings.hedgeOnPerTryTimeout;
    this.connectConfig = settings.connectConfig;
    this.metadataMatch = settings.metadataMatch;
    this.autoHostRewrite = settings.autoHostRewrite;
    this.appendXForwardedHost = settings.appendXForwardedHost;
    this.requestBodyBufferLimit = settings.requestBodyBufferLimit;
    this.rateLimits = settings.rateLimits;
    this.cluster = settings.cluster;
    this.clusterHeader = settings.clusterHeader;
    this.upgrades = settings.upgrades;
    this.hashPolicy = settings.hashPolicy;
    this.virtualClusters = settings.virtualClusters;
    this.statsByVirtualCluster = settings.requestStats;
    this.weightedParser = settings.weightedParser;
    this.weightedHost = settings.weightedHost;
    this.requestParsers = settings.requestParsers;
    this.hostRewrite = settings.hostRewrite;
    this.pathRewrite = settings.pathRewrite;
    Object.freeze(this);
  }

  clusterName(headers: RequestHeaderMap): string {
    return this.clusterHeader === '' ? this.cluster : (headers.get(this.clusterHeader) ?? '');
  }

  upgradeEnabled(name: string): boolean | undefined {
    return this.upgrades.get(name);
  }

  hashKey(headers: RequestHeaderMap, info: StreamInfo, setCookies?: string[]): bigint | undefined {
    return this.hashPolicy?.generateHash(headers, info, setCookies);
  }

  requestStats(headers: RequestHeaderMap, info: StreamInfo): readonly RequestStats[] {
    const { all } = this.virtualClusters;
    const index = all.length === 0 ? 0 : this.virtualClusters.indexOf(headers);
    if (all.length !== 0) info.virtualClusterName = all[index].name;
    return this.statsByVirtualCluster[index];
  }

  finalizeRequestHeaders(
    headers: RequestHeaderMap,
    info: StreamInfo,
    insertEnvoyOriginalPath: boolean,
  ): void {
    this.weightedParser?.evaluateRequestHeaders(headers, info);
    if (this.weightedHost !== '') headers.host = this.weightedHost;
    const parsers = this.requestParsers;
    for (let i = 0; i < parsers.length; i++) parsers[i].evaluateRequestHeaders(headers, info);
    if (headers.method === 'CONNECT') restorePort(headers, info.filterState?.get(ORIGINAL_CONNECT_PORT));
    this.hostRewrite?.rewrite(headers, info, insertEnvoyOriginalPath);
    if (this.pathRewrite !== undefined) rewritePath(headers, this.pathRewrite, insertEnvoyOriginalPath, info);
  }
}

/** Replaces the path, keeping the old one in x-envoy-original-path where asked. */
export function rewritePath(
  headers: RequestHeaderMap,
  pathRewrite: PathRewrite,
  insertOriginal: boolean,
  info?: StreamInfo,
): void {
  const path = pathRewrite.rewrite(headers.path, headers, info);
  if (path === undefined) return;
  if (insertOriginal) headers.set('x-envoy-original-path', headers.path);
  headers.path = path;
}

function restorePort(headers: RequestHeaderMap, port: FilterStateObject | undefined): void {
  const host = headers.host ?? '';
  if (port !== undefined && getPortStart(host) < 0) headers.host = `${host}:${port.serializeAsString()}`;
}
