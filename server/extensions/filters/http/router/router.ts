// The router: the last HTTP filter. It chooses the cluster and the host, sends the request, tries again where that is
// allowed, and gives the response back. Follows Envoy's source/common/router/router.cc (Filter);
// docs: configuration/http/http_filters/router_filter.

import type { StreamResetReason } from '../../../../api/http/codec.ts';
import {
  type DownstreamWatermarkCallbacks,
  FilterDataStatus,
  FilterHeadersStatus,
  FilterTrailersStatus,
  type HttpFilter,
  type StreamDecoderFilterCallbacks,
} from '../../../../api/http/filter.ts';
import type { RequestHeaderMap, ResponseHeaderMap, TrailerMap } from '../../../../api/http/header_map.ts';
import type { RequestStats, Route, RouteEntry } from '../../../../api/router.ts';
import { ResponseFlag } from '../../../../api/stream_info.ts';
import type { HostLookupCallbacks } from '../../../../api/upstream/cluster.ts';
import { type HostDescription, HostSlot } from '../../../../api/upstream/host.ts';
import { BodyBuffer } from '../../../../common/buffer/body_buffer.ts';
import type { UpstreamProtocol } from '../../../../common/conn_pool/http_conn_pool.ts';
import type { UpstreamConnection } from '../../../../common/conn_pool/upstream_connection.ts';
import { monotonicNow } from '../../../../common/event/dispatcher.ts';
import { Timer, type TimerOwner } from '../../../../common/event/timer.ts';
import { grpcStatusOf } from '../../../../common/grpc/status.ts';
import { updateAuthority } from '../../../../common/router/host_rewrite.ts';
import { CLUSTER_TRAFFIC_STATS } from '../../../../common/stats/families/cluster.ts';
import { ROUTER_STATS } from '../../../../common/stats/families/router.ts';
import type { Host } from '../../../../common/upstream/host.ts';
import { statusWithoutHost } from '../../../../common/upstream/override_host.ts';
import type { ThreadLocalCluster } from '../../../../common/upstream/thread_local_cluster.ts';
import { genericConnPool } from '../../../upstreams/http/generic/generic_conn_pool.ts';
import { NOWHERE_ELSE, requestStatsOf } from './alt_stat_name.ts';
import type { RouterConfig } from './config.ts';
import { findCluster } from './find_cluster.ts';
import { noteGivenUp } from './given_up.ts';
import { Hedging } from './hedging.ts';
import { lookUpHost } from './host_lookup.ts';
import { redirectInternally } from './internal_redirect.ts';
import { RequestLoadBalancerContext } from './load_balancer_context.ts';
import { resetDownstream, resetReply, responseFlagOf } from './reset_reason.ts';
import { chargeLocalResponse, chargeResponse } from './response_stats.ts';
import { addEnvoyHeaders, localReplyOptions, tellRetry } from './retry_headers.ts';
import { RetryState, type RetryStatus, retryFlag } from './retry_state.ts';
import { shadowRequest } from './shadow.ts';
import { finalTimeouts, type Timeouts } from './timeouts.ts';
import { noteConnection } from './upstream_info.ts';
import { UpstreamRequest } from './upstream_request.ts';

const STAT = ROUTER_STATS.offset;
const CLUSTER_STAT = CLUSTER_TRAFFIC_STATS.offset;
const NO_BODY = new Uint8Array(0);

