// envoy.filters.http.cors: the filter itself has no settings, everything is in the CorsPolicy of routes and virtual hosts.
// Envoy: source/extensions/filters/http/cors/config.cc, api/envoy/extensions/filters/http/cors/v3/cors.proto.

import type * as cors from '../../../../../xds-protos/generated/envoy/extensions/filters/http/cors/v3.ts';
import { at } from '../../../../api/config_error.ts';
import type { HttpFilterFactory } from '../../../../api/registry.ts';
import { latin1Of } from '../../../../common/matcher/latin1.ts';
import { compileStringMatcher } from '../../../../common/matcher/string_matcher.ts';
import { compileRuntimeFraction } from '../../../../common/router/runtime_fraction.ts';
import { CORS_STATS, CorsFilter, type CorsPolicy } from './cors.ts';

export const corsFactory: HttpFilterFactory<cors.Cors, cors.CorsPolicy> = {
  compile(_config, context) {
    const stats = context.stats.block(CORS_STATS, `${context.httpStatPrefix}cors.`);
    return Object.freeze({ isTerminal: false, createFilter: () => new CorsFilter(stats) });
  },
  compileRoute(config, { runtime }, path): CorsPolicy {
    const { filter_enabled, shadow_enabled } = config;
    const origins = at(path, 'allow_origin_string_match');
    return Object.freeze({
      allowOrigins: config.allow_origin_string_match.map((matcher, i) =>
        compileStringMatcher(matcher, at(origins, i)),
      ),
      allowMethods: latin1Of(config.allow_methods),
      allowHeaders: latin1Of(config.allow_headers),
      exposeHeaders: latin1Of(config.expose_headers),
      maxAge: latin1Of(config.max_age),
      allowCredentials: config.allow_credentials?.value ?? false,
      allowPrivateNetworkAccess: config.allow_private_network_access?.value ?? false,
      // Default true (CorsPolicy.forward_not_matching_preflights).
      forwardNotMatchingPreflights: config.forward_not_matching_preflights?.value ?? true,
      enabled: filter_enabled && compileRuntimeFraction(filter_enabled, runtime, at(path, 'filter_enabled')),
      shadowEnabled:
        shadow_enabled && compileRuntimeFraction(shadow_enabled, runtime, at(path, 'shadow_enabled')),
    });
  },
};
