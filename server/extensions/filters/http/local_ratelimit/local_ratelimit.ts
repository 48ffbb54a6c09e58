// Refuses requests for which its buckets have no token. Envoy: source/extensions/filters/http/local_ratelimit/local_ratelimit.cc,
// https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/local_rate_limit_filter

import {
  FilterHeadersStatus,
  type HttpFilter,
  type StreamDecoderFilterCallbacks,
} from '../../../../api/http/filter.ts';
import type { RequestHeaderMap, ResponseHeaderMap } from '../../../../api/http/header_map.ts';
import type { RateLimitDescriptor, RateLimitRequest } from '../../../../api/rate_limit.ts';
import { type FilterStateObject, ResponseFlag } from '../../../../api/stream_info.ts';
import {
  LocalRateLimiter,
  type RateLimitResult,
  rateLimiterBytes,
} from '../../../../common/rate_limit/local_rate_limiter.ts';
import type { RuntimeFraction } from '../../../../common/router/runtime_fraction.ts';
import { LOCAL_RATE_LIMIT_STATS, type LocalRateLimitSettings } from './local_ratelimit_settings.ts';

const STAT = LOCAL_RATE_LIMIT_STATS.offset;
/** One for all such filters of a connection, as in Envoy. */
const PER_CONNECTION = 'per_connection_local_rate_limiter';
const RANDOM_RANGE = 2 ** 32;
const NONE: readonly RateLimitDescriptor[] = [];

class PerConnectionRateLimiter implements FilterStateObject {
  readonly limiter: LocalRateLimiter;

  constructor({ limits }: LocalRateLimitSettings) {
    this.limiter = new LocalRateLimiter(limits, new SharedArrayBuffer(rateLimiterBytes(limits)));
  }

  serializeAsString(): string {
    return '';
  }
}

export class LocalRateLimitFilter implements HttpFilter {
  private settings: LocalRateLimitSettings;
  private decoder!: StreamDecoderFilterCallbacks;
  /** Of a request that was counted. */
  private result: RateLimitResult | undefined = undefined;

  constructor(settings: LocalRateLimitSettings) {
    this.settings = settings;
  }

  setDecoderFilterCallbacks(callbacks: StreamDecoderFilterCallbacks): void {
    this.decoder = callbacks;
  }

  decodeHeaders(headers: RequestHeaderMap): FilterHeadersStatus {
    this.settings = this.decoder.perFilterConfig<LocalRateLimitSettings>() ?? this.settings;
    const { settings } = this;
    if (!happens(settings.enabled)) return FilterHeadersStatus.Continue;
    this.count(STAT.enabled);
    const result = this.limiter().requestAllowed(
      settings.hasDescriptors ? this.populateDescriptors(headers) : NONE,
    );
    this.result = result;
    if (result.allowed) {
      this.count(STAT.ok);
      return FilterHeadersStatus.Continue;
    }
    this.count(STAT.rate_limited);
    if (result.shadowMode) {
      this.count(STAT.shadow_mode);
      return FilterHeadersStatus.Continue;
    }
    const { streamInfo } = this.decoder;
    if (!happens(settings.enforced)) {
      settings.requestHeadersWhenNotEnforced?.evaluateRequestHeaders(headers, streamInfo);
      return FilterHeadersStatus.Continue;
    }
    this.count(STAT.enforced);
    streamInfo.responseFlags |= ResponseFlag.RateLimited;
    this.decoder.sendLocalReply(settings.status, 'local_rate_limited', 'local_rate_limited', {
      grpcStatus: settings.grpcStatus,
      modifyHeaders: (response) =>
        settings.responseHeaders?.evaluateResponseHeaders(response, headers, streamInfo),
    });
    return FilterHeadersStatus.StopIteration;
  }

  encodeHeaders(headers: ResponseHeaderMap): FilterHeadersStatus {
    const bucket = this.result?.bucket;
    if (bucket === undefined || !this.xRateLimitHeaders()) return FilterHeadersStatus.Continue;
    headers.append('x-ratelimit-limit', String(bucket.settings.maxTokens));
    headers.append('x-ratelimit-remaining', String(bucket.remainingTokens()));
    headers.append('x-ratelimit-reset', String(bucket.resetSeconds()));
    return FilterHeadersStatus.Continue;
  }

  private xRateLimitHeaders(): boolean {
    const { xRateLimitOption } = this.result!;
    return xRateLimitOption === 'UNSPECIFIED'
      ? this.settings.xRateLimitHeaders
      : xRateLimitOption === 'DRAFT_VERSION_03';
  }

  private limiter(): LocalRateLimiter {
    if (!this.settings.perConnection) return this.settings.limiter;
    const { filterState } = this.decoder.streamInfo.connection;
    let one = filterState.get(PER_CONNECTION) as PerConnectionRateLimiter | undefined;
    if (one === undefined) {
      one = new PerConnectionRateLimiter(this.settings);
      filterState.set(PER_CONNECTION, one, { readOnly: true });
    }
    return one.limiter;
  }

  private populateDescriptors(headers: RequestHeaderMap): readonly RateLimitDescriptor[] {
    const { streamInfo: info, streamId } = this.decoder;
    const { policy, stage, virtualHostRateLimits } = this.settings;
    const route = this.decoder.route();
    const request: RateLimitRequest = { headers, info, route, streamId };
    const descriptors: RateLimitDescriptor[] = [];
    if (policy !== undefined) {
      policy.populateDescriptors(0, request, descriptors);
      return descriptors;
    }
    const limits = route?.routeEntry?.rateLimits;
    if (limits === undefined) return descriptors;
    limits.route?.populateDescriptors(stage, request, descriptors);
    const include =
      limits.includeVirtualHost ||
      virtualHostRateLimits === 'INCLUDE' ||
      (virtualHostRateLimits === 'OVERRIDE' && limits.route === undefined);
    if (include) limits.virtualHost?.populateDescriptors(stage, request, descriptors);
    return descriptors;
  }

  private count(offset: number): void {
    const { stats } = this.settings;
    stats.values[stats.base + offset]++;
  }
}

function happens(fraction: RuntimeFraction | undefined): boolean {
  return fraction?.enabled(Math.floor(Math.random() * RANDOM_RANGE)) ?? false;
}