export class Router implements HttpFilter, TimerOwner, DownstreamWatermarkCallbacks, HostLookupCallbacks {
  private readonly config: RouterConfig;
  private callbacks!: StreamDecoderFilterCallbacks;
  private headers!: RequestHeaderMap;
  private trailers: TrailerMap | undefined = undefined;
  private route!: Route;
  private entry!: RouteEntry;
  private requestStats: readonly RequestStats[] = NOWHERE_ELSE;
  private cluster!: ThreadLocalCluster;
  private timeouts!: Timeouts;
  private balancing!: RequestLoadBalancerContext;
  private retry: RetryState | undefined = undefined;
  private upstream: UpstreamRequest | undefined = undefined;
  /** Body kept for retries and shadows, or until there is a connection. */
  private body: BodyBuffer | undefined = undefined;
  private retain = false;
  private bodyLost = false;
  private pausedForBody = false;
  private requestComplete = false;
  private requestCompleteAt = 0;
  private responseStarted = false;
  /** The client is slow: this attempt's response waits, or that of the next one. */
  private responsePaused = false;
  private attempts = 1;
  private responseTimer: Timer | undefined = undefined;
  private retryTimer: Timer | undefined = undefined;
  private isTimeoutRetry = false;
  private hedging: Hedging | undefined = undefined;
  private destroyed = false;

  constructor(config: RouterConfig) {
    this.config = config;
  }

  setDecoderFilterCallbacks(callbacks: StreamDecoderFilterCallbacks): void {
    this.callbacks = callbacks;
  }

  // ---- request -------------------------------------------------------------------------------------------------------

  decodeHeaders(headers: RequestHeaderMap, endStream: boolean): FilterHeadersStatus {
    const { callbacks, config } = this;
    const { values, base } = config.stats;
    values[base + STAT.rq_total]++;
    this.headers = headers;
    const info = callbacks.streamInfo;
    const route = callbacks.route();
    const cluster = findCluster(route, headers, callbacks, config);
    if (cluster === undefined) return FilterHeadersStatus.StopIteration;
    this.route = route!;
    const entry = (this.entry = route!.routeEntry!);
    this.cluster = cluster;
    cluster.hold();
    info.upstreamRequestAttemptCount = 1;
    this.requestStats = requestStatsOf(entry, headers, info, cluster, config.dynamicStats);
    info.upstreamCluster = cluster;
    info.upstreamClusterName = cluster.name;
    this.timeouts = finalTimeouts(entry, headers, config);
    if (entry.includeAttemptCountInRequest) headers.set('x-envoy-attempt-count', '1');
    entry.finalizeRequestHeaders(headers, info, !config.suppressEnvoyHeaders);
    this.retry = RetryState.create(entry.retryPolicy, headers, cluster, this.requestStats, entry.priority);
    this.balancing = new RequestLoadBalancerContext(headers, info, entry);
    const repeats = entry.shadowPolicies.length > 0 || entry.internalRedirectPolicy !== undefined;
    this.retain = !endStream && (this.retry !== undefined || repeats);
    if (endStream) this.onRequestComplete();
    callbacks.addDownstreamWatermarkCallbacks(this);
    this.attempt();
    if (endStream && !this.destroyed) this.startResponseTimers();
    return FilterHeadersStatus.StopIteration;
  }

  /** Begins an attempt at a host of the cluster. */
  private attempt(): void {
    const { callbacks, cluster } = this;
    const host = cluster.chooseHost(this.balancing) as Host | undefined;
    const info = callbacks.streamInfo;
    info.upstreamRequestAttemptCount = this.attempts;
    const pool = host && genericConnPool(cluster, host, this.entry, this.headers, info);
    if (host === undefined || pool === undefined) {
      const details = host === undefined ? lookUpHost(cluster, this.balancing, this) : 'no_healthy_upstream';
      if (details !== undefined) this.onNoHost(details);
      return;
    }
    const upstream = new UpstreamRequest(this, host, info, this.headers, cluster, this.config.upstreamLogs);
    this.upstream = upstream;
    if (this.responsePaused) upstream.readDisable(true);
    const maxDurationMs = this.timeouts.upstreamStreamDuration ?? cluster.features.maxStreamDurationMs;
    upstream.start(pool, maxDurationMs);
  }

  /** The attempt had to wait for it. */
  onHostLookedUp(details: string): void {
    this.balancing.lookup = undefined;
    this.requestCompleteAt = monotonicNow();
    if (details === '') this.attempt();
    else this.onNoHost(details);
    if (this.requestComplete && !this.destroyed) this.startResponseTimers();
  }

