// Whether and when a request is tried again: what the route and the client's headers allow, what happened, how often
// already, and whether the cluster's retry breaker has room. Follows Envoy's source/common/router/retry_state_impl.cc;
// docs: http_filters/router_filter#x-envoy-retry-on.

import type { StreamResetReason } from '../../../../api/http/codec.ts';
import type { RequestHeaderMap, ResponseHeaderMap } from '../../../../api/http/header_map.ts';
import { type RequestStats, RetryOn, type RetryPolicy } from '../../../../api/router.ts';
import { ResponseFlag } from '../../../../api/stream_info.ts';
import type { Priority } from '../../../../api/upstream/cluster.ts';
import { CLUSTER_TRAFFIC_STATS } from '../../../../common/stats/families/cluster.ts';
import type { ThreadLocalCluster } from '../../../../common/upstream/thread_local_cluster.ts';

const STAT = CLUSTER_TRAFFIC_STATS.offset;
/** Source: RetryPolicy.num_retries, and x-envoy-max-retries: 1. */
const DEFAULT_RETRIES = 1;
/** Source: RetryPolicy.retry_back_off: 25 ms, at most ten times that. */
const DEFAULT_BASE_INTERVAL_MS = 25;
const GRPC_CONDITIONS =
  RetryOn.cancelled |
  RetryOn['deadline-exceeded'] |
  RetryOn.internal |
  RetryOn['resource-exhausted'] |
  RetryOn.unavailable;

const NO_NAMES: readonly string[] = [];

/** `failed`: a bad answer of an attempt that has been tried again already. */
export type RetryStatus = 'yes' | 'no' | 'limit' | 'overflow' | 'failed';

export class RetryState {
  private readonly policy: RetryPolicy | undefined;
  private readonly cluster: ThreadLocalCluster;
  private readonly requestStats: readonly RequestStats[];
  private readonly priority: Priority;
  private readonly retryOn: number;
  private readonly statusCodes: readonly number[];
  /** x-envoy-retriable-header-names, lower-case. */
  private readonly headerNames: readonly string[];
  private remaining: number;
  private attempts = 0;
  private holdsBreaker = false;
  /** The upstream said how long to wait. */
  private rateLimited = false;

  private constructor(
    policy: RetryPolicy | undefined,
    cluster: ThreadLocalCluster,
    requestStats: readonly RequestStats[],
    priority: Priority,
    retryOn: number,
    retries: number,
    statusCodes: readonly number[],
    headerNames: readonly string[],
  ) {
    this.policy = policy;
    this.cluster = cluster;
    this.requestStats = requestStats;
    this.priority = priority;
    this.retryOn = retryOn;
    this.remaining = retries;
    this.statusCodes = statusCodes;
    this.headerNames = headerNames;
  }

  /** Undefined when this request is never retried. Reads and removes the retry headers. */
  static create(
    policy: RetryPolicy | undefined,
    headers: RequestHeaderMap,
    cluster: ThreadLocalCluster,
    requestStats: readonly RequestStats[],
    priority: Priority,
  ): RetryState | undefined {
    const on = headers.get('x-envoy-retry-on');
    const grpcOn = headers.get('x-envoy-retry-grpc-on');
    if (policy === undefined && on === undefined && grpcOn === undefined) {
      removeRetryHeaders(headers);
      return undefined;
    }
    let retryOn = policy?.retryOn ?? 0;
    let retries = policy?.numRetries ?? DEFAULT_RETRIES;
    let codes = policy?.retriableStatusCodes ?? [];
    if (policy !== undefined && retryOn !== 0 && !policy.retriableRequestHeaders(headers)) retryOn = 0;
    if (on !== undefined) retryOn |= parseConditions(on);
    if (grpcOn !== undefined) retryOn |= parseConditions(grpcOn);
    const max = headers.get('x-envoy-max-retries');
    if (max !== undefined && /^\d{1,9}$/.test(max)) retries = Number(max);
    const extra = headers.get('x-envoy-retriable-status-codes');
    if (extra !== undefined)
      codes = [
        ...codes,
        ...extra
          .split(',')
          .map((code) => Number(code.trim()))
          .filter((code) => code >= 100 && code < 600),
      ];
    const names = headers.get('x-envoy-retriable-header-names')?.toLowerCase().split(',') ?? NO_NAMES;
    removeRetryHeaders(headers);
    return retryOn === 0
      ? undefined
      : new RetryState(policy, cluster, requestStats, priority, retryOn, retries, codes, names);
  }

