// What rate limits of routes and filters say about a request: descriptors, which buckets or a service go by.
// Envoy: envoy/ratelimit/ratelimit.h, envoy/router/router_ratelimit.h.

import type { RequestHeaderMap } from './http/header_map.ts';
import type { Route } from './router.ts';
import type { StreamInfo } from './stream_info.ts';

export interface RateLimitDescriptorEntry {
  readonly key: string;
  readonly value: string;
}

export interface RateLimitDescriptor {
  readonly entries: readonly RateLimitDescriptorEntry[];
  /** Tokens that the request costs; undefined = 1. */
  readonly hitsAddend: number | undefined;
  /** The tokens are given back instead. */
  readonly isNegativeHits: boolean;
  /** Overrules the filter's own choice, unless UNSPECIFIED. */
  readonly xRateLimitOption: 'UNSPECIFIED' | 'OFF' | 'DRAFT_VERSION_03';
}

/** What descriptors are made of. */
export interface RateLimitRequest {
  readonly headers: RequestHeaderMap;
  readonly info: StreamInfo;
  readonly route: Route | undefined;
  readonly streamId: number;
}

/** The `rate_limits` of one level. */
export interface RateLimitPolicy {
  /** Adds a descriptor for each entry of `stage` (0 to 10) whose actions all apply. */
  populateDescriptors(stage: number, request: RateLimitRequest, descriptors: RateLimitDescriptor[]): void;
}

/** Of a route, with those of its virtual host. */
export interface RouteRateLimits {
  readonly route: RateLimitPolicy | undefined;
  readonly virtualHost: RateLimitPolicy | undefined;
  readonly includeVirtualHost: boolean;
}