  private onNoHost(details: string): void {
    const code = statusWithoutHost(this.cluster.prioritySet, this.balancing.overrideHost);
    this.respondLocally(code, 'no healthy upstream', ResponseFlag.NoHealthyUpstream, details, false);
  }

  decodeData(bytes: Uint8Array, start: number, end: number, endStream: boolean): FilterDataStatus {
    if (this.destroyed || this.cluster === undefined) return FilterDataStatus.StopIterationNoBuffer;
    const { upstream } = this;
    const ready = upstream?.ready === true;
    if (!ready || this.retain) this.keepBody(bytes, start, end);
    if (endStream) this.onRequestComplete();
    if (ready) upstream.encoder.encodeData(bytes, start, end, endStream);
    if (endStream && !this.destroyed) this.startResponseTimers();
    return FilterDataStatus.StopIterationNoBuffer;
  }

  private keepBody(bytes: Uint8Array, start: number, end: number): void {
    const body = (this.body ??= new BodyBuffer());
    body.add(bytes, start, end);
    const limit = this.entry.requestBodyBufferLimit ?? (this.callbacks.decoderBufferLimit() || Infinity);
    if (body.length <= limit) return;
    if (this.retain) {
      // Too much to keep for a second try: from here on there is only the first.
      const { stats } = this.cluster;
      stats.values[stats.base + CLUSTER_STAT.retry_or_shadow_abandoned]++;
      this.retain = false;
      this.bodyLost = true;
      this.retry?.release();
      this.retry = undefined;
      if (this.upstream?.ready === true) this.body = undefined;
    }
    if (this.body !== undefined && !this.pausedForBody) {
      this.pausedForBody = true;
      this.pauseDownstream(true);
    }
  }

  decodeTrailers(trailers: TrailerMap): FilterTrailersStatus {
    if (this.destroyed || this.cluster === undefined) return FilterTrailersStatus.StopIteration;
    this.trailers = trailers;
    this.onRequestComplete();
    if (this.upstream?.ready === true) this.upstream.encoder.encodeTrailers(trailers);
    if (!this.destroyed) this.startResponseTimers();
    return FilterTrailersStatus.StopIteration;
  }

  private onRequestComplete(): void {
    this.requestComplete = true;
    this.requestCompleteAt = monotonicNow();
    const { headers, body, trailers, callbacks, config } = this;
    for (const policy of this.entry.shadowPolicies)
      shadowRequest(policy, headers, body, trailers, callbacks, config, this.timeouts.global);
  }

  private startResponseTimers(): void {
    if (this.balancing.lookup !== undefined) return;
    const { global, perTry, perTryIdle } = this.timeouts;
    if (global > 0 && !this.destroyed)
      (this.responseTimer ??= new Timer(this)).enable(global, this.requestCompleteAt);
    this.upstream?.startTimers(perTry, perTryIdle);
  }

  onTimeout(timer: Timer): void {
    if (timer === this.retryTimer) {
      this.attempts++;
      this.retry?.onRetry();
      const elapsed = this.requestComplete ? monotonicNow() - this.requestCompleteAt : 0;
      const { headers, entry, attempts, isTimeoutRetry, timeouts, config } = this;
      tellRetry(headers, entry, attempts, isTimeoutRetry, timeouts, elapsed, config.suppressEnvoyHeaders);
      this.attempt();
      if (this.requestComplete && !this.destroyed)
        this.upstream?.startTimers(this.timeouts.perTry, this.timeouts.perTryIdle);
      return;
    }
    const { values, base } = this.cluster.stats;
    // Each attempt that is under way: none between two attempts, several where they are hedged.
    const late = (this.upstream === undefined ? 0 : 1) + (this.hedging?.size ?? 0);
    for (let i = 0; i < late; i++) {
      values[base + CLUSTER_STAT.upstream_rq_timeout]++;
      for (const each of this.requestStats) each.count('upstream_rq_timeout');
      if (i > 0) this.chargeAbort(504);
    }
    this.upstream?.blameForTimeout();
    this.abandon();
    const flag = ResponseFlag.UpstreamRequestTimeout;
    this.respondLocally(504, 'upstream request timeout', flag, 'response_timeout', false, late > 0);
  }

