// envoy.access_loggers.http_grpc and envoy.access_loggers.tcp_grpc. Envoy: source/extensions/access_loggers/grpc/http_config.cc,
// tcp_config.cc; document: envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig, TcpGrpcAccessLogConfig.

import { createRequire } from 'node:module';
import type {
  CommonGrpcAccessLogConfig,
  HttpGrpcAccessLogConfig,
  TcpGrpcAccessLogConfig,
} from '../../../../xds-protos/generated/envoy/extensions/access_loggers/grpc/v3.ts';
import { durationMs, wrapperValue } from '../../../../xds-protos/well_known.ts';
import type { AccessLog } from '../../../api/access_log.ts';
import { at, ConfigError } from '../../../api/config_error.ts';
import type { AccessLoggerFactory, FactoryContext } from '../../../api/registry.ts';
import { rejectOtherFields } from '../../../common/config/handled_fields.ts';
import { compileGrpcService } from '../../../common/grpc/grpc_service.ts';
import { compileCustomTags } from '../../../common/tracing/custom_tag.ts';
import type { GrpcAccessLoggerSettings } from './grpc_access_logger.ts';
import type { CommonSettings } from './log_entry.ts';

const require = createRequire(import.meta.url);

const HANDLED_HTTP = new Set([
  ...['common_config', 'additional_request_headers_to_log'],
  ...['additional_response_headers_to_log', 'additional_response_trailers_to_log'],
]);
const HANDLED_TCP = new Set(['common_config']);
const HANDLED_COMMON = new Set([
  ...['log_name', 'grpc_service', 'transport_api_version', 'buffer_flush_interval', 'buffer_size_bytes'],
  ...['filter_state_objects_to_log', 'custom_tags'],
]);
const METHOD = '/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs';
/** Of the main thread, which only looks whether a configuration is good. */
const NOBODY_LOGS: AccessLog = Object.freeze({ log: () => undefined });
/** Sources: the fields of CommonGrpcAccessLogConfig. */
const FLUSH_INTERVAL_MS = 1000;
const BUFFER_SIZE_BYTES = 16_384;

export const httpGrpcAccessLogger: AccessLoggerFactory<HttpGrpcAccessLogConfig> = {
  compile(config, filter, context, path) {
    rejectOtherFields(config, HANDLED_HTTP, path);
    const { logger, common } = compileCommon(config.common_config, context, path);
    if (context.thread === 'main') return NOBODY_LOGS;
    const { HttpGrpcAccessLog } = require('./grpc_access_log.ts') as typeof import('./grpc_access_log.ts');
    const names = (list: readonly string[]): readonly string[] => list.map((name) => name.toLowerCase());
    const headers = {
      request: names(config.additional_request_headers_to_log),
      response: names(config.additional_response_headers_to_log),
      trailers: names(config.additional_response_trailers_to_log),
    };
    return new HttpGrpcAccessLog(logger, common, headers, filter, context);
  },
};

export const tcpGrpcAccessLogger: AccessLoggerFactory<TcpGrpcAccessLogConfig> = {
  compile(config, filter, context, path) {
    rejectOtherFields(config, HANDLED_TCP, path);
    const { logger, common } = compileCommon(config.common_config, context, path);
    if (context.thread === 'main') return NOBODY_LOGS;
    const { TcpGrpcAccessLog } = require('./grpc_access_log.ts') as typeof import('./grpc_access_log.ts');
    return new TcpGrpcAccessLog(logger, common, filter, context);
  },
};

/** Throws ConfigError. */
function compileCommon(
  config: CommonGrpcAccessLogConfig | undefined,
  context: FactoryContext,
  path: string,
): { readonly logger: GrpcAccessLoggerSettings; readonly common: CommonSettings } {
  const where = at(path, 'common_config');
  if (config === undefined) throw new ConfigError(where, 'value is required');
  rejectOtherFields(config, HANDLED_COMMON, where);
  const servicePath = at(where, 'grpc_service');
  if (config.grpc_service === undefined) throw new ConfigError(servicePath, 'value is required');
  if (config.transport_api_version !== 'V3') {
    throw new ConfigError(
      at(where, 'transport_api_version'),
      `${config.transport_api_version} transport version is not supported, use V3`,
    );
  }
  return {
    logger: {
      logName: config.log_name,
      service: compileGrpcService(config.grpc_service, METHOD, context, servicePath),
      flushIntervalMs: durationMs(config.buffer_flush_interval) ?? FLUSH_INTERVAL_MS,
      bufferSizeBytes: wrapperValue(config.buffer_size_bytes) ?? BUFFER_SIZE_BYTES,
    },
    common: {
      filterStateObjects: config.filter_state_objects_to_log,
      customTags: compileCustomTags(config.custom_tags, at(where, 'custom_tags')),
    },
  };
}