  /** A response's head came. `hedged`: to an attempt beside which another one was begun. */
  shouldRetryHeaders(
    headers: ResponseHeaderMap,
    grpcStatus: number | undefined,
    hedged: boolean,
  ): RetryStatus {
    const would = this.wouldRetryHeaders(headers, grpcStatus);
    if (hedged) return would ? 'failed' : 'no';
    return this.decide(would);
  }

  /** An attempt takes too long, and goes on: another one may begin beside it, whatever is retried otherwise. */
  shouldHedge(): RetryStatus {
    return this.decide(true);
  }

  /** The upstream broke off before a response, or could not be reached. `sent`: the request had been (partly) written to it. */
  shouldRetryReset(reason: StreamResetReason, sent: boolean): RetryStatus {
    return this.decide(this.wouldRetryReset(reason, sent));
  }

  shouldRetryPerTryTimeout(): RetryStatus {
    return this.decide((this.retryOn & (RetryOn['5xx'] | RetryOn['gateway-error'] | RetryOn.reset)) !== 0);
  }

  /** ms until the next attempt: random below base, twice as much for each attempt before, up to the maximum. */
  backOffMs(headers: ResponseHeaderMap | undefined): number {
    const limited = headers === undefined ? undefined : this.rateLimitedBackOffMs(headers);
    this.rateLimited = limited !== undefined;
    if (limited !== undefined) return limited;
    const base = this.policy?.baseIntervalMs || DEFAULT_BASE_INTERVAL_MS;
    const cap = this.policy?.maxIntervalMs || 10 * base;
    return Math.random() * Math.min(2 ** (this.attempts - 1) * base, cap);
  }

  /** The back-off is over. Envoy counts no retry before. */
  onRetry(): void {
    this.count('upstream_rq_retry');
    const { upstream_rq_retry_backoff_ratelimited, upstream_rq_retry_backoff_exponential } = STAT;
    const { values, base } = this.cluster.stats;
    values[
      base +
        (this.rateLimited ? upstream_rq_retry_backoff_ratelimited : upstream_rq_retry_backoff_exponential)
    ]++;
  }

  /** The retried request ended well. */
  onSuccess(): void {
    if (this.attempts === 0) return;
    this.count('upstream_rq_retry_success');
  }

  /** Gives the breaker's place back: the retry is over, or the request is. */
  release(): void {
    if (!this.holdsBreaker) return;
    this.holdsBreaker = false;
    this.cluster.resourceManager(this.priority).releaseRetry();
  }

  private decide(would: boolean): RetryStatus {
    this.release();
    if (!would) return 'no';
    if (this.remaining === 0) {
      this.count('upstream_rq_retry_limit_exceeded');
      return 'limit';
    }
    if (!this.cluster.resourceManager(this.priority).tryAcquireRetry()) {
      this.count('upstream_rq_retry_overflow');
      return 'overflow';
    }
    this.remaining--;
    this.attempts++;
    this.holdsBreaker = true;
    return 'yes';
  }

  private count(stat: keyof typeof STAT & Parameters<RequestStats['count']>[0]): void {
    const { stats } = this.cluster;
    stats.values[stats.base + STAT[stat]]++;
    for (const each of this.requestStats) each.count(stat);
  }

