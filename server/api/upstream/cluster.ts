// What the data path sees of a cluster: its settings, its hosts, a balancer, its connection pools.
// Envoy: envoy/upstream/upstream.h (ClusterInfo), cluster_manager.h, load_balancer.h.

import type { RequestHeaderMap } from '../http/header_map.ts';
import type { StatBlock } from '../stats.ts';
import type { ConnectionInfo, StreamInfo } from '../stream_info.ts';
import type { HostDescription } from './host.ts';

export type Priority = 0 | 1;
export const DEFAULT_PRIORITY: Priority = 0;
export const HIGH_PRIORITY: Priority = 1;

/** Where a filter wants a request to go. Envoy: LoadBalancerContext::OverrideHost. */
export interface OverrideHost {
  readonly address: string;
  /** Nowhere else. */
  readonly strict: boolean;
  /** What is answered where it is to be nowhere else and there is no such host. */
  readonly notFoundStatus: number;
}

/** Which hosts of a cluster a request goes to. */
export interface PriorityChoice {
  readonly priority: number;
  readonly degraded: boolean;
}

/** What a balancer may look at when it chooses a host. Envoy: LoadBalancerContext. */
export interface LoadBalancerContext {
  readonly downstreamHeaders: RequestHeaderMap | undefined;
  readonly downstreamConnection: ConnectionInfo | undefined;
  readonly requestStreamInfo: StreamInfo | undefined;
  /** Metadata match criteria of the route (namespace envoy.lb), or undefined. */
  readonly metadataMatch: Readonly<Record<string, unknown>> | undefined;
  /** Hash of the route's hash policy, or undefined. */
  hashKey(): bigint | undefined;
  /** True when the balancer should try again (previous_hosts retry predicate). */
  shouldSelectAnotherHost(host: HostDescription): boolean;
  /**
   * Priorities that were tried and are to be left out (previous_priorities), or undefined.
   * The balancer empties the set when no other priority has a host: then all of them count again.
   */
  readonly excludedPriorities: Set<number> | undefined;
  /** What a balancer over several clusters has chosen of this one. Envoy: determinePriorityLoad. */
  readonly forcedPriority?: PriorityChoice;
  /** A host that goes before the balancer's choice, or undefined. */
  readonly overrideHost: OverrideHost | undefined;
  /** How often to try again at most. */
  readonly hostSelectionRetryCount: number;
}

/** Told once how a lookup ended, never within the call that began it. */
export interface HostLookupCallbacks {
  /** `details` of the response when there is no host, or '' when there may be one now. */
  onHostLookedUp(details: string): void;
}

/** A lookup that is under way. Envoy: AsyncHostSelectionHandle. */
export interface HostLookup {
  /** Nobody waits for it any more. */
  cancel(): void;
}

/** Chooses hosts of one cluster on one worker. Re-made or updated when hosts change. */
export interface LoadBalancer {
  chooseHost(context: LoadBalancerContext | undefined): HostDescription | undefined;
  /** Says ahead which host it will choose. Envoy: LoadBalancer::peekAnotherHost. */
  peekAnotherHost?(): HostDescription | undefined;
  /**
   * Where hosts are looked up as requests name them: begins to, when `chooseHost` had none. A text: why not, as the details
   * of the response.
   */
  lookUpHost?(context: LoadBalancerContext, callbacks: HostLookupCallbacks): HostLookup | string;
  /** Of a balancer over several clusters: which of all their priorities a host is of. */
  priorityOf?(host: HostDescription): number;
  /** Hosts that it has found by itself. */
  ownHosts?(): Iterable<HostDescription>;
  /** The cluster goes. */
  close?(): void;
}

/**
 * One circuit breaker's counters in shared memory, exact across workers (Atomics on `table[slot + n]`).
 * Envoy: ResourceManager. Order: connections, pending requests, requests, retries, connection pools.
 */
export interface ResourceManager {
  readonly maxConnections: number;
  readonly maxPendingRequests: number;
  readonly maxRequests: number;
  readonly maxRetries: number;
  tryAcquireConnection(): boolean;
  releaseConnection(): void;
  tryAcquirePendingRequest(): boolean;
  releasePendingRequest(): void;
  tryAcquireRequest(): boolean;
  releaseRequest(): void;
  tryAcquireRetry(): boolean;
  releaseRetry(): void;
}

/** A cluster on a worker. The object is replaced as a whole when its configuration changes; a stream keeps the one it began with. */
export interface Cluster {
  readonly name: string;
  readonly altStatName: string;
  /** `alt_stat_name` or `name`, as in `cluster.<x>.`. */
  readonly statName: string;
  readonly connectTimeoutMs: number;
  readonly metadata: Readonly<Record<string, Readonly<Record<string, unknown>>>> | undefined;
  readonly stats: StatBlock;
  /** Upstream protocol choice, limits and idle timeouts (HttpProtocolOptions). */
  readonly features: ClusterFeatures;
  readonly perConnectionBufferLimitBytes: number;
  resourceManager(priority: Priority): ResourceManager;
  /** A host, or undefined when none is healthy (`NoHealthyUpstream`). */
  chooseHost(context: LoadBalancerContext | undefined): HostDescription | undefined;
}

/** How requests to a cluster are sent. Sources: HttpProtocolOptions, and the deprecated fields of Cluster. */
export interface ClusterFeatures {
  readonly upstreamProtocol: 'http1' | 'http2' | 'downstream' | 'auto';
  /** ms; 0 = never. Default 1 h (HttpProtocolOptions.idle_timeout). */
  readonly idleTimeoutMs: number;
  /** ms; 0 = unlimited. */
  readonly maxConnectionDurationMs: number;
  /** ms; 0 = unlimited. */
  readonly maxStreamDurationMs: number;
  /** 0 = unlimited. */
  readonly maxRequestsPerConnection: number;
  readonly maxResponseHeadersKb: number;
  readonly maxHeadersCount: number;
}

/** The clusters as a worker has them now. */
export interface ClusterManager {
  getCluster(name: string): Cluster | undefined;
}
