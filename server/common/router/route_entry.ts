// A route that forwards to a cluster, compiled: RouteAction of envoy.config.route.v3 with what it inherits.
// Envoy: RouteEntryImplBase in source/common/router/config_impl.cc.

import type { RequestHeaderMap } from '../../api/http/header_map.ts';
import type { RetryPolicy, RouteEntry, ShadowPolicy } from '../../api/router.ts';
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
  'clusterName' | 'upgradeEnabled' | 'hashKey' | 'finalizeRequestHeaders' | 'virtualClusterName'
>;

export interface RouteEntrySettings extends Values {
  /** '' when `clusterHeader` says, or when the route forwards nowhere. */
  readonly cluster: string;
  readonly clusterHeader: string;
  readonly upgrades: ReadonlyMap<string, boolean>;
  readonly hashPolicy: HashPolicy | undefined;
  readonly virtualClusters: VirtualClusters;
  /** The chosen weighted cluster's own mutations and host, applied before the route's. */
  readonly weightedParser: HeaderParser | undefined;
  readonly weightedHost: string;
  /** In the order in which they apply. */
  readonly requestParsers: readonly HeaderParser[];
  readonly hostRewrite: HostRewrite | undefined;
  readonly pathRewrite: PathRewrite | undefined;
}

export class CompiledRouteEntry implements RouteEntry {
  declare readonly clusterNotFoundResponseCode: number;
  declare readonly priority: Priority;
  declare readonly timeoutMs: number;
  declare readonly idleTimeoutMs: number | undefined;
  declare readonly maxStreamDurationMs: number | undefined;
  declare readonly grpcTimeoutHeaderMaxMs: number | undefined;
  declare readonly grpcTimeoutHeaderOffsetMs: number;
  declare readonly maxGrpcTimeoutMs: number | undefined;
  declare readonly grpcTimeoutOffsetMs: number;
  declare readonly retryPolicy: RetryPolicy | undefined;
  declare readonly shadowPolicies: readonly ShadowPolicy[];
  declare readonly includeAttemptCountInRequest: boolean;
  declare readonly includeAttemptCountInResponse: boolean;
  declare readonly includeTimeoutRetryHeader: boolean;
  declare readonly metadataMatch: Readonly<Record<string, unknown>> | undefined;
  declare readonly autoHostRewrite: boolean;
  declare readonly appendXForwardedHost: boolean;
  declare readonly perRequestBufferLimitBytes: number | undefined;
  declare private readonly cluster: string;
  declare private readonly clusterHeader: string;
  declare private readonly upgrades: ReadonlyMap<string, boolean>;
  declare private readonly hashPolicy: HashPolicy | undefined;
  declare private readonly virtualClusters: VirtualClusters;
  declare private readonly weightedParser: HeaderParser | undefined;
  declare private readonly weightedHost: string;
  declare private readonly requestParsers: readonly HeaderParser[];
  declare private readonly hostRewrite: HostRewrite | undefined;
  declare private readonly pathRewrite: PathRewrite | undefined;

  constructor(settings: RouteEntrySettings) {
    Object.assign(this, settings);
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

  virtualClusterName(headers: RequestHeaderMap): string {
    return this.virtualClusters.nameOf(headers);
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
    this.hostRewrite?.rewrite(headers, insertEnvoyOriginalPath);
    if (this.pathRewrite !== undefined) rewritePath(headers, this.pathRewrite, insertEnvoyOriginalPath);
  }
}

/** Replaces the path, keeping the old one in x-envoy-original-path where asked. */
export function rewritePath(
  headers: RequestHeaderMap,
  pathRewrite: PathRewrite,
  insertOriginal: boolean,
): void {
  const path = pathRewrite.rewrite(headers.path);
  if (path === undefined) return;
  if (insertOriginal) headers.set('x-envoy-original-path', headers.path);
  headers.path = path;
}

function restorePort(headers: RequestHeaderMap, port: FilterStateObject | undefined): void {
  const host = headers.host ?? '';
  if (port !== undefined && getPortStart(host) < 0) headers.host = `${host}:${port.serializeAsString()}`;
}
