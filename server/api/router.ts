// The outcome of route matching. Everything is compiled from RouteConfiguration when it arrives; a request only walks it.
// Envoy: envoy/router/router.h, document: api/envoy/config/route/v3/route_components.proto.

import type { RequestHeaderMap, ResponseHeaderMap } from './http/header_map.ts';
import type { RouteRateLimits } from './rate_limit.ts';
import type { StreamInfo } from './stream_info.ts';
import type { RouteTracing } from './tracing.ts';
import type { Priority } from './upstream/cluster.ts';
import type { HostDescription } from './upstream/host.ts';

/** Names of `retry_on` conditions as bits. */
export const RetryOn = {
  '5xx': 1 << 0,
  'gateway-error': 1 << 1,
  'connect-failure': 1 << 2,
  'retriable-4xx': 1 << 3,
  'refused-stream': 1 << 4,
  'retriable-status-codes': 1 << 5,
  'retriable-headers': 1 << 6,
  'envoy-ratelimited': 1 << 7,
  reset: 1 << 8,
  'reset-before-request': 1 << 9,
  'http3-post-connect-failure': 1 << 10,
  cancelled: 1 << 11,
  'deadline-exceeded': 1 << 12,
  internal: 1 << 13,
  'resource-exhausted': 1 << 14,
  unavailable: 1 << 15,
} as const;

/** A response header that says when to try again (rate_limited_retry_back_off.reset_headers). */
export interface ResetHeader {
  /** Lower-case. */
  readonly name: string;
  /** Seconds from now, or seconds since the epoch. */
  readonly format: 'SECONDS' | 'UNIX_TIMESTAMP';
}

/** Which hosts a retry would rather not go to (retry_host_predicate). */
export interface RetryHostPredicate {
  shouldSelectAnotherHost(host: HostDescription): boolean;
}

export interface RetryPolicy {
  readonly retryOn: number;
  readonly numRetries: number;
  /** ms; 0 = the route's timeout. */
  readonly perTryTimeoutMs: number;
  readonly perTryIdleTimeoutMs: number;
  readonly baseIntervalMs: number;
  readonly maxIntervalMs: number;
  readonly retriableStatusCodes: readonly number[];
  retriableHeaders(headers: ResponseHeaderMap): boolean;
  retriableRequestHeaders(headers: RequestHeaderMap): boolean;
  readonly hostSelectionMaxAttempts: number;
  /** previous_hosts predicate configured. */
  readonly rejectPreviousHosts: boolean;
  /** All others. */
  readonly hostPredicates: readonly RetryHostPredicate[];
  /** previous_priorities: update frequency, 0 = not configured. */
  readonly previousPrioritiesUpdateFrequency: number;
  /** Tried in order; empty = the ordinary back-off also for rate-limited responses. */
  readonly resetHeaders: readonly ResetHeader[];
  /** ms; a reset header that asks for more is not followed. Default 300 s. */
  readonly rateLimitedMaxIntervalMs: number;
}

/** A copy of requests for another cluster (RouteAction.RequestMirrorPolicy). */
export interface ShadowPolicy {
  /** Cluster name, or '' when `clusterHeader` says. */
  readonly cluster: string;
  readonly clusterHeader: string;
  /** 0 to 1. */
  fraction(streamId: number): boolean;
  readonly traceSampled: boolean | undefined;
  readonly disableShadowHostSuffix: boolean;
  /** The copy's host, without a suffix; '' = the request's. */
  readonly hostRewriteLiteral: string;
  /** request_headers_mutations, on the copy's headers. */
  mutateRequestHeaders(headers: RequestHeaderMap, info: StreamInfo): void;
}

/** RouteAction.UpgradeConfig.ConnectConfig. */
export interface ConnectConfig {
  /** The PROXY protocol header that comes first, if any. */
  readonly proxyProtocol: 'V1' | 'V2' | undefined;
  /** POST is treated as CONNECT is. */
  readonly allowPost: boolean;
}

/** The internal redirects of one request so far. */
export interface FollowedRedirects {
  /** False when `to` was the target of a redirect from route `from` before. */
  noteTarget(from: string, to: string): boolean;
}

/** May an internal redirect lead from the route `current` to the route `target`? Both are names. */
export interface InternalRedirectPredicate {
  acceptTargetRoute(
    target: string,
    redirects: FollowedRedirects,
    current: string,
    downstreamIsHttps: boolean,
    targetIsHttps: boolean,
  ): boolean;
}

