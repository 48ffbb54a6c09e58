// A compiled LocalRateLimit: of the filter itself, or of a route. Envoy: FilterConfig in local_ratelimit.cc.

import { enumType } from '../../../../../xds-protos/descriptors.ts';
import type { LocalRateLimit } from '../../../../../xds-protos/generated/envoy/extensions/filters/http/local_ratelimit/v3.ts';
import { at, ConfigError } from '../../../../api/config_error.ts';
import type { RateLimitPolicy } from '../../../../api/rate_limit.ts';
import type { FactoryContext } from '../../../../api/registry.ts';
import type { StatBlock } from '../../../../api/stats.ts';
import {
  compileDescriptors,
  compileTokenBucket,
  LocalRateLimiter,
  type RateLimiterSettings,
  rateLimiterBytes,
} from '../../../../common/rate_limit/local_rate_limiter.ts';
import { compileRateLimitPolicy } from '../../../../common/rate_limit/rate_limit_policy.ts';
import { compileHeaderParser, type HeaderParser } from '../../../../common/router/header_parser.ts';
import { compileRuntimeFraction, type RuntimeFraction } from '../../../../common/router/runtime_fraction.ts';
import { statSchema } from '../../../../common/stats/schema.ts';

export const LOCAL_RATE_LIMIT_STATS = statSchema('http_local_rate_limit', {
  enabled: 'counter',
  enforced: 'counter',
  rate_limited: 'counter',
  ok: 'counter',
  shadow_mode: 'counter',
});

/** Source: LocalRateLimit.max_dynamic_descriptors. */
const DEFAULT_MAX_DYNAMIC_DESCRIPTORS = 20;
/** Ours: 24 MB of shared memory. */
const MAX_DYNAMIC_DESCRIPTORS = 1_000_000;
const TOO_MANY_REQUESTS = 429;
const RESOURCE_EXHAUSTED = 8;

export interface LocalRateLimitSettings {
  /** The status of the answer. */
  readonly status: number;
  /** Of the answer to gRPC; undefined: what the status maps to. */
  readonly grpcStatus: number | undefined;
  /** Undefined: never. */
  readonly enabled: RuntimeFraction | undefined;
  readonly enforced: RuntimeFraction | undefined;
  readonly requestHeadersWhenNotEnforced: HeaderParser | undefined;
  readonly responseHeaders: HeaderParser | undefined;
  readonly stage: number;
  readonly virtualHostRateLimits: 'OVERRIDE' | 'INCLUDE' | 'IGNORE';
  /** The filter's own, in place of those of routes. */
  readonly policy: RateLimitPolicy | undefined;
  readonly hasDescriptors: boolean;
  readonly xRateLimitHeaders: boolean;
  readonly perConnection: boolean;
  readonly limits: RateLimiterSettings;
  readonly limiter: LocalRateLimiter;
  readonly stats: StatBlock<keyof typeof LOCAL_RATE_LIMIT_STATS.offset>;
}

/** Throws ConfigError. */
export function compileLocalRateLimit(
  config: LocalRateLimit,
  context: FactoryContext,
  path: string,
): LocalRateLimitSettings {
  const { status, filter_enabled: enabled, filter_enforced: enforced, vh_rate_limits: virtualHost } = config;
  if (config.local_cluster_rate_limit !== undefined) {
    throw new ConfigError(at(path, 'local_cluster_rate_limit'), 'local_cluster_rate_limit is not supported');
  }
  if (typeof virtualHost === 'number') {
    throw new ConfigError(at(path, 'vh_rate_limits'), `unknown value ${virtualHost}`);
  }
  const limits = compileLimits(config, path);
  const name = status?.code ?? 'Empty';
  const code = typeof name === 'number' ? name : enumType('envoy.type.v3.StatusCode').numberOf.get(name)!;
  return Object.freeze({
    status: code >= 400 ? code : TOO_MANY_REQUESTS,
    grpcStatus: config.rate_limited_as_resource_exhausted ? RESOURCE_EXHAUSTED : undefined,
    enabled: enabled && compileRuntimeFraction(enabled, context.runtime, at(path, 'filter_enabled')),
    enforced: enforced && compileRuntimeFraction(enforced, context.runtime, at(path, 'filter_enforced')),
    requestHeadersWhenNotEnforced: compileHeaderParser(
      config.request_headers_to_add_when_not_enforced,
      [],
      context,
      path,
      'request_headers',
    ),
    responseHeaders: compileHeaderParser(
      config.response_headers_to_add,
      [],
      context,
      path,
      'response_headers',
    ),
    stage: config.stage,
    virtualHostRateLimits: virtualHost,
    policy:
      config.rate_limits.length === 0
        ? undefined
        : compileRateLimitPolicy(config.rate_limits, 'filter', context, at(path, 'rate_limits')),
    hasDescriptors: config.descriptors.length > 0,
    xRateLimitHeaders: config.enable_x_ratelimit_headers === 'DRAFT_VERSION_03',
    perConnection: config.local_rate_limit_per_downstream_connection,
    limits,
    limiter: new LocalRateLimiter(limits, context.sharedMemory(path, rateLimiterBytes(limits))),
    stats: context.stats.block(LOCAL_RATE_LIMIT_STATS, `${config.stat_prefix}.http_local_rate_limit.`),
  });
}

function compileLimits(config: LocalRateLimit, path: string): RateLimiterSettings {
  const maxDynamicDescriptors = config.max_dynamic_descriptors?.value ?? DEFAULT_MAX_DYNAMIC_DESCRIPTORS;
  if (maxDynamicDescriptors > MAX_DYNAMIC_DESCRIPTORS) {
    throw new ConfigError(at(path, 'max_dynamic_descriptors'), `at most ${MAX_DYNAMIC_DESCRIPTORS}`);
  }
  return {
    bucket: compileTokenBucket(config.token_bucket, at(path, 'token_bucket')),
    descriptors: compileDescriptors(config.descriptors, at(path, 'descriptors')),
    alwaysConsumeDefault: config.always_consume_default_token_bucket?.value ?? true,
    maxDynamicDescriptors,
  };
}
