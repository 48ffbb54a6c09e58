// A compiled HTTPFault and what it says for one request; a client may ask for faults by header where it allows that.
// Envoy: source/extensions/filters/common/fault/fault_config.cc.

import type { RequestHeaderMap } from '../../../../api/http/header_map.ts';
import type { HeaderMatcher } from '../../../../common/matcher/header_matcher.ts';

export interface Percentage {
  readonly numerator: number;
  readonly denominator: 100 | 10_000 | 1_000_000;
}

export interface DelaySettings {
  readonly percentage: Percentage;
  /** ms; undefined: the header x-envoy-fault-delay-request says. */
  readonly fixedMs: number | undefined;
}

export interface AbortSettings {
  readonly percentage: Percentage;
  /** x-envoy-fault-abort-request and x-envoy-fault-abort-grpc-request say. */
  readonly byHeader: boolean;
  readonly httpStatus: number | undefined;
  readonly grpcStatus: number | undefined;
}

export interface RateLimitSettings {
  readonly percentage: Percentage;
  /** KiB/s; undefined: the header x-envoy-fault-throughput-response says. */
  readonly fixedKbps: number | undefined;
}

export interface FaultSettings {
  readonly delay: DelaySettings | undefined;
  readonly abort: AbortSettings | undefined;
  readonly responseRateLimit: RateLimitSettings | undefined;
  readonly headers: readonly HeaderMatcher[];
  /** '' = any. */
  readonly upstreamCluster: string;
  /** Empty = any. */
  readonly downstreamNodes: ReadonlySet<string>;
  readonly maxActiveFaults: number;
  readonly filterMetadata: Readonly<Record<string, unknown>> | undefined;
  readonly downstreamClusterStats: boolean;
  readonly delayPercentRuntime: string;
  readonly abortPercentRuntime: string;
  readonly delayDurationRuntime: string;
  readonly abortHttpStatusRuntime: string;
  readonly abortGrpcStatusRuntime: string;
  readonly maxActiveFaultsRuntime: string;
  readonly responseRateLimitPercentRuntime: string;
}

/** A header that is a whole number, or undefined. */
export function integerHeader(headers: RequestHeaderMap, name: string): number | undefined {
  const text = headers.get(name);
  if (text === undefined || text === '') return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

/** A client may lower the percentage by header (`<fault header>-percentage`), never raise it. */
export function numeratorFor(
  percentage: Percentage,
  byHeader: boolean,
  headers: RequestHeaderMap,
  name: string,
): number {
  const asked = byHeader ? integerHeader(headers, name) : undefined;
  return asked === undefined ? percentage.numerator : Math.min(asked, percentage.numerator);
}

/** ms; undefined: no delay for this request. */
export function delayFor(delay: DelaySettings, headers: RequestHeaderMap): number | undefined {
  return delay.fixedMs ?? integerHeader(headers, 'x-envoy-fault-delay-request');
}

/** The HTTP status to abort with, or undefined. */
export function httpStatusFor(abort: AbortSettings, headers: RequestHeaderMap): number | undefined {
  if (!abort.byHeader) return abort.httpStatus;
  const status = integerHeader(headers, 'x-envoy-fault-abort-request');
  return status !== undefined && isAbortStatus(status) ? status : undefined;
}

export function grpcStatusFor(abort: AbortSettings, headers: RequestHeaderMap): number | undefined {
  return abort.byHeader ? integerHeader(headers, 'x-envoy-fault-abort-grpc-request') : abort.grpcStatus;
}

/** KiB/s; undefined: no limit for this request. */
export function rateFor(limit: RateLimitSettings, headers: RequestHeaderMap): number | undefined {
  return limit.fixedKbps ?? (integerHeader(headers, 'x-envoy-fault-throughput-response') || undefined);
}

/** FaultAbort.http_status: [200, 600). */
export function isAbortStatus(status: number): boolean {
  return status >= 200 && status < 600;
}
