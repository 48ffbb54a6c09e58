// envoy.filters.http.fault. Envoy: source/extensions/filters/http/fault/config.cc,
// api/envoy/extensions/filters/http/fault/v3/fault.proto.

import type { FaultDelay } from '../../../../../xds-protos/generated/envoy/extensions/filters/common/fault/v3.ts';
import type {
  FaultAbort,
  HTTPFault,
} from '../../../../../xds-protos/generated/envoy/extensions/filters/http/fault/v3.ts';
import type { FractionalPercent } from '../../../../../xds-protos/generated/envoy/type/v3.ts';
import { durationMs, structToJson } from '../../../../../xds-protos/well_known.ts';
import { at, ConfigError } from '../../../../api/config_error.ts';
import type { HttpFilterFactory } from '../../../../api/registry.ts';
import { compileHeaderMatchers } from '../../../../common/matcher/header_matcher.ts';
import { latin1Of } from '../../../../common/matcher/latin1.ts';
import { FAULT_STATS, FaultFilter, type FaultFilterConfig } from './fault.ts';
import type {
  AbortSettings,
  DelaySettings,
  FaultSettings,
  Percentage,
  RateLimitSettings,
} from './fault_settings.ts';

const DENOMINATORS: Readonly<Record<string, 100 | 10_000 | 1_000_000>> = {
  HUNDRED: 100,
  TEN_THOUSAND: 10_000,
  MILLION: 1_000_000,
};

/** Counted by name, as the gauge of that name is. */
const ACTIVE_FAULTS = 'fault.active_faults';

export const faultFactory: HttpFilterFactory<HTTPFault, HTTPFault> = {
  sharedCounters: [ACTIVE_FAULTS],
  compile(config, context, path) {
    const prefix = `${context.httpStatPrefix}fault.`;
    const filterConfig: FaultFilterConfig = {
      settings: compileSettings(config, path),
      runtime: context.runtime,
      activeFaults: context.sharedCounter(`${context.httpStatPrefix}${ACTIVE_FAULTS}`),
      stats: context.stats.block(FAULT_STATS, prefix),
      downstreamCluster: (cluster, stat) => context.stats.counter(`${prefix}${cluster}.${stat}`).add(1),
    };
    return Object.freeze({ isTerminal: false, createFilter: () => new FaultFilter(filterConfig) });
  },
  compileRoute: (config, _context, path) => compileSettings(config, path),
};

function compileSettings(config: HTTPFault, path: string): FaultSettings {
  return Object.freeze({
    delay: config.delay && compileDelay(config.delay, at(path, 'delay')),
    abort: config.abort && compileAbort(config.abort, at(path, 'abort')),
    responseRateLimit: compileRateLimit(config, at(path, 'response_rate_limit')),
    headers: compileHeaderMatchers(config.headers, at(path, 'headers')),
    upstreamCluster: config.upstream_cluster,
    downstreamNodes: new Set(config.downstream_nodes.map(latin1Of)),
    maxActiveFaults: config.max_active_faults?.value ?? Number.MAX_SAFE_INTEGER,
    filterMetadata: config.filter_metadata && structToJson(config.filter_metadata),
    downstreamClusterStats: !config.disable_downstream_cluster_stats,
    delayPercentRuntime: config.delay_percent_runtime || 'fault.http.delay.fixed_delay_percent',
    abortPercentRuntime: config.abort_percent_runtime || 'fault.http.abort.abort_percent',
    delayDurationRuntime: config.delay_duration_runtime || 'fault.http.delay.fixed_duration_ms',
    abortHttpStatusRuntime: config.abort_http_status_runtime || 'fault.http.abort.http_status',
    abortGrpcStatusRuntime: config.abort_grpc_status_runtime || 'fault.http.abort.grpc_status',
    maxActiveFaultsRuntime: config.max_active_faults_runtime || 'fault.http.max_active_faults',
    responseRateLimitPercentRuntime:
      config.response_rate_limit_percent_runtime || 'fault.http.rate_limit.response_percent',
  });
}

function compilePercentage(percent: FractionalPercent | undefined, path: string): Percentage {
  const denominator = DENOMINATORS[percent?.denominator ?? 'HUNDRED'];
  if (denominator === undefined) {
    throw new ConfigError(at(path, 'percentage.denominator'), `unknown value ${percent?.denominator}`);
  }
  return { numerator: percent?.numerator ?? 0, denominator };
}

function compileDelay(delay: FaultDelay, path: string): DelaySettings {
  return { percentage: compilePercentage(delay.percentage, path), fixedMs: durationMs(delay.fixed_delay) };
}

function compileAbort(abort: FaultAbort, path: string): AbortSettings {
  return {
    percentage: compilePercentage(abort.percentage, path),
    byHeader: abort.header_abort !== undefined,
    httpStatus: abort.http_status,
    grpcStatus: abort.grpc_status,
  };
}

function compileRateLimit(config: HTTPFault, path: string): RateLimitSettings | undefined {
  const limit = config.response_rate_limit;
  if (limit === undefined) return undefined;
  const kbps = limit.fixed_limit?.limit_kbps;
  return {
    percentage: compilePercentage(limit.percentage, path),
    fixedKbps: kbps === undefined ? undefined : Number(kbps),
  };
}
