// `rate_limits` of routes and virtual hosts. What compiles them is loaded with the first: few configurations have any.

import { createRequire } from 'node:module';
import type { RateLimit } from '../../../xds-protos/generated/envoy/config/route/v3.ts';
import type { RateLimitPolicy, RouteRateLimits } from '../../api/rate_limit.ts';
import type { FactoryContext } from '../../api/registry.ts';

const require = createRequire(import.meta.url);

/** Undefined for an empty list. Throws ConfigError. */
export function compileRateLimits(
  configs: readonly RateLimit[],
  context: FactoryContext,
  path: string,
): RateLimitPolicy | undefined {
  if (configs.length === 0) return undefined;
  const { compileRateLimitPolicy } =
    require('../rate_limit/rate_limit_policy.ts') as typeof import('../rate_limit/rate_limit_policy.ts');
  return compileRateLimitPolicy(configs, 'route', context, path);
}

/** Undefined where neither the route nor its virtual host has any. */
export function routeRateLimits(
  route: RateLimitPolicy | undefined,
  virtualHost: RateLimitPolicy | undefined,
  includeVirtualHost: boolean,
): RouteRateLimits | undefined {
  if (route === undefined && virtualHost === undefined) return undefined;
  return { route, virtualHost, includeVirtualHost };
}
