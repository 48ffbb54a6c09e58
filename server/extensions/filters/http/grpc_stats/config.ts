// envoy.filters.http.grpc_stats. Envoy: source/extensions/filters/http/grpc_stats/grpc_stats_filter.cc,
// api/envoy/extensions/filters/http/grpc_stats/v3/config.proto.

import type { FilterConfig } from '../../../../../xds-protos/generated/envoy/extensions/filters/http/grpc_stats/v3.ts';
import { at, ConfigError } from '../../../../api/config_error.ts';
import type { HttpFilterFactory } from '../../../../api/registry.ts';
import { GrpcMethodStats } from './grpc_method_stats.ts';
import { GrpcStatsFilter, type GrpcStatsFilterConfig } from './grpc_stats.ts';

export const grpcStatsFactory: HttpFilterFactory<FilterConfig> = {
  compile(config, { stats }, path) {
    const allMethods = config.stats_for_all_methods?.value ?? false;
    if (config.replace_dots_in_grpc_service_name && !allMethods) {
      throw new ConfigError(
        at(path, 'replace_dots_in_grpc_service_name'),
        'only has an effect with stats_for_all_methods',
      );
    }
    const filterConfig: GrpcStatsFilterConfig = {
      emitFilterState: config.emit_filter_state,
      upstreamStats: config.enable_upstream_stats,
      allMethods,
      replaceDots: config.replace_dots_in_grpc_service_name,
      allowlist: new Set(allowedPaths(config)),
      methodStats: new GrpcMethodStats(stats),
    };
    return Object.freeze({ isTerminal: false, createFilter: () => new GrpcStatsFilter(filterConfig) });
  },
};

/** `service/method` of the methods that are counted by name. */
function allowedPaths(config: FilterConfig): string[] {
  const services = config.individual_method_stats_allowlist?.services ?? [];
  return services.flatMap((service) => service.method_names.map((method) => `${service.name}/${method}`));
}