  onPerTryTimeout(upstream: UpstreamRequest, idle: boolean): void {
    const { upstream_rq_per_try_timeout, upstream_rq_per_try_idle_timeout } = CLUSTER_STAT;
    if (this.timeouts.hedgeOnPerTryTimeout) {
      this.hedge(upstream);
      return;
    }
    this.giveUp(upstream, idle ? upstream_rq_per_try_idle_timeout : upstream_rq_per_try_timeout);
    if (this.scheduleRetry(this.retry?.shouldRetryPerTryTimeout(), upstream.host, undefined, true)) return;
    const details = idle ? 'upstream_per_try_idle_timeout' : 'upstream_per_try_timeout';
    this.respondLocally(504, 'upstream request timeout', ResponseFlag.UpstreamRequestTimeout, details, false);
  }

  /** The attempt goes on, and another one begins beside it. */
  private hedge(upstream: UpstreamRequest): void {
    if (upstream !== this.upstream || this.responseStarted) return;
    if (!this.scheduleRetry(this.retry?.shouldHedge(), upstream.host, undefined, true)) return;
    (this.hedging ??= new Hedging()).add(upstream);
  }

  private waitsForAnother(upstream: UpstreamRequest): boolean {
    return this.hedging?.waitsForAnother(upstream, this.upstream, this.retryTimer!) === true;
  }

  private forget(upstream: UpstreamRequest): void {
    if (this.hedging?.remove(upstream) !== true) this.upstream = undefined;
  }

  onMaxStreamDurationReached(upstream: UpstreamRequest): void {
    const hedged = this.hedging?.has(upstream) === true;
    this.giveUp(upstream, CLUSTER_STAT.upstream_rq_max_duration_reached);
    const retry = this.responseStarted || hedged ? undefined : this.retry;
    if (this.scheduleRetry(retry?.shouldRetryReset('LocalReset', true), upstream.host, undefined)) return;
    if (this.waitsForAnother(upstream)) return;
    const reason = 'upstream max stream duration reached';
    const flag = ResponseFlag.UpstreamMaxStreamDurationReached;
    const code = this.requestComplete ? 504 : 408;
    this.respondLocally(code, reason, flag, reason.replaceAll(' ', '_'), false, false);
  }

  private giveUp(upstream: UpstreamRequest, stat: number): void {
    const { values, base } = this.cluster.stats;
    values[base + stat]++;
    upstream.reset();
    this.forget(upstream);
  }

  // ---- upstream ------------------------------------------------------------------------------------------------------

  onUpstreamReady(
    upstream: UpstreamRequest,
    connection: UpstreamConnection,
    protocol: UpstreamProtocol,
  ): void {
    const info = this.callbacks.streamInfo;
    const now = monotonicNow();
    noteConnection(info, upstream.host, connection, protocol);
    info.firstUpstreamTxByte = now;
    const { requestStats } = this;
    for (let i = 0; i < requestStats.length; i++) requestStats[i].count('upstream_rq_total');
    const { body, trailers, entry, headers, config } = this;
    const { hostname } = upstream.host;
    if (entry.autoHostRewrite && hostname !== '')
      updateAuthority(headers, hostname, entry.appendXForwardedHost, !config.suppressEnvoyHeaders);
    const bytes = this.retain ? body?.peek() : body?.take();
    if (!this.retain) this.body = undefined;
    upstream.send(headers, bytes, trailers, this.requestComplete);
    info.lastUpstreamTxByte = now;
    if (this.pausedForBody) {
      this.pausedForBody = false;
      this.pauseDownstream(false);
    }
  }

