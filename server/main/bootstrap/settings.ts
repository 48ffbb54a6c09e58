// Plain values out of the bootstrap, for those who should not know its message.

import type { Bootstrap } from '../../../xds-protos/generated/envoy/config/bootstrap/v3.ts';
import type { DownstreamConnectionsConfig } from '../../../xds-protos/generated/envoy/extensions/resource_monitors/downstream_connections/v3.ts';
import { decodeAny, typeNameOf } from '../../../xds-protos/load.ts';
import { structToJson } from '../../../xds-protos/well_known.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { Registry, ServerInfo } from '../../api/registry.ts';
import type { TracingProvider } from '../../api/tracing.ts';
import {
  DEFAULT_LOG_FORMAT,
  jsonLogFormat,
  type LogLineFormatter,
  textLogFormat,
} from '../../common/log_format.ts';
import type { Options } from './command_line.ts';
import { localIp } from './local_address.ts';

const DOWNSTREAM_CONNECTIONS =
  'envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig';

/** The process as compile functions see it. */
export function serverInfo(bootstrap: Bootstrap, options: Options): ServerInfo {
  const { node } = bootstrap;
  const locality = node?.locality;
  return Object.freeze({
    nodeId: node?.id ?? '',
    nodeCluster: node?.cluster ?? '',
    locality: Object.freeze({
      region: locality?.region ?? '',
      zone: locality?.zone ?? '',
      subZone: locality?.sub_zone ?? '',
    }),
    localClusterName: bootstrap.cluster_manager?.local_cluster_name ?? '',
    defaultTracing: defaultTracing(bootstrap),
    nodeMetadata: Object.freeze(node?.metadata === undefined ? {} : structToJson(node.metadata)),
    localIp: localIp(options.localAddressIpVersion),
    concurrency: options.concurrency,
    fileFlushIntervalMs: options.fileFlushIntervalMs,
    fileFlushMinSizeBytes: options.fileFlushMinSizeKb * 1024,
  });
}

/** A plain object: it goes to the workers in a message. */
function defaultTracing({ tracing }: Bootstrap): TracingProvider | undefined {
  if (tracing?.http === undefined) return undefined;
  const { name, typed_config: config } = tracing.http;
  if (config === undefined) return { name };
  return { name, typed_config: { type_url: config.type_url, value: Uint8Array.from(config.value) } };
}

/** The tracer itself is made when a connection manager wants it. Throws ConfigError where there is none of that type. */
export function checkTracing({ tracing }: Bootstrap, registry: Registry): void {
  if (tracing?.http === undefined) return;
  const { name, typed_config } = tracing.http;
  registry.resolve('envoy.tracers', name, typed_config, 'tracing.http');
}

/** Istio's way to say that there is no limit; without any Envoy warns. */
const NO_LIMIT = 2_147_483_647n;

/** The overload manager may only say that connections are not limited. Throws ConfigError for limits and other monitors. */
export function checkOverloadManager(bootstrap: Bootstrap): void {
  bootstrap.overload_manager?.resource_monitors.forEach(({ name, typed_config: config }, index) => {
    const path = at('overload_manager.resource_monitors', index);
    const type = typeNameOf(config?.type_url ?? '');
    if (config === undefined || type !== DOWNSTREAM_CONNECTIONS) {
      const reason = `Didn't find a registered implementation for '${name}' with type URL: '${type}'`;
      throw new ConfigError(path, reason);
    }
    const message = decodeAny(config, path).message as unknown as DownstreamConnectionsConfig;
    if (message.max_active_downstream_connections < NO_LIMIT) {
      const field = at(at(path, 'typed_config'), 'max_active_downstream_connections');
      throw new ConfigError(field, `a limit below ${NO_LIMIT} is not supported`);
    }
  });
}

/** How log lines look: --log-format, else application_log_config, else the default. Throws ConfigError. */
export function logLineFormatter(bootstrap: Bootstrap | undefined, options: Options): LogLineFormatter {
  const configured = bootstrap?.application_log_config?.log_format;
  if (configured !== undefined && options.logFormat !== '') {
    throw new ConfigError(
      'application_log_config.log_format',
      'Only one of ApplicationLogConfig.log_format or CLI option --log-format can be specified.',
    );
  }
  if (configured?.json_format !== undefined) {
    const path = 'application_log_config.log_format.json_format';
    return jsonLogFormat(structToJson(configured.json_format), path);
  }
  const pattern = options.logFormat || configured?.text_format || DEFAULT_LOG_FORMAT;
  return textLogFormat(pattern, options.logFormatEscaped);
}
