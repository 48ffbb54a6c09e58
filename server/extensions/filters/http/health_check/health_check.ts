// Answers health checks of this proxy: by itself, from what the upstream said a moment ago, or by the health of clusters.
// Envoy: source/extensions/filters/http/health_check/health_check.cc.

import {
  FilterDataStatus,
  FilterHeadersStatus,
  FilterTrailersStatus,
  type HttpFilter,
  type StreamDecoderFilterCallbacks,
} from '../../../../api/http/filter.ts';
import type { RequestHeaderMap, ResponseHeaderMap } from '../../../../api/http/header_map.ts';
import type { StatBlock } from '../../../../api/stats.ts';
import { ResponseFlag } from '../../../../api/stream_info.ts';
import type { ClusterManager } from '../../../../api/upstream/cluster.ts';
import { type HeaderMatcher, matchHeaders } from '../../../../common/matcher/header_matcher.ts';
import { serverHealth } from '../../../../common/server_health.ts';
import { statSchema } from '../../../../common/stats/schema.ts';
import type { ThreadLocalCluster } from '../../../../common/upstream/thread_local_cluster.ts';

export const HEALTH_CHECK_FILTER_STATS = statSchema('http.health_check', {
  cached_response: 'counter',
  degraded: 'counter',
  failed: 'counter',
  failed_cluster_empty: 'counter',
  failed_cluster_not_found: 'counter',
  failed_cluster_unhealthy: 'counter',
  ok: 'counter',
  request_total: 'counter',
});
const STAT = HEALTH_CHECK_FILTER_STATS.offset;

export interface HealthCheckFilterSettings {
  /** Checks go to the upstream, unless there is an answer that is new enough. */
  readonly passThrough: boolean;
  readonly cache: HealthCheckCache | undefined;
  /** Which requests are checks. */
  readonly headers: readonly HeaderMatcher[];
  /** Cluster names, and how many of their hosts must be healthy. */
  readonly minHealthyPercentages: readonly (readonly [cluster: string, percent: number])[];
  readonly clusterManager: ClusterManager;
  readonly nodeCluster: string;
  readonly stats: StatBlock;
}

/** The upstream's last answer. As Envoy's, it is forgotten by a clock that began to tick with the configuration. */
export class HealthCheckCache {
  private readonly periodMs: number;
  private readonly start: number;
  private tick = -1;
  status = 0;
  degraded = false;

  constructor(periodMs: number, now = performance.now()) {
    this.periodMs = periodMs;
    this.start = now;
  }

  set(status: number, degraded: boolean, now = performance.now()): void {
    this.status = status;
    this.degraded = degraded;
    this.tick = this.tickAt(now);
  }

  isFresh(now = performance.now()): boolean {
    return this.tick === this.tickAt(now);
  }

  private tickAt(now: number): number {
    return Math.floor((now - this.start) / this.periodMs);
  }
}

export class HealthCheckFilter implements HttpFilter {
  private readonly settings: HealthCheckFilterSettings;
  private callbacks!: StreamDecoderFilterCallbacks;
  private isCheck = false;
  /** We answer. */
  private handling = false;

  constructor(settings: HealthCheckFilterSettings) {
    this.settings = settings;
  }

  setDecoderFilterCallbacks(callbacks: StreamDecoderFilterCallbacks): void {
    this.callbacks = callbacks;
  }

  decodeHeaders(headers: RequestHeaderMap, endStream: boolean): FilterHeadersStatus {
    const { settings, callbacks } = this;
    if (!matchHeaders(settings.headers, headers)) return FilterHeadersStatus.Continue;
    this.isCheck = true;
    const info = callbacks.streamInfo;
    info.healthCheck = true;
    info.tracing?.span?.setSampled(false);
    this.handling = !settings.passThrough || serverHealth.failed || settings.cache?.isFresh() === true;
    if (!this.handling) return FilterHeadersStatus.Continue;
    if (endStream) this.answer();
    return FilterHeadersStatus.StopIteration;
  }

  decodeData(_bytes: Uint8Array, _start: number, _end: number, endStream: boolean): FilterDataStatus {
    if (!this.handling) return FilterDataStatus.Continue;
    if (endStream) this.answer();
    return FilterDataStatus.StopIterationNoBuffer;
  }

  decodeTrailers(): FilterTrailersStatus {
    if (!this.handling) return FilterTrailersStatus.Continue;
    this.answer();
    return FilterTrailersStatus.StopIteration;
  }

  encodeHeaders(headers: ResponseHeaderMap): FilterHeadersStatus {
    if (this.isCheck) {
      this.settings.cache?.set(headers.status, headers.has('x-envoy-degraded'));
      headers.set('x-envoy-upstream-healthchecked-cluster', this.settings.nodeCluster);
    } else if (serverHealth.failed) headers.set('x-envoy-immediate-health-check-fail', 'true');
    return FilterHeadersStatus.Continue;
  }

  private answer(): void {
    const { cache, minHealthyPercentages } = this.settings;
    this.count(STAT.request_total);
    if (serverHealth.failed) this.reply(503, 'health_check_failed', false);
    else if (cache !== undefined) {
      this.count(STAT.cached_response);
      this.reply(cache.status, 'health_check_cached', cache.degraded);
    } else if (minHealthyPercentages.length === 0) this.reply(200, 'health_check_ok', false);
    else this.judgeClusters();
  }

  private judgeClusters(): void {
    const { clusterManager, minHealthyPercentages } = this.settings;
    for (const [name, percent] of minHealthyPercentages) {
      const cluster = clusterManager.getCluster(name) as ThreadLocalCluster | undefined;
      if (cluster === undefined) {
        this.count(STAT.failed_cluster_not_found);
        this.reply(503, 'health_check_failed_no_cluster_found', false);
        return;
      }
      const { hosts, sets } = cluster.prioritySet;
      if (hosts.length === 0 && percent === 0) continue;
      if (hosts.length === 0) {
        this.count(STAT.failed_cluster_empty);
        this.reply(503, 'health_check_failed_cluster_empty', false);
        return;
      }
      const healthy = sets.reduce((sum, set) => sum + set.healthy.length + set.degraded.length, 0);
      if (healthy < (hosts.length * percent) / 100) {
        this.count(STAT.failed_cluster_unhealthy);
        this.reply(503, 'health_check_failed_cluster_unhealthy', false);
        return;
      }
    }
    this.reply(200, 'health_check_ok_cluster_healthy', false);
  }

  private reply(status: number, details: string, degraded: boolean): void {
    const { callbacks } = this;
    const ok = status >= 200 && status < 300;
    this.count(ok ? STAT.ok : STAT.failed);
    if (degraded) this.count(STAT.degraded);
    if (!ok) callbacks.streamInfo.responseFlags |= ResponseFlag.FailedLocalHealthCheck;
    callbacks.sendLocalReply(status, '', details, degraded ? MARK_DEGRADED : undefined);
  }

  private count(stat: number): void {
    const { values, base } = this.settings.stats;
    values[base + stat]++;
  }
}

const MARK_DEGRADED = Object.freeze({
  modifyHeaders: (headers: ResponseHeaderMap): void => headers.set('x-envoy-degraded', ''),
});
