// AccessLogFilter: which requests an access log writes. Envoy: source/common/access_log/access_log_impl.cc,
// api/envoy/config/accesslog/v3/accesslog.proto.

import type * as accesslog from '../../../xds-protos/generated/envoy/config/accesslog/v3.ts';
import type { AccessLogFilter, LogContext } from '../../api/access_log.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { FactoryContext } from '../../api/registry.ts';
import type { Runtime } from '../../api/runtime.ts';
import { GRPC_STATUS_SNAKE, getGrpcStatus } from '../grpc/status.ts';
import { compileHeaderMatcher, type HeaderMatcher } from '../matcher/header_matcher.ts';
import { compileMetadataMatcher, type MetadataMatcher } from '../matcher/value_matcher.ts';
import { compileRuntimeFraction, type RuntimeFraction } from '../router/runtime_fraction.ts';
import { responseFlagFromShortString } from '../stream_info/response_flags.ts';
import { currentDurationMs } from '../stream_info/stream_info.ts';

const GRPC_UNKNOWN = 2;
/** Where a UUID request id says how it is traced, and the character for "forced by the service" (x-envoy-force-trace). */
const TRACE_POSITION = 14;
const TRACE_FORCED = 'a';

class ComparisonFilter implements AccessLogFilter {
  private readonly value: (context: LogContext) => number;
  private readonly op: string;
  private readonly threshold: number;
  private readonly runtimeKey: string;
  private readonly runtime: Runtime;

  constructor(
    value: (context: LogContext) => number,
    config: accesslog.ComparisonFilter | undefined,
    runtime: Runtime,
  ) {
    this.value = value;
    this.op = String(config?.op ?? 'EQ');
    this.threshold = config?.value?.default_value ?? 0;
    this.runtimeKey = config?.value?.runtime_key ?? '';
    this.runtime = runtime;
  }

  evaluate(context: LogContext): boolean {
    const value = this.value(context);
    const { threshold, runtimeKey } = this;
    const limit = runtimeKey === '' ? threshold : this.runtime.getInteger(runtimeKey, threshold);
    switch (this.op) {
      case 'GE':
        return value >= limit;
      case 'LE':
        return value <= limit;
      case 'NE':
        return value !== limit;
      default:
        return value === limit;
    }
  }
}

class NotHealthCheckFilter implements AccessLogFilter {
  evaluate({ streamInfo }: LogContext): boolean {
    return !streamInfo.healthCheck;
  }
}

class TraceableRequestFilter implements AccessLogFilter {
  evaluate({ requestHeaders }: LogContext): boolean {
    return requestHeaders?.get('x-request-id')?.[TRACE_POSITION] === TRACE_FORCED;
  }
}

class RuntimeFilter implements AccessLogFilter {
  private readonly fraction: RuntimeFraction;
  private readonly useIndependentRandomness: boolean;

  constructor(fraction: RuntimeFraction, useIndependentRandomness: boolean) {
    this.fraction = fraction;
    this.useIndependentRandomness = useIndependentRandomness;
  }

  evaluate({ requestHeaders }: LogContext): boolean {
    const id = this.useIndependentRandomness ? undefined : requestHeaders?.get('x-request-id');
    return this.fraction.enabled(randomOf(id));
  }
}

/** The same number for the same request id, so that all hops log the same requests; else a random one. */
function randomOf(requestId: string | undefined): number {
  const value = requestId === undefined ? Number.NaN : Number.parseInt(requestId.slice(0, 8), 16);
  return Number.isNaN(value) ? Math.floor(Math.random() * 0x1_0000_0000) : value;
}

class AndFilter implements AccessLogFilter {
  private readonly filters: readonly AccessLogFilter[];
  constructor(filters: readonly AccessLogFilter[]) {
    this.filters = filters;
  }
  evaluate(context: LogContext): boolean {
    return this.filters.every((filter) => filter.evaluate(context));
  }
}

class OrFilter implements AccessLogFilter {
  private readonly filters: readonly AccessLogFilter[];
  constructor(filters: readonly AccessLogFilter[]) {
    this.filters = filters;
  }
  evaluate(context: LogContext): boolean {
    return this.filters.some((filter) => filter.evaluate(context));
  }
}

class HeaderFilter implements AccessLogFilter {
  private readonly matcher: HeaderMatcher;
  constructor(matcher: HeaderMatcher) {
    this.matcher = matcher;
  }
  evaluate({ requestHeaders }: LogContext): boolean {
    return requestHeaders !== undefined && this.matcher.match(requestHeaders);
  }
}

class ResponseFlagFilter implements AccessLogFilter {
  private readonly flags: number;
  /** 0: any flag. */
  constructor(flags: number) {
    this.flags = flags;
  }
  evaluate({ streamInfo }: LogContext): boolean {
    return this.flags === 0 ? streamInfo.responseFlags !== 0 : (streamInfo.responseFlags & this.flags) !== 0;
  }
}

class GrpcStatusFilter implements AccessLogFilter {
  private readonly statuses: ReadonlySet<number>;
  private readonly exclude: boolean;
  constructor(statuses: ReadonlySet<number>, exclude: boolean) {
    this.statuses = statuses;
    this.exclude = exclude;
  }
  evaluate({ responseTrailers, responseHeaders, streamInfo }: LogContext): boolean {
    const status = getGrpcStatus(responseTrailers, responseHeaders, streamInfo.responseCode) ?? GRPC_UNKNOWN;
    return this.statuses.has(status) !== this.exclude;
  }
}

class MetadataFilter implements AccessLogFilter {
  private readonly matcher: MetadataMatcher;
  private readonly keys: readonly string[];
  private readonly namespace: string;
  private readonly matchIfKeyNotFound: boolean;

  constructor(
    matcher: MetadataMatcher,
    namespace: string,
    keys: readonly string[],
    matchIfKeyNotFound: boolean,
  ) {
    this.matcher = matcher;
    this.namespace = namespace;
    this.keys = keys;
    this.matchIfKeyNotFound = matchIfKeyNotFound;
  }

  evaluate({ streamInfo }: LogContext): boolean {
    const metadata = streamInfo.dynamicMetadata;
    let value: unknown = metadata?.get(this.namespace);
    for (const key of this.keys) {
      if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key))
        return this.matchIfKeyNotFound;
      value = (value as Readonly<Record<string, unknown>>)[key];
    }
    return value === undefined ? this.matchIfKeyNotFound : this.matcher.match(metadata);
  }
}

class LogTypeFilter implements AccessLogFilter {
  private readonly types: ReadonlySet<string>;
  private readonly exclude: boolean;
  constructor(types: ReadonlySet<string>, exclude: boolean) {
    this.types = types;
    this.exclude = exclude;
  }
  evaluate({ accessLogType }: LogContext): boolean {
    return this.types.has(accessLogType) !== this.exclude;
  }
}

class MatchAllFilter implements AccessLogFilter {
  evaluate(): boolean {
    return true;
  }
}

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
