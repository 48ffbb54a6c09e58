// envoy.access_loggers.open_telemetry. Envoy: source/extensions/access_loggers/open_telemetry/config.cc; document:
// envoy.extensions.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig.

import type * as otel from '../../../../xds-protos/generated/envoy/extensions/access_loggers/open_telemetry/v3.ts';
import { durationMs, wrapperValue } from '../../../../xds-protos/well_known.ts';
import { at, ConfigError } from '../../../api/config_error.ts';
import type { AccessLoggerFactory, FactoryContext } from '../../../api/registry.ts';
import { rejectOtherFields } from '../../../common/config/handled_fields.ts';
import { compileCommandParsers, compileFormat } from '../../../common/formatter/substitution_formatter.ts';
import {
  compileGrpcCollector,
  compileHttpCollector,
} from '../../../common/opentelemetry/collector_config.ts';
import { type Collector, Exporter } from '../../../common/opentelemetry/exporter.ts';
import { OPENTELEMETRY_ACCESS_LOG_STATS } from '../../../common/stats/families/access_logs.ts';
import { type CompileText, compileKeyValues, compileValue } from './formatted_value.ts';
import { OpenTelemetryAccessLog } from './open_telemetry_access_log.ts';

const HANDLED = new Set([
  ...[
    'common_config',
    'http_service',
    'grpc_service',
    'log_name',
    'buffer_flush_interval',
    'buffer_size_bytes',
  ],
  ...['disable_builtin_labels', 'resource_attributes', 'body', 'attributes', 'formatters', 'stat_prefix'],
]);
const HANDLED_COMMON = new Set([
  ...['log_name', 'grpc_service', 'transport_api_version', 'buffer_flush_interval', 'buffer_size_bytes'],
  // istiod sets it; in Envoy 1.40, too, these two change nothing here.
  ...['filter_state_objects_to_log', 'custom_tags'],
]);
const METHOD = '/opentelemetry.proto.collector.logs.v1.LogsService/Export';
const DEFAULT_PATH = '/v1/logs';
/** Sources: the fields of CommonGrpcAccessLogConfig. */
const FLUSH_INTERVAL_MS = 1000;
const BUFFER_SIZE_BYTES = 16_384;

type Config = otel.OpenTelemetryAccessLogConfig;

export const openTelemetryAccessLogger: AccessLoggerFactory<Config> = {
  compile(config, filter, context, path) {
    rejectOtherFields(config, HANDLED, path);
    const { common_config: common } = config;
    if (common !== undefined) rejectOtherFields(common, HANDLED_COMMON, at(path, 'common_config'));
    const parsers = compileCommandParsers(config.formatters, context, at(path, 'formatters'));
    const compile: CompileText = (format, where) => compileFormat(format, context, where, { parsers });
    const { body, attributes } = config;
    const interval = config.buffer_flush_interval ?? common?.buffer_flush_interval;
    const settings = {
      resource: resourceOf(config, context),
      body: body === undefined ? undefined : compileValue(body, compile, at(path, 'body')),
      attributes:
        attributes === undefined ? () => [] : compileKeyValues(attributes, compile, at(path, 'attributes')),
      flushIntervalMs: durationMs(interval) ?? FLUSH_INTERVAL_MS,
      bufferSizeBytes:
        wrapperValue(config.buffer_size_bytes ?? common?.buffer_size_bytes) ?? BUFFER_SIZE_BYTES,
    };
    const exporter = new Exporter(compileCollector(config, context, path), context);
    const prefix = `access_logs.open_telemetry_access_log.${config.stat_prefix}`;
    const stats = context.stats.block(OPENTELEMETRY_ACCESS_LOG_STATS, prefix);
    return new OpenTelemetryAccessLog(settings, filter, exporter, stats);
  },
};

/** Labels of this proxy, unless they are not wanted, and what the configuration gives, as it is. */
function resourceOf(config: Config, { server }: FactoryContext): object[] {
  const { disable_builtin_labels: bare, common_config: common, resource_attributes: more } = config;
  const labels: readonly (readonly [string, string])[] = [
    ['log_name', config.log_name || (common?.log_name ?? '')],
    ['zone_name', server.locality.zone],
    ['cluster_name', server.nodeCluster],
    ['node_name', server.nodeId],
  ];
  const own = bare ? [] : labels.map(([key, value]) => ({ key, value: { string_value: value } }));
  return [...own, ...(more?.values ?? [])];
}

function compileCollector(config: Config, context: FactoryContext, path: string): Collector {
  const { http_service: http, grpc_service: own, common_config: common } = config;
  if (http !== undefined) return compileHttpCollector(http, DEFAULT_PATH, context, at(path, 'http_service'));
  if (own !== undefined) return compileGrpcCollector(own, METHOD, context, at(path, 'grpc_service'));
  const where = at(path, 'common_config.grpc_service');
  if (common?.grpc_service === undefined) throw new ConfigError(where, 'value is required');
  return compileGrpcCollector(common.grpc_service, METHOD, context, where);
}
