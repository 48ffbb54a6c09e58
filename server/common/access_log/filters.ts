// The access log filters: which requests are written. Envoy: source/common/access_log/access_log_impl.cc.

import type * as accesslog from '../../../xds-protos/generated/envoy/config/accesslog/v3.ts';
import type { AccessLogFilter, LogContext } from '../../api/access_log.ts';
import type { Runtime } from '../../api/runtime.ts';
import { getGrpcStatus } from '../grpc/status.ts';
import type { HeaderMatcher } from '../matcher/header_matcher.ts';
import type { MetadataMatcher } from '../matcher/value_matcher.ts';
import type { RuntimeFraction } from '../router/runtime_fraction.ts';

const GRPC_UNKNOWN = 2;
/** Where a UUID request id says how it is traced, and the character for "forced by the service" (x-envoy-force-trace). */
const TRACE_POSITION = 14;
const TRACE_FORCED = 'a';

export class ComparisonFilter implements AccessLogFilter {
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

export class NotHealthCheckFilter implements AccessLogFilter {
  evaluate({ streamInfo }: LogContext): boolean {
    return !streamInfo.healthCheck;
  }
}

export class TraceableRequestFilter implements AccessLogFilter {
  evaluate({ requestHeaders }: LogContext): boolean {
    return requestHeaders?.get('x-request-id')?.[TRACE_POSITION] === TRACE_FORCED;
  }
}

export class RuntimeFilter implements AccessLogFilter {
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

export class AndFilter implements AccessLogFilter {
  private readonly filters: readonly AccessLogFilter[];
  constructor(filters: readonly AccessLogFilter[]) {
    this.filters = filters;
  }
  evaluate(context: LogContext): boolean {
    return this.filters.every((filter) => filter.evaluate(context));
  }
}

export class OrFilter implements AccessLogFilter {
  private readonly filters: readonly AccessLogFilter[];
  constructor(filters: readonly AccessLogFilter[]) {
    this.filters = filters;
  }
  evaluate(context: LogContext): boolean {
    return this.filters.some((filter) => filter.evaluate(context));
  }
}

export class HeaderFilter implements AccessLogFilter {
  private readonly matcher: HeaderMatcher;
  constructor(matcher: HeaderMatcher) {
    this.matcher = matcher;
  }
  evaluate({ requestHeaders }: LogContext): boolean {
    return requestHeaders !== undefined && this.matcher.match(requestHeaders);
  }
}

export class ResponseFlagFilter implements AccessLogFilter {
  private readonly flags: number;
  /** 0: any flag. */
  constructor(flags: number) {
    this.flags = flags;
  }
  evaluate({ streamInfo }: LogContext): boolean {
    return this.flags === 0 ? streamInfo.responseFlags !== 0 : (streamInfo.responseFlags & this.flags) !== 0;
  }
}

export class GrpcStatusFilter implements AccessLogFilter {
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

export class MetadataFilter implements AccessLogFilter {
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

export class LogTypeFilter implements AccessLogFilter {
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

export class MatchAllFilter implements AccessLogFilter {
  evaluate(): boolean {
    return true;
  }
}
