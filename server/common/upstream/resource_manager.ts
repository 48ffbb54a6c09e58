// Circuit breakers: how many connections, pending requests, requests, retries and connection pools a cluster may have at a
// time, counted in memory that all workers share, so the limits are exact for the process. Envoy: source/common/upstream/resource_manager_impl.h.

import type { ResourceManager } from '../../api/upstream/cluster.ts';
import type { Host } from './host.ts';

/** Int32 slots of one priority's breakers in the shared table; a cluster has two priorities. */
export const BREAKER_SLOTS_PER_PRIORITY = 8;
export const BREAKER_SLOTS = 2 * BREAKER_SLOTS_PER_PRIORITY;

const CONNECTIONS = 0;
const PENDING = 1;
const REQUESTS = 2;
const RETRIES = 3;
const CONNECTION_POOLS = 4;
/** Requests that began within `budget_interval`. */
const RECENT_REQUESTS = 5;

/** Limits of one priority. Source of the defaults: config.cluster.v3.CircuitBreakers.Thresholds. */
export interface Thresholds {
  readonly maxConnections: number;
  readonly maxPendingRequests: number;
  readonly maxRequests: number;
  readonly maxRetries: number;
  readonly maxConnectionPools: number;
  /** Percent of active and pending requests that may be retries; undefined: `maxRetries` counts. */
  readonly retryBudgetPercent: number | undefined;
  /** ms; the percents are of the requests that began in the last so many; 0 = of those that are under way. */
  readonly budgetIntervalMs: number;
  readonly minRetryConcurrency: number;
  readonly trackRemaining: boolean;
  /** Of one host. */
  readonly maxConnectionsPerHost: number;
}

export const DEFAULT_THRESHOLDS: Thresholds = Object.freeze({
  maxConnections: 1024,
  maxPendingRequests: 1024,
  maxRequests: 1024,
  maxRetries: 3,
  maxConnectionPools: Number.POSITIVE_INFINITY,
  retryBudgetPercent: undefined,
  budgetIntervalMs: 0,
  minRetryConcurrency: 3,
  trackRemaining: false,
  maxConnectionsPerHost: Number.POSITIVE_INFINITY,
});

export type BreakerUse = Readonly<
  Record<'cx' | 'pending' | 'rq' | 'retries' | 'cx_pools', { readonly used: number; readonly limit: number }>
>;

/** Does anything count against the breakers whose slots begin there? */
export function isInUse(table: Int32Array, slot: number): boolean {
  for (let resource = CONNECTIONS; resource <= CONNECTION_POOLS; resource++) {
    if (Atomics.load(table, slot + resource) !== 0) return true;
  }
  return false;
}

export class SharedResourceManager implements ResourceManager {
  maxConnections: number;
  maxPendingRequests: number;
  maxRequests: number;
  /** The limits in force. */
  thresholds: Thresholds;
  private readonly table: Int32Array;
  private readonly held: Int32Array;
  private readonly slot: number;

  /** `slot` of this priority's breakers in `table`; `held`: this thread's share of it, see TableSlot. */
  constructor(thresholds: Thresholds, table: Int32Array, held: Int32Array, slot: number) {
    this.thresholds = thresholds;
    this.maxConnections = thresholds.maxConnections;
    this.maxPendingRequests = thresholds.maxPendingRequests;
    this.maxRequests = thresholds.maxRequests;
    this.table = table;
    this.held = held;
    this.slot = slot;
  }

  /** Other limits from now on. What is in use above them stays. */
  setThresholds(thresholds: Thresholds): void {
    if (thresholds === this.thresholds) return;
    this.thresholds = thresholds;
    this.maxConnections = thresholds.maxConnections;
    this.maxPendingRequests = thresholds.maxPendingRequests;
    this.maxRequests = thresholds.maxRequests;
  }

  /** With a retry budget, the number depends on how much is going on now. */
  get maxRetries(): number {
    const { retryBudgetPercent, minRetryConcurrency, maxRetries } = this.thresholds;
    if (retryBudgetPercent === undefined) return maxRetries;
    return Math.max(minRetryConcurrency, Math.floor((this.budgetedRequests * retryBudgetPercent) / 100));
  }

  /** Requests that a retry budget is a part of. */
  private get budgetedRequests(): number {
    if (this.thresholds.budgetIntervalMs > 0) return Atomics.load(this.table, this.slot + RECENT_REQUESTS);
    return Atomics.load(this.table, this.slot + REQUESTS) + Atomics.load(this.table, this.slot + PENDING);
  }

  /** Of all workers together. */
  get activeRequests(): number {
    return Atomics.load(this.table, this.slot + REQUESTS);
  }

  tryAcquireConnection(): boolean {
    return this.tryAcquire(CONNECTIONS, this.maxConnections);
  }
  /** Also by what the host may have. */
  tryAcquireConnectionTo(host: Host): boolean {
    return host.activeConnections < this.thresholds.maxConnectionsPerHost && this.tryAcquireConnection();
  }
  /** Envoy lets a pool open its first connection even above the limit, so that a host is never unreachable. */
  acquireConnection(): void {
    this.add(CONNECTIONS, 1);
  }
  releaseConnection(): void {
    this.add(CONNECTIONS, -1);
  }
  tryAcquirePendingRequest(): boolean {
    return this.tryAcquire(PENDING, this.maxPendingRequests);
  }
  releasePendingRequest(): void {
    this.add(PENDING, -1);
  }
  tryAcquireRequest(): boolean {
    return this.tryAcquire(REQUESTS, this.maxRequests);
  }
  /** TCP connections count as requests without being limited by their number. */
  acquireRequest(): void {
    this.add(REQUESTS, 1);
  }
  releaseRequest(): void {
    this.add(REQUESTS, -1);
  }
  tryAcquireRetry(): boolean {
    return this.tryAcquire(RETRIES, this.maxRetries);
  }
  releaseRetry(): void {
    this.add(RETRIES, -1);
  }
  tryAcquireConnectionPool(): boolean {
    return this.tryAcquire(CONNECTION_POOLS, this.thresholds.maxConnectionPools);
  }
  releaseConnectionPool(): void {
    this.add(CONNECTION_POOLS, -1);
  }
  /** Requests that a retry budget counts for a while, or counts no longer. */
  protected addRecentRequests(n: number): void {
    this.add(RECENT_REQUESTS, n);
  }

  /** Nobody will ask any more. */
  close(): void {}

  /** For stats: how much is in use of all workers together, and the limit now. */
  use(): BreakerUse {
    const used = (resource: number): number => Atomics.load(this.table, this.slot + resource);
    return {
      cx: { used: used(CONNECTIONS), limit: this.maxConnections },
      pending: { used: used(PENDING), limit: this.maxPendingRequests },
      rq: { used: used(REQUESTS), limit: this.maxRequests },
      retries: { used: used(RETRIES), limit: this.maxRetries },
      cx_pools: { used: used(CONNECTION_POOLS), limit: this.thresholds.maxConnectionPools },
    };
  }

  private tryAcquire(resource: number, limit: number): boolean {
    const at = this.slot + resource;
    if (Atomics.add(this.table, at, 1) < limit) {
      this.held[at]++;
      return true;
    }
    Atomics.sub(this.table, at, 1);
    return false;
  }

  private add(resource: number, n: number): void {
    const at = this.slot + resource;
    Atomics.add(this.table, at, n);
    this.held[at] += n;
  }
}