  private wouldRetryHeaders(headers: ResponseHeaderMap, grpcStatus: number | undefined): boolean {
    const on = this.retryOn;
    const { status } = headers;
    // A rate-limited answer is meant for the client, unless it is asked for.
    if (headers.has('x-envoy-ratelimited')) return (on & RetryOn['envoy-ratelimited']) !== 0;
    if (on & RetryOn['5xx'] && status >= 500 && status < 600) return true;
    if (on & RetryOn['gateway-error'] && status >= 502 && status <= 504) return true;
    if (on & RetryOn['retriable-4xx'] && status === 409) return true;
    if (on & RetryOn['retriable-status-codes'] && this.statusCodes.includes(status)) return true;
    if (on & RetryOn['retriable-headers'] && this.hasRetriableHeader(headers)) return true;
    if ((on & GRPC_CONDITIONS) === 0 || grpcStatus === undefined) return false;
    switch (grpcStatus) {
      case 1:
        return (on & RetryOn.cancelled) !== 0;
      case 4:
        return (on & RetryOn['deadline-exceeded']) !== 0;
      case 8:
        return (on & RetryOn['resource-exhausted']) !== 0;
      case 13:
        return (on & RetryOn.internal) !== 0;
      case 14:
        return (on & RetryOn.unavailable) !== 0;
      default:
        return false;
    }
  }

  private hasRetriableHeader(headers: ResponseHeaderMap): boolean {
    return (
      this.policy?.retriableHeaders(headers) === true ||
      this.headerNames.some((name) => headers.has(name.trim()))
    );
  }

  private wouldRetryReset(reason: StreamResetReason, sent: boolean): boolean {
    const on = this.retryOn;
    // Our own breaker said no: asking again at once would only make it worse.
    if (reason === 'Overflow') return false;
    if (on & RetryOn.reset) return true;
    if (on & RetryOn['reset-before-request'] && !sent) return true;
    if (on & (RetryOn['5xx'] | RetryOn['gateway-error'])) return true;
    const connectFailure =
      reason === 'RemoteConnectionFailure' ||
      reason === 'LocalConnectionFailure' ||
      reason === 'ConnectionTimeout';
    if (on & RetryOn['connect-failure'] && connectFailure) return true;
    return (on & RetryOn['refused-stream']) !== 0 && reason === 'RemoteRefusedStreamReset';
  }

  private rateLimitedBackOffMs(headers: ResponseHeaderMap): number | undefined {
    const policy = this.policy;
    if (policy === undefined) return undefined;
    for (const { name, format } of policy.resetHeaders) {
      const value = headers.get(name);
      if (value === undefined || !/^\d{1,12}$/.test(value)) continue;
      const ms = format === 'SECONDS' ? Number(value) * 1000 : Number(value) * 1000 - Date.now();
      // Up to half as much again, so that those who were told the same time do not all come at once.
      if (ms > 0 && ms <= policy.rateLimitedMaxIntervalMs) return ms * (1 + Math.random() / 2);
    }
    return undefined;
  }
}

/** What clients say of retries is for this proxy only. */
function removeRetryHeaders(headers: RequestHeaderMap): void {
  headers.remove('x-envoy-retry-on');
  headers.remove('x-envoy-retry-grpc-on');
  headers.remove('x-envoy-max-retries');
  headers.remove('x-envoy-retriable-status-codes');
  headers.remove('x-envoy-retriable-header-names');
}

function parseConditions(value: string): number {
  let bits = 0;
  for (const name of value.split(','))
    bits |= (RetryOn as Readonly<Record<string, number>>)[name.trim()] ?? 0;
  return bits;
}

/** The response flag that says why there is no further attempt; 0 where there is nothing to say. */
export function retryFlag(status: RetryStatus): number {
  if (status === 'limit') return ResponseFlag.UpstreamRetryLimitExceeded;
  return status === 'overflow' ? ResponseFlag.UpstreamOverflow : 0;
}
