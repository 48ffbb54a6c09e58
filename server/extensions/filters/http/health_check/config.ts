// envoy.filters.http.health_check: answers health checks of this proxy itself.
// Envoy: source/extensions/filters/http/health_check/config.cc, api/envoy/extensions/filters/http/health_check/v3.

import type { HealthCheck } from '../../../../../xds-protos/generated/envoy/extensions/filters/http/health_check/v3.ts';
import { durationMs, wrapperValue } from '../../../../../xds-protos/well_known.ts';
import { at, ConfigError } from '../../../../api/config_error.ts';
import type { HttpFilterFactory } from '../../../../api/registry.ts';
import { compileHeaderMatchers } from '../../../../common/matcher/header_matcher.ts';
import { HEALTH_CHECK_FILTER_STATS, HealthCheckCache, HealthCheckFilter } from './health_check.ts';

export const healthCheckFilterFactory: HttpFilterFactory<HealthCheck> = {
  compile(config, context, path) {
    const passThrough = wrapperValue(config.pass_through_mode) ?? false;
    const cacheMs = durationMs(config.cache_time) ?? 0;
    if (!passThrough && cacheMs > 0) {
      const reason = 'cache_time_ms must not be set when path_through_mode is disabled';
      throw new ConfigError(at(path, 'cache_time'), reason);
    }
    const percentages = Object.entries(config.cluster_min_healthy_percentages);
    const settings = Object.freeze({
      passThrough,
      cache: cacheMs > 0 ? new HealthCheckCache(cacheMs) : undefined,
      headers: compileHeaderMatchers(config.headers, at(path, 'headers')),
      minHealthyPercentages: percentages.map(([name, { value }]) => [name, value] as const),
      clusterManager: context.clusterManager,
      nodeCluster: context.server.nodeCluster,
      stats: context.stats.block(HEALTH_CHECK_FILTER_STATS, `${context.httpStatPrefix}health_check.`),
    });
    return Object.freeze({ isTerminal: false, createFilter: () => new HealthCheckFilter(settings) });
  },
};