/** Which redirects of upstreams are followed by the proxy itself (RouteAction.internal_redirect_policy). */
export interface InternalRedirectPolicy {
  readonly codes: readonly number[];
  /** Of one request in all. */
  readonly maxInternalRedirects: number;
  readonly allowCrossScheme: boolean;
  /** Lower-case; they take the place of the request's headers of these names. */
  readonly responseHeadersToCopy: readonly string[];
  readonly predicates: readonly InternalRedirectPredicate[];
}

/** What to do with a request that goes to a cluster. */
export interface RouteEntry {
  /** The cluster for this request: fixed, by weight (`streamId` is the random value) or by header. '' when a header names none. */
  clusterName(headers: RequestHeaderMap, streamId: number): string;
  readonly clusterNotFoundResponseCode: number;
  readonly priority: Priority;
  /** ms; 0 = none. Default 15 s (RouteAction.timeout). */
  readonly timeoutMs: number;
  /** ms; undefined = the connection manager's stream_idle_timeout; 0 = none. */
  readonly idleTimeoutMs: number | undefined;
  /** ms; undefined = the connection manager's; 0 = none. */
  readonly flushTimeoutMs: number | undefined;
  /** max_stream_duration.max_stream_duration, ms; undefined = the connection manager's. */
  readonly maxStreamDurationMs: number | undefined;
  /** grpc_timeout_header_max, ms; undefined = not configured. */
  readonly grpcTimeoutHeaderMaxMs: number | undefined;
  readonly grpcTimeoutHeaderOffsetMs: number;
  /**
   * max_grpc_timeout (deprecated), ms: a gRPC request's grpc-timeout, less `grpcTimeoutOffsetMs` and capped by this (0 = no cap),
   * replaces `timeoutMs`. undefined = not configured, or overruled by max_stream_duration.
   */
  readonly maxGrpcTimeoutMs: number | undefined;
  readonly grpcTimeoutOffsetMs: number;
  readonly retryPolicy: RetryPolicy | undefined;
  readonly shadowPolicies: readonly ShadowPolicy[];
  readonly internalRedirectPolicy: InternalRedirectPolicy | undefined;
  readonly includeAttemptCountInRequest: boolean;
  readonly includeAttemptCountInResponse: boolean;
  readonly includeTimeoutRetryHeader: boolean;
  /** hedge_policy.hedge_on_per_try_timeout. */
  readonly hedgeOnPerTryTimeout: boolean;
  /** Whether this route enables an upgrade, by its lower-case name; undefined = the connection manager decides. */
  upgradeEnabled(name: string): boolean | undefined;
  /** CONNECT ends here: what it carries goes to the cluster as it is. Undefined where the upstream gets the request. */
  readonly connectConfig: ConnectConfig | undefined;
  readonly metadataMatch: Readonly<Record<string, unknown>> | undefined;
  /** auto_host_rewrite: the host header becomes the chosen host's `hostname`, where it has one. */
  readonly autoHostRewrite: boolean;
  /** A host rewrite appends the old host to x-forwarded-host. `finalizeRequestHeaders` does; the router does for `autoHostRewrite`. */
  readonly appendXForwardedHost: boolean;
  /** Bytes of a request that are kept for a retry or a mirror; undefined = as much as the connection may hold. */
  readonly requestBodyBufferLimit: number | undefined;
  /** Undefined where neither the route nor its virtual host has any. */
  readonly rateLimits: RouteRateLimits | undefined;
  /** Pushes the `set-cookie` values of cookies that the policy generates to `setCookies`; without it none is generated. */
  hashKey(headers: RequestHeaderMap, info: StreamInfo, setCookies?: string[]): bigint | undefined;
  /** Changes path, host and headers for the upstream (rewrites, request_headers_to_add/remove at all levels). */
  finalizeRequestHeaders(headers: RequestHeaderMap, info: StreamInfo, insertEnvoyOriginalPath: boolean): void;
  /** Who counts the request beside its cluster: its virtual cluster, whose name goes to `info`, and the route. */
  requestStats(headers: RequestHeaderMap, info: StreamInfo): readonly RequestStats[];
}

