// Compiles AccessLogFilter. Envoy: FilterFactory::fromProto in source/common/access_log/access_log_impl.cc,
// api/envoy/config/accesslog/v3/accesslog.proto.

import type * as accesslog from '../../../xds-protos/generated/envoy/config/accesslog/v3.ts';
import type { AccessLogFilter, LogContext } from '../../api/access_log.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { FactoryContext } from '../../api/registry.ts';
import { GRPC_STATUS_SNAKE } from '../grpc/status.ts';
import { compileHeaderMatcher } from '../matcher/header_matcher.ts';
import { compileMetadataMatcher } from '../matcher/value_matcher.ts';
import { compileRuntimeFraction } from '../router/runtime_fraction.ts';
import { responseFlagFromShortString } from '../stream_info/response_flags.ts';
import { currentDurationMs } from '../stream_info/stream_info.ts';
import {
  AndFilter,
  ComparisonFilter,
  GrpcStatusFilter,
  HeaderFilter,
  LogTypeFilter,
  MatchAllFilter,
  MetadataFilter,
  NotHealthCheckFilter,
  OrFilter,
  ResponseFlagFilter,
  RuntimeFilter,
  TraceableRequestFilter,
} from './filters.ts';

/** Compiles a filter. Throws ConfigError at the field that is wrong or has no extension. */
export function compileAccessLogFilter(
  config: accesslog.AccessLogFilter,
  context: FactoryContext,
  path: string,
): AccessLogFilter {
  const { runtime } = context;
  if (config.status_code_filter !== undefined) {
    const comparison = config.status_code_filter.comparison;
    return new ComparisonFilter(({ streamInfo }) => streamInfo.responseCode, comparison, runtime);
  }
  if (config.duration_filter !== undefined) {
    const duration = ({ streamInfo }: LogContext): number => Math.floor(currentDurationMs(streamInfo));
    return new ComparisonFilter(duration, config.duration_filter.comparison, runtime);
  }
  if (config.not_health_check_filter !== undefined) return new NotHealthCheckFilter();
  if (config.traceable_filter !== undefined) return new TraceableRequestFilter();
  if (config.runtime_filter !== undefined) {
    const { runtime_key, percent_sampled, use_independent_randomness } = config.runtime_filter;
    const fraction = { runtime_key, default_value: percent_sampled };
    return new RuntimeFilter(
      compileRuntimeFraction(fraction, runtime, at(path, 'runtime_filter')),
      use_independent_randomness,
    );
  }
  if (config.and_filter !== undefined) {
    return new AndFilter(compileList(config.and_filter.filters, context, at(path, 'and_filter')));
  }
  if (config.or_filter !== undefined) {
    return new OrFilter(compileList(config.or_filter.filters, context, at(path, 'or_filter')));
  }
  if (config.header_filter?.header !== undefined) {
    return new HeaderFilter(
      compileHeaderMatcher(config.header_filter.header, at(path, 'header_filter.header')),
    );
  }
  if (config.response_flag_filter !== undefined) {
    return new ResponseFlagFilter(
      flagsOf(config.response_flag_filter.flags, at(path, 'response_flag_filter.flags')),
    );
  }
  if (config.grpc_status_filter !== undefined) {
    const statuses = config.grpc_status_filter.statuses.map(grpcStatusNumber);
    return new GrpcStatusFilter(new Set(statuses), config.grpc_status_filter.exclude);
  }
  if (config.metadata_filter !== undefined) {
    return compileMetadataFilter(config.metadata_filter, at(path, 'metadata_filter'));
  }
  if (config.log_type_filter !== undefined) {
    const { types, exclude } = config.log_type_filter;
    return new LogTypeFilter(new Set(types.map(String)), exclude);
  }
  if (config.extension_filter !== undefined) {
    return compileExtensionFilter(config.extension_filter, context, at(path, 'extension_filter'));
  }
  throw new ConfigError(path, 'filter_specifier: is required');
}

function compileList(
  configs: readonly accesslog.AccessLogFilter[],
  context: FactoryContext,
  path: string,
): readonly AccessLogFilter[] {
  return configs.map((config, i) => compileAccessLogFilter(config, context, at(at(path, 'filters'), i)));
}

function flagsOf(names: readonly string[], path: string): number {
  let flags = 0;
  for (const [i, name] of names.entries()) {
    const bit = responseFlagFromShortString(name);
    if (bit === undefined) throw new ConfigError(at(path, i), `unknown response flag '${name}'`);
    flags |= bit;
  }
  return flags;
}

/** The proto spells it CANCELED, everything else in gRPC CANCELLED. */
function grpcStatusNumber(status: accesslog.GrpcStatusFilter_Status): number {
  if (typeof status === 'number') return status;
  return status === 'CANCELED' ? 1 : GRPC_STATUS_SNAKE.indexOf(status);
}

function compileMetadataFilter(config: accesslog.MetadataFilter, path: string): AccessLogFilter {
  if (config.matcher === undefined) return new MatchAllFilter();
  const keys = config.matcher.path.map((segment) => segment.key ?? '');
  const matcher = compileMetadataMatcher(config.matcher, at(path, 'matcher'));
  return new MetadataFilter(
    matcher,
    config.matcher.filter,
    keys,
    config.match_if_key_not_found?.value ?? true,
  );
}

function compileExtensionFilter(
  config: accesslog.ExtensionFilter,
  context: FactoryContext,
  path: string,
): AccessLogFilter {
  const { factory, config: message } = context.registry.resolve(
    'envoy.access_loggers.extension_filters',
    config.name,
    config.typed_config,
    path,
  );
  return factory.compile(message, context, path) as AccessLogFilter;
}
