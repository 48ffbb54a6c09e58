// Injects delays, aborts and slow responses. Envoy: source/extensions/filters/http/fault/fault_filter.cc,
// https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/fault_filter (stats, runtime keys, headers).

import {
  FilterDataStatus,
  FilterHeadersStatus,
  FilterTrailersStatus,
  type HttpFilter,
  type StreamDecoderFilterCallbacks,
  type StreamEncoderFilterCallbacks,
} from '../../../../api/http/filter.ts';
import type { RequestHeaderMap } from '../../../../api/http/header_map.ts';
import type { Runtime } from '../../../../api/runtime.ts';
import type { SharedCounter } from '../../../../api/shared_counter.ts';
import type { StatBlock } from '../../../../api/stats.ts';
import { ResponseFlag } from '../../../../api/stream_info.ts';
import { Timer, type TimerOwner } from '../../../../common/event/timer.ts';
import { matchHeaders } from '../../../../common/matcher/header_matcher.ts';
import { statSchema } from '../../../../common/stats/schema.ts';
import { setDynamicMetadata } from '../../../../common/stream_info/stream_info.ts';
import {
  delayFor,
  type FaultSettings,
  grpcStatusFor,
  httpStatusFor,
  isAbortStatus,
  numeratorFor,
  type Percentage,
  rateFor,
} from './fault_settings.ts';
import { StreamRateLimiter } from './stream_rate_limiter.ts';

export const FAULT_STATS = statSchema('http.fault', {
  aborts_injected: 'counter',
  delays_injected: 'counter',
  faults_overflow: 'counter',
  response_rl_injected: 'counter',
  active_faults: 'gauge',
});
const STAT = FAULT_STATS.offset;

export interface FaultFilterConfig {
  readonly settings: FaultSettings;
  readonly runtime: Runtime;
  readonly activeFaults: SharedCounter;
  readonly stats: StatBlock<keyof typeof STAT>;
  /** Counts `<downstream cluster>.<stat>` (x-envoy-downstream-service-cluster). */
  downstreamCluster(cluster: string, stat: 'aborts_injected' | 'delays_injected'): void;
}

const RANDOM_RANGE = 2 ** 32;

export class FaultFilter implements HttpFilter, TimerOwner {
  private readonly config: FaultFilterConfig;
  private settings: FaultSettings;
  private decoder!: StreamDecoderFilterCallbacks;
  private encoder!: StreamEncoderFilterCallbacks;
  private delayTimer: Timer | undefined = undefined;
  private limiter: StreamRateLimiter | undefined = undefined;
  private faultActive = false;
  private downstreamCluster = '';

  constructor(config: FaultFilterConfig) {
    this.config = config;
    this.settings = config.settings;
  }

  setDecoderFilterCallbacks(callbacks: StreamDecoderFilterCallbacks): void {
    this.decoder = callbacks;
  }

  setEncoderFilterCallbacks(callbacks: StreamEncoderFilterCallbacks): void {
    this.encoder = callbacks;
  }

  decodeHeaders(headers: RequestHeaderMap): FilterHeadersStatus {
    this.settings = this.decoder.perFilterConfig<FaultSettings>() ?? this.config.settings;
    const { delay, abort, responseRateLimit } = this.settings;
    if (delay === undefined && abort === undefined && responseRateLimit === undefined) {
      return FilterHeadersStatus.Continue;
    }
    if (!this.appliesTo(headers)) return FilterHeadersStatus.Continue;
    this.downstreamCluster = headers.get('x-envoy-downstream-service-cluster') ?? '';
    this.limitResponse(headers);
    if (this.delayRequest(headers) || this.abortRequest(headers)) return FilterHeadersStatus.StopIteration;
    return FilterHeadersStatus.Continue;
  }

  decodeData(): FilterDataStatus {
    return this.delayTimer === undefined
      ? FilterDataStatus.Continue
      : FilterDataStatus.StopIterationAndWatermark;
  }

  decodeTrailers(): FilterTrailersStatus {
    return this.delayTimer === undefined ? FilterTrailersStatus.Continue : FilterTrailersStatus.StopIteration;
  }

  encodeData(bytes: Uint8Array, start: number, end: number, endStream: boolean): FilterDataStatus {
    if (this.limiter === undefined) return FilterDataStatus.Continue;
    this.limiter.write(bytes, start, end, endStream);
    return FilterDataStatus.StopIterationNoBuffer;
  }

  encodeTrailers(): FilterTrailersStatus {
    if (this.limiter === undefined || !this.limiter.onTrailers()) return FilterTrailersStatus.Continue;
    return FilterTrailersStatus.StopIteration;
  }

  onDestroy(): void {
    this.delayTimer?.disable();
    this.delayTimer = undefined;
    this.limiter?.destroy();
    if (this.faultActive) this.endFault();
  }

  private endFault(): void {
    const { stats, activeFaults } = this.config;
    this.faultActive = false;
    activeFaults.release();
    stats.values[stats.base + STAT.active_faults]--;
  }

  /** The delay is over. */
  onTimeout(): void {
    this.delayTimer = undefined;
    if (!this.abortRequest(this.decoder.requestHeaders)) this.decoder.continueDecoding();
  }

  private appliesTo(headers: RequestHeaderMap): boolean {
    const { upstreamCluster, downstreamNodes } = this.settings;
    if (upstreamCluster !== '') {
      const entry = this.decoder.route()?.routeEntry;
      if (entry?.clusterName(headers, this.decoder.streamId) !== upstreamCluster) return false;
    }
    if (
      downstreamNodes.size > 0 &&
      !downstreamNodes.has(headers.get('x-envoy-downstream-service-node') ?? '')
    ) {
      return false;
    }
    return matchHeaders(this.settings.headers, headers);
  }

