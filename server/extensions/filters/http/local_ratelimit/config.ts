// envoy.filters.http.local_ratelimit. Envoy: source/extensions/filters/http/local_ratelimit/config.cc,
// api/envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit.proto.

import type { LocalRateLimit } from '../../../../../xds-protos/generated/envoy/extensions/filters/http/local_ratelimit/v3.ts';
import { ConfigError } from '../../../../api/config_error.ts';
import type { HttpFilterFactory } from '../../../../api/registry.ts';
import { LocalRateLimitFilter } from './local_ratelimit.ts';
import { compileLocalRateLimit } from './local_ratelimit_settings.ts';

export const localRateLimitFactory: HttpFilterFactory<LocalRateLimit, LocalRateLimit> = {
  compile(config, context, path) {
    const settings = compileLocalRateLimit(config, context, path);
    return Object.freeze({ isTerminal: false, createFilter: () => new LocalRateLimitFilter(settings) });
  },
  compileRoute(config, context, path) {
    if (config.token_bucket === undefined) {
      throw new ConfigError(path, 'local rate limit token bucket must be set for per filter configs');
    }
    return compileLocalRateLimit(config, context, path);
  },
};