  onUpstreamInformational(headers: ResponseHeaderMap): void {
    const { cluster, requestStats, config } = this;
    if (config.dynamicStats) chargeLocalResponse(cluster, requestStats, headers.status, this.headers);
    this.callbacks.encodeInformationalHeaders(headers);
  }

  onUpstreamHeaders(upstream: UpstreamRequest, headers: ResponseHeaderMap, endStream: boolean): void {
    const { callbacks, config, entry, cluster, requestStats, headers: request } = this;
    const info = callbacks.streamInfo;
    const now = (info.firstUpstreamRxByte = monotonicNow());
    const { host } = upstream;
    if (this.retry !== undefined) {
      const hedged = this.hedging?.has(upstream) === true;
      const status = this.retry.shouldRetryHeaders(headers, grpcStatusOf(headers), hedged);
      if (status === 'yes') {
        host.add(headers.status >= 500 ? HostSlot.RequestError : HostSlot.RequestSuccess, 1);
        if (config.dynamicStats) cluster.retryResponseCodes.charge(headers.status);
        upstream.reset();
        this.scheduleRetry('yes', host, headers);
        return;
      }
      info.responseFlags |= retryFlag(status);
      if (status === 'no' && !hedged) this.retry.onSuccess();
      if (status !== 'no' && this.waitsForAnother(upstream)) {
        host.add(HostSlot.RequestError, 1);
        upstream.reset();
        this.forget(upstream);
        return;
      }
      this.retry.release();
      if (this.hedging !== undefined) {
        this.forget(upstream);
        this.abandon();
        this.upstream = upstream;
      }
    }
    if (entry.internalRedirectPolicy?.codes.includes(headers.status)) {
      const body = this.requestComplete && !this.bodyLost ? (this.body?.peek() ?? NO_BODY) : undefined;
      if (redirectInternally(this.route, request, body, headers, cluster, callbacks, config)) return;
    }
    upstream.headersReceived = true;
    this.responseStarted = true;
    const took = now - upstream.startedAt;
    chargeResponse(cluster, requestStats, host, took, request, headers, config.dynamicStats);
    const serviceMs = this.requestComplete ? now - this.requestCompleteAt : undefined;
    if (!config.suppressEnvoyHeaders) addEnvoyHeaders(headers, entry, serviceMs, this.attempts);
    info.responseCodeDetails = 'via_upstream';
    info.responseCode = headers.status;
    this.balancing.addCookies(headers);
    this.route.finalizeResponseHeaders(headers, request, info);
    if (endStream) this.onUpstreamComplete();
    callbacks.encodeHeaders(headers, endStream);
  }

  onUpstreamData(bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    if (endStream) this.onUpstreamComplete();
    this.callbacks.encodeData(bytes, start, end, endStream);
  }

  onUpstreamTrailers(trailers: TrailerMap): void {
    this.onUpstreamComplete();
    this.callbacks.encodeTrailers(trailers);
  }

  private onUpstreamComplete(): void {
    this.callbacks.streamInfo.lastUpstreamRxByte = monotonicNow();
    this.responseTimer?.disable();
    this.upstream = undefined;
  }

  /** The attempt ended without a whole response. */
  onUpstreamReset(
    upstream: UpstreamRequest,
    reason: StreamResetReason,
    transportFailure: string,
    host: Host | undefined,
  ): void {
    const { callbacks } = this;
    const info = callbacks.streamInfo;
    const hedged = this.hedging?.remove(upstream) === true;
    if (!hedged) this.upstream = undefined;
    info.upstreamTransportFailureReason = transportFailure;
    if (host !== undefined) info.upstreamHost = host;
    if (!upstream.headersReceived) {
      upstream.host.add(HostSlot.RequestError, 1);
      const status = hedged ? undefined : this.retry?.shouldRetryReset(reason, upstream.sent);
      if (this.scheduleRetry(status, upstream.host, undefined, false, reason)) return;
      if (this.waitsForAnother(upstream)) {
        this.chargeAbort(reason === 'ProtocolError' ? 502 : 503);
        return;
      }
    }
    info.responseFlags |= responseFlagOf(reason);
    if (this.responseStarted) {
      resetDownstream(callbacks, this.headers, this.config, reason);
      return;
    }
    const { body, details } = resetReply(reason, transportFailure, this.attempts > 1);
    this.respondLocally(reason === 'ProtocolError' ? 502 : 503, body, 0, details, reason === 'Overflow');
  }