  private limitResponse(headers: RequestHeaderMap): void {
    const limit = this.settings.responseRateLimit;
    if (limit === undefined) return;
    const rate = rateFor(limit, headers);
    if (rate === undefined) return;
    const byHeader = limit.fixedKbps === undefined;
    const numerator = numeratorFor(
      limit.percentage,
      byHeader,
      headers,
      'x-envoy-fault-throughput-response-percentage',
    );
    if (!this.enabled(this.settings.responseRateLimitPercentRuntime, '', numerator, limit.percentage)) return;
    if (!this.tryIncActiveFaults()) return;
    this.count(STAT.response_rl_injected);
    this.limiter = new StreamRateLimiter(rate, this.encoder);
  }

  /** True when the request waits. */
  private delayRequest(headers: RequestHeaderMap): boolean {
    const { delay } = this.settings;
    if (delay === undefined) return false;
    const byHeader = delay.fixedMs === undefined;
    const numerator = numeratorFor(
      delay.percentage,
      byHeader,
      headers,
      'x-envoy-fault-delay-request-percentage',
    );
    const key = 'delay.fixed_delay_percent';
    if (!this.enabled(this.settings.delayPercentRuntime, key, numerator, delay.percentage)) return false;
    const configured = delayFor(delay, headers);
    if (configured === undefined) return false;
    const duration = this.integer(this.settings.delayDurationRuntime, 'delay.fixed_duration_ms', configured);
    if (duration <= 0 || !this.tryIncActiveFaults()) return false;

    this.delayTimer = new Timer(this);
    this.delayTimer.enable(duration, performance.now());
    this.count(STAT.delays_injected);
    this.countForDownstreamCluster('delays_injected');
    this.mark(ResponseFlag.DelayInjected);
    return true;
  }

  /** True when the request was answered. */
  private abortRequest(headers: RequestHeaderMap): boolean {
    const { abort } = this.settings;
    if (abort === undefined) return false;
    const { percentage, byHeader } = abort;
    const numerator = numeratorFor(percentage, byHeader, headers, 'x-envoy-fault-abort-request-percentage');
    const key = 'abort.abort_percent';
    if (!this.enabled(this.settings.abortPercentRuntime, key, numerator, percentage)) return false;
    const httpStatus = this.abortHttpStatus(httpStatusFor(abort, headers));
    const grpcStatus =
      httpStatus === undefined ? this.abortGrpcStatus(grpcStatusFor(abort, headers)) : undefined;
    if (httpStatus === undefined && grpcStatus === undefined) return false;
    if (!this.tryIncActiveFaults()) return false;

    this.mark(ResponseFlag.FaultInjected);
    this.count(STAT.aborts_injected);
    this.countForDownstreamCluster('aborts_injected');
    const options = grpcStatus === undefined ? undefined : { grpcStatus };
    this.decoder.sendLocalReply(httpStatus ?? 200, 'fault filter abort', 'fault_filter_abort', options);
    return true;
  }

  /** Runtime may change the status, within what is one. */
  private abortHttpStatus(configured: number | undefined): number | undefined {
    if (configured === undefined) return undefined;
    const status = this.integer(this.settings.abortHttpStatusRuntime, 'abort.http_status', configured);
    return isAbortStatus(status) ? status : configured;
  }

  private abortGrpcStatus(configured: number | undefined): number | undefined {
    if (configured === undefined) return undefined;
    return this.integer(this.settings.abortGrpcStatusRuntime, 'abort.grpc_status', configured);
  }

  /** On by the general key or by the one of the downstream cluster. */
  private enabled(key: string, clusterKey: string, numerator: number, { denominator }: Percentage): boolean {
    const { runtime } = this.config;
    const random = Math.floor(Math.random() * RANDOM_RANGE);
    if (runtime.featureEnabled(key, numerator, denominator, random)) return true;
    if (this.downstreamCluster === '' || clusterKey === '') return false;
    const name = `fault.http.${this.downstreamCluster}.${clusterKey}`;
    return runtime.featureEnabled(name, numerator, denominator, Math.floor(Math.random() * RANDOM_RANGE));
  }

  private integer(key: string, clusterKey: string, configured: number): number {
    const { runtime } = this.config;
    const value = runtime.getInteger(key, configured);
    if (this.downstreamCluster === '') return value;
    return runtime.getInteger(`fault.http.${this.downstreamCluster}.${clusterKey}`, value);
  }

  /** All faults of a request are one active fault. */
  private tryIncActiveFaults(): boolean {
    if (this.faultActive) return true;
    const { activeFaults, runtime } = this.config;
    const limit = runtime.getInteger(this.settings.maxActiveFaultsRuntime, this.settings.maxActiveFaults);
    if (!activeFaults.tryAcquire(limit)) {
      this.count(STAT.faults_overflow);
      return false;
    }
    this.count(STAT.active_faults);
    this.faultActive = true;
    return true;
  }

  private mark(flag: number): void {
    const { streamInfo } = this.decoder;
    streamInfo.responseFlags |= flag;
    const { filterMetadata } = this.settings;
    if (filterMetadata !== undefined)
      setDynamicMetadata(streamInfo, 'envoy.filters.http.fault', filterMetadata);
  }

  private count(offset: number): void {
    this.config.stats.values[this.config.stats.base + offset]++;
  }

  private countForDownstreamCluster(stat: 'aborts_injected' | 'delays_injected'): void {
    if (this.downstreamCluster === '' || !this.settings.downstreamClusterStats) return;
    this.config.downstreamCluster(this.downstreamCluster, stat);
  }
}
