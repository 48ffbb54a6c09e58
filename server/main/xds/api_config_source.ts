// The rules of an ApiConfigSource before anything is opened. Envoy: source/common/config/utility.cc; its messages.

import type { ApiConfigSource } from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import { durationMs, wrapperValue } from '../../../xds-protos/well_known.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { ClusterLookup } from './grpc_target.ts';
import { TokenBucket } from './token_bucket.ts';

const MESSAGE = 'envoy.config.core.v3.ApiConfigSource';
/** ApiConfigSource.request_timeout's default. */
const REQUEST_TIMEOUT_MS = 1_000;
/** RateLimitSettings' defaults, and the least fill rate: once a year. */
const MAX_TOKENS = 100;
const FILL_RATE = 10;
const MIN_FILL_RATE = 1 / (365 * 24 * 3600);

/** Throws ConfigError unless the source is one gRPC service with a stream of its own or of ADS. */
export function checkGrpcSource(source: ApiConfigSource, path: string): void {
  checkCommon(source, path);
  if (source.cluster_names.length > 0) {
    throw new ConfigError(
      path,
      `${MESSAGE}::(AGGREGATED_)(DELTA_)GRPC must not have a cluster name specified`,
    );
  }
  if (source.grpc_services.length > 1) {
    throw new ConfigError(
      path,
      `${MESSAGE}::(AGGREGATED_)(DELTA_)GRPC must have no more than 1 gRPC services specified`,
    );
  }
}

/** Throws ConfigError unless the source is ads_config as ADS can honour it. */
export function checkAdsSource(source: ApiConfigSource, path: string): void {
  if (source.api_type !== 'GRPC' && source.api_type !== 'DELTA_GRPC') {
    throw new ConfigError(path, `${MESSAGE} type must be of non-aggregated gRPC`);
  }
  checkGrpcSource(source, path);
}

export interface RestSource {
  readonly clusterName: string;
  readonly refreshDelayMs: number;
  readonly requestTimeoutMs: number;
}

/** Throws ConfigError unless the source is one cluster to poll. */
export function compileRestSource(
  source: ApiConfigSource,
  clusters: ClusterLookup,
  path: string,
): RestSource {
  checkCommon(source, path);
  if (source.grpc_services.length > 0) {
    throw new ConfigError(path, `${MESSAGE}, if not a gRPC type, must not have a gRPC service specified`);
  }
  if (source.cluster_names.length !== 1) {
    throw new ConfigError(path, `${MESSAGE} must have a singleton cluster name specified`);
  }
  const clusterName = source.cluster_names[0]!;
  const type = clusters(clusterName)?.type;
  if (type === undefined || type === 'EDS') {
    throw new ConfigError(
      path,
      `${MESSAGE} must have a statically defined non-EDS cluster: '${clusterName}' does not exist, was added via api, or is an EDS cluster`,
    );
  }
  const refreshDelayMs = durationMs(source.refresh_delay);
  if (refreshDelayMs === undefined) {
    throw new ConfigError(path, 'refresh_delay is required for REST API configuration sources');
  }
  if (source.rate_limit_settings !== undefined) {
    throw new ConfigError(at(path, 'rate_limit_settings'), 'refresh_delay alone limits a REST source');
  }
  const requestTimeoutMs = durationMs(source.request_timeout) ?? REQUEST_TIMEOUT_MS;
  return { clusterName, refreshDelayMs, requestTimeoutMs };
}

/** The limiter of requests, undefined where none is asked for. */
export function compileRateLimit(source: ApiConfigSource): TokenBucket | undefined {
  const settings = source.rate_limit_settings;
  if (settings === undefined) return undefined;
  const fillRate = wrapperValue(settings.fill_rate) ?? FILL_RATE;
  return new TokenBucket(wrapperValue(settings.max_tokens) ?? MAX_TOKENS, Math.max(MIN_FILL_RATE, fillRate));
}

function checkCommon(source: ApiConfigSource, path: string): void {
  if (source.transport_api_version === 'V2') {
    throw new ConfigError(path, 'V2 xDS transport protocol version is deprecated');
  }
  if (source.cluster_names.length === 0 && source.grpc_services.length === 0) {
    throw new ConfigError(path, 'API configs must have either a gRPC service or a cluster name defined');
  }
  if (source.config_validators.length > 0) {
    throw new ConfigError(at(path, 'config_validators'), 'no configuration validators are known');
  }
}