/** Stats of a virtual cluster (`vhost.<name>.vcluster.<name>.`) or of a route (`vhost.<name>.route.<stat_prefix>.`). */
export interface RequestStats {
  count(
    stat:
      | 'upstream_rq_total'
      | 'upstream_rq_timeout'
      | 'upstream_rq_retry'
      | 'upstream_rq_retry_limit_exceeded'
      | 'upstream_rq_retry_overflow'
      | 'upstream_rq_retry_success',
  ): void;
  /** A response of this status, whoever made it. */
  charge(status: number): void;
  /** ms from the beginning of the attempt to the response. */
  recordTime(ms: number): void;
  /** A response of a canary, where those are counted apart. */
  chargeCanary?(status: number, ms: number): void;
}

export interface DirectResponseEntry {
  readonly responseCode: number;
  /** The Location header, for a `responseCode` of 201 or 3xx only (of a direct response, Envoy answers the request's own URL). */
  newUri(headers: RequestHeaderMap): string;
  /** Body of a direct response, formatted where body_format is set. */
  responseBody(headers: RequestHeaderMap, info: StreamInfo): string;
  readonly contentType: string;
  rewritePathHeader(headers: RequestHeaderMap): void;
}

/** A matched route. */
export interface Route {
  readonly name: string;
  readonly virtualHostName: string;
  readonly routeConfigName: string;
  /** Exactly one of these two is there. */
  readonly routeEntry: RouteEntry | undefined;
  readonly directResponseEntry: DirectResponseEntry | undefined;
  /** response_headers_to_add/remove at all levels. */
  finalizeResponseHeaders(
    headers: ResponseHeaderMap,
    requestHeaders: RequestHeaderMap,
    info: StreamInfo,
  ): void;
  /** Compiled typed_per_filter_config, most specific level first (weighted cluster, route, virtual host, route configuration). */
  perFilterConfig(filterName: string): unknown;
  /** Is the filter switched off for this route (`FilterConfig.disabled`)? undefined: not said. */
  filterDisabled(filterName: string): boolean | undefined;
  readonly metadata: Readonly<Record<string, Readonly<Record<string, unknown>>>> | undefined;
  /** Of the virtual host, by namespace. */
  readonly virtualHostMetadata: Readonly<Record<string, Readonly<Record<string, unknown>>>> | undefined;
  readonly decoratorOperation: string;
  /** decorator.propagate: say the operation to others in x-envoy-decorator-operation. */
  readonly decoratorPropagate: boolean;
  readonly tracing: RouteTracing | undefined;
  /** A request takes it (1), or takes another one after all (-1). */
  countHit(n: 1 | -1): void;
}

/** What routes are asked for: by the name of a host (VHDS), or by that of a scope (SRDS, on_demand). */
export type RouteDiscoveryKind = 'virtual_host' | 'scope';

/** A request waits for routes. */
export interface RouteDiscoveryWaiter {
  /** They are there, or the control plane has none of that name. Never called before `request` has returned. */
  onRoutesDiscovered(): void;
}

/** Asks a control plane for routes because a request wants them. Envoy: RouteConfigUpdateRequester. */
export interface RouteDiscovery {
  /** The waiter is told once, unless what is returned is called before. */
  request(name: string, waiter: RouteDiscoveryWaiter): () => void;
}

/** A compiled RouteConfiguration. */
export interface RouteConfig {
  readonly name: string;
  /** The route of a request, or undefined. `streamId` decides weights and fractions. */
  route(headers: RequestHeaderMap, info: StreamInfo, streamId: number): Route | undefined;
  /** Headers that only internal clients may send, for a request. */
  internalOnlyHeaders(headers: RequestHeaderMap): readonly string[];
  readonly mostSpecificHeaderMutationsWins: boolean;
  /** Asks for the routes of a request that has none, where they may be had. Undefined: they may not; else it ends the waiting. */
  discover?(headers: RequestHeaderMap, waiter: RouteDiscoveryWaiter): (() => void) | undefined;
  /** Cold twin of `route`: the tree of reasons. */
  explain(headers: RequestHeaderMap, info: StreamInfo, streamId: number): ExplainNode;
  /** All cluster names it can lead to by name (for validate_clusters and the dashboard). */
  readonly clusterNames: readonly string[];
}

/** A scope of scoped routes: its routes are written into it, or come by RDS. */
export interface RouteScope {
  readonly name: string;
  readonly routes: { readonly name: string; readonly current: RouteConfig | undefined };
  /** Its routes are not there before a request has asked for them. */
  readonly onDemand: boolean;
}

/** A node of an explanation: what was asked, how it ended, why, and the parts it is made of. */
export interface ExplainNode {
  readonly what: string;
  readonly matched: boolean;
  readonly reason: string;
  readonly children: readonly ExplainNode[];
}
