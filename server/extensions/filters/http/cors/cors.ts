// Answers CORS preflights and adds the CORS headers to responses. Envoy: source/extensions/filters/http/cors/cors_filter.cc.

import {
  FilterHeadersStatus,
  type HttpFilter,
  type StreamDecoderFilterCallbacks,
} from '../../../../api/http/filter.ts';
import type { RequestHeaderMap, ResponseHeaderMap } from '../../../../api/http/header_map.ts';
import type { StatBlock } from '../../../../api/stats.ts';
import { ResponseHeaders } from '../../../../common/http/header_map.ts';
import type { StringMatcher } from '../../../../common/matcher/string_matcher.ts';
import type { RuntimeFraction } from '../../../../common/router/runtime_fraction.ts';
import { statSchema } from '../../../../common/stats/schema.ts';

export const CORS_STATS = statSchema('http.cors', { origin_valid: 'counter', origin_invalid: 'counter' });
const STAT = CORS_STATS.offset;

/** A compiled CorsPolicy. */
export interface CorsPolicy {
  readonly allowOrigins: readonly StringMatcher[];
  readonly allowMethods: string;
  readonly allowHeaders: string;
  readonly exposeHeaders: string;
  readonly maxAge: string;
  readonly allowCredentials: boolean;
  readonly allowPrivateNetworkAccess: boolean;
  readonly forwardNotMatchingPreflights: boolean;
  /** Undefined: always. */
  readonly enabled: RuntimeFraction | undefined;
  /** Undefined: never. In shadow, origins are judged and counted only. */
  readonly shadowEnabled: RuntimeFraction | undefined;
}

export class CorsFilter implements HttpFilter {
  private readonly stats: StatBlock<keyof typeof STAT>;
  private callbacks!: StreamDecoderFilterCallbacks;
  /** The policy of a request with an origin that is enforced. */
  private policy: CorsPolicy | undefined = undefined;
  /** The origin when it is allowed, else ''. */
  private origin = '';

  constructor(stats: StatBlock<keyof typeof STAT>) {
    this.stats = stats;
  }

  setDecoderFilterCallbacks(callbacks: StreamDecoderFilterCallbacks): void {
    this.callbacks = callbacks;
  }

  decodeHeaders(headers: RequestHeaderMap): FilterHeadersStatus {
    const origin = headers.get('origin');
    if (origin === undefined || origin === '') return FilterHeadersStatus.Continue;
    const { callbacks } = this;
    const policy =
      callbacks.route()?.routeEntry === undefined ? undefined : callbacks.perFilterConfig<CorsPolicy>();
    if (policy === undefined) return FilterHeadersStatus.Continue;

    const enabled = policy.enabled?.enabled(callbacks.streamId) ?? true;
    if (!enabled && !policy.shadowEnabled?.enabled(callbacks.streamId)) return FilterHeadersStatus.Continue;
    const allowed = isOriginAllowed(policy, origin);
    this.stats.values[this.stats.base + (allowed ? STAT.origin_valid : STAT.origin_invalid)]++;
    if (!enabled) return FilterHeadersStatus.Continue;

    this.policy = policy;
    if (allowed) this.origin = origin;
    const method = headers.method === 'OPTIONS' ? headers.get('access-control-request-method') : undefined;
    if (method === undefined || method === '') return FilterHeadersStatus.Continue;
    if (!allowed && policy.forwardNotMatchingPreflights) return FilterHeadersStatus.Continue;
    callbacks.streamInfo.responseCodeDetails = 'cors_response';
    callbacks.encodeHeaders(preflightResponse(policy, this.origin, method, headers), true);
    return FilterHeadersStatus.StopIteration;
  }

  encodeHeaders(headers: ResponseHeaderMap): FilterHeadersStatus {
    const { policy, origin } = this;
    if (policy === undefined || origin === '') return FilterHeadersStatus.Continue;
    headers.set('access-control-allow-origin', origin);
    if (policy.allowCredentials) headers.set('access-control-allow-credentials', 'true');
    if (policy.exposeHeaders !== '') headers.set('access-control-expose-headers', policy.exposeHeaders);
    return FilterHeadersStatus.Continue;
  }
}

/** A pattern that matches the literal `*` allows every origin. */
function isOriginAllowed(policy: CorsPolicy, origin: string): boolean {
  for (const matcher of policy.allowOrigins) {
    if (matcher.match('*') || matcher.match(origin)) return true;
  }
  return false;
}

/** `*` in the policy echoes what the browser asked for. */
function preflightResponse(
  policy: CorsPolicy,
  origin: string,
  method: string,
  request: RequestHeaderMap,
): ResponseHeaderMap {
  const response = new ResponseHeaders(200);
  if (origin !== '') response.set('access-control-allow-origin', origin);
  if (policy.allowCredentials) response.set('access-control-allow-credentials', 'true');
  if (policy.allowMethods !== '') {
    response.set('access-control-allow-methods', policy.allowMethods === '*' ? method : policy.allowMethods);
  }
  if (policy.allowHeaders !== '') {
    const asked = request.get('access-control-request-headers') ?? '';
    response.set('access-control-allow-headers', policy.allowHeaders === '*' ? asked : policy.allowHeaders);
  }
  if (policy.maxAge !== '') response.set('access-control-max-age', policy.maxAge);
  if (policy.allowPrivateNetworkAccess && request.get('access-control-request-private-network') === 'true') {
    response.set('access-control-allow-private-network', 'true');
  }
  return response;
}
