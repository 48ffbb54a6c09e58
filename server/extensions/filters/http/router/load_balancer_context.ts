// What a balancer may know of a request. Envoy: Router::Filter as LoadBalancerContext (source/common/router/router.h).

import type { RequestHeaderMap, ResponseHeaderMap } from '../../../../api/http/header_map.ts';
import type { RetryHostPredicate, RouteEntry } from '../../../../api/router.ts';
import type { ConnectionInfo, StreamInfo } from '../../../../api/stream_info.ts';
import type { HostLookup, LoadBalancerContext, OverrideHost } from '../../../../api/upstream/cluster.ts';
import type { HostDescription } from '../../../../api/upstream/host.ts';

const NO_PREDICATES: readonly RetryHostPredicate[] = [];

export class RequestLoadBalancerContext implements LoadBalancerContext {
  readonly downstreamHeaders: RequestHeaderMap;
  readonly downstreamConnection: ConnectionInfo;
  readonly requestStreamInfo: StreamInfo;
  /** While the host that the request names is looked up. */
  lookup: HostLookup | undefined = undefined;
  /** `set-cookie` values that the hash policy made, for the response. */
  setCookies: string[] | undefined = undefined;
  private readonly entry: RouteEntry;
  private isRetry = false;
  /** Addresses that were tried, kept only where a retry predicate wants to know. */
  private attempted: string[] | undefined = undefined;
  private attemptedPriorities: number[] | undefined = undefined;
  excludedPriorities: Set<number> | undefined = undefined;
  private mergedMetadata: Readonly<Record<string, unknown>> | undefined = undefined;

  constructor(headers: RequestHeaderMap, info: StreamInfo, entry: RouteEntry) {
    this.downstreamHeaders = headers;
    this.downstreamConnection = info.connection;
    this.requestStreamInfo = info;
    this.entry = entry;
  }

  /** The route's; what filters of this request have set as dynamic metadata goes over it. */
  get metadataMatch(): Readonly<Record<string, unknown>> | undefined {
    const dynamic = this.requestStreamInfo.dynamicMetadata?.get('envoy.lb');
    if (dynamic === undefined) return this.entry.metadataMatch;
    return (this.mergedMetadata ??= { ...this.entry.metadataMatch, ...dynamic });
  }

  /** Only for the first attempt: a retry is to go elsewhere. */
  get overrideHost(): OverrideHost | undefined {
    return this.isRetry ? undefined : this.requestStreamInfo.upstreamOverrideHost;
  }

  /** Only during a retry may the choice be repeated. */
  get hostSelectionRetryCount(): number {
    return this.isRetry ? (this.entry.retryPolicy?.hostSelectionMaxAttempts ?? 1) : 0;
  }

  /** Asked anew for each attempt, and so are cookies made: Envoy adds one for each, too. */
  hashKey(): bigint | undefined {
    return this.entry.hashKey(this.downstreamHeaders, this.requestStreamInfo, (this.setCookies ??= []));
  }

  shouldSelectAnotherHost(host: HostDescription): boolean {
    if (this.attempted?.includes(host.address.text) === true) return true;
    const predicates = this.entry.retryPolicy?.hostPredicates ?? NO_PREDICATES;
    for (let i = 0; i < predicates.length; i++) {
      if (predicates[i].shouldSelectAnotherHost(host)) return true;
    }
    return false;
  }

  addCookies(headers: ResponseHeaderMap): void {
    if (this.setCookies === undefined) return;
    for (const cookie of this.setCookies) headers.append('set-cookie', cookie);
  }

  cancelLookup(): void {
    this.lookup?.cancel();
    this.lookup = undefined;
  }

  /** `priority` is the host's among all that the balancer chooses from. */
  onHostAttempted(host: HostDescription, priority: number): void {
    this.isRetry = true;
    const policy = this.entry.retryPolicy;
    if (policy?.rejectPreviousHosts === true) (this.attempted ??= []).push(host.address.text);
    const frequency = policy?.previousPrioritiesUpdateFrequency ?? 0;
    if (frequency === 0) return;
    // Every so many attempts, what has been tried until then is left out.
    const priorities = (this.attemptedPriorities ??= []);
    if (priorities.push(priority) < frequency) return;
    this.excludedPriorities ??= new Set();
    for (const each of priorities) this.excludedPriorities.add(each);
    priorities.length = 0;
  }
}