  /** True when another attempt follows. */
  private scheduleRetry(
    status: RetryStatus | undefined,
    host: HostDescription,
    headers: ResponseHeaderMap | undefined,
    isTimeoutRetry = false,
    reason: StreamResetReason = 'LocalReset',
  ): boolean {
    const info = this.callbacks.streamInfo;
    if (status !== undefined) info.responseFlags |= retryFlag(status);
    if (status !== 'yes') return false;
    noteGivenUp(info, host, headers?.status, isTimeoutRetry, reason);
    this.upstream = undefined;
    info.upstreamTransportFailureReason = ''; // of this attempt, not of the next
    this.isTimeoutRetry = isTimeoutRetry;
    this.balancing.onHostAttempted(host, this.cluster.priorityOf(host as Host));
    (this.retryTimer ??= new Timer(this)).enable(this.retry!.backOffMs(headers), monotonicNow());
    return true;
  }

  /** An answer of our own for what the upstream did not do; `counted` as the cluster's. */
  private respondLocally(
    code: number,
    body: string,
    flag: number,
    details: string,
    overloaded: boolean,
    counted = true,
  ): void {
    const { callbacks, config, entry, route, attempts, headers } = this;
    callbacks.streamInfo.responseFlags |= flag;
    this.retry?.release();
    this.responseTimer?.disable();
    if (counted && !this.responseStarted) this.chargeAbort(code);
    const marked = overloaded && !config.suppressEnvoyHeaders;
    const options = localReplyOptions(entry, route, attempts, headers, callbacks.streamInfo, marked);
    callbacks.sendLocalReply(code, body, details, options);
  }

  /** Counts an attempt that came to nothing as an answer of the cluster. */
  private chargeAbort(code: number): void {
    const { cluster, requestStats, headers, callbacks, config } = this;
    if (config.dynamicStats)
      chargeLocalResponse(cluster, requestStats, code, headers, callbacks.streamInfo.upstreamHost);
  }

  // ---- backpressure and end --------------------------------------------------------------------------------------------

  pauseDownstream(pause: boolean): void {
    if (this.destroyed) return;
    if (pause) this.callbacks.onDecoderFilterAboveWriteBufferHighWatermark();
    else this.callbacks.onDecoderFilterBelowWriteBufferLowWatermark();
  }

  onAboveWriteBufferHighWatermark(): void {
    this.pauseUpstream(true, CLUSTER_STAT.upstream_flow_control_paused_reading_total);
  }

  onBelowWriteBufferLowWatermark(): void {
    this.pauseUpstream(false, CLUSTER_STAT.upstream_flow_control_resumed_reading_total);
  }

  private pauseUpstream(pause: boolean, stat: number): void {
    const { values, base } = this.cluster.stats;
    values[base + stat]++;
    this.responsePaused = pause;
    this.upstream?.readDisable(pause);
  }

  private abandon(): void {
    const { upstream } = this;
    this.upstream = undefined;
    upstream?.reset();
    this.balancing?.cancelLookup();
    this.hedging?.reset();
    this.retryTimer?.disable();
  }

  onDestroy(): void {
    this.destroyed = true;
    this.responseTimer?.disable();
    this.retry?.release();
    this.abandon();
    this.body = undefined;
    this.cluster?.letGo();
  }
}
