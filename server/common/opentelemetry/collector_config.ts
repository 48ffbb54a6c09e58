// Where OpenTelemetry's reports go, as tracers and access loggers say it: an HttpService or a GrpcService.
// Envoy: source/extensions/tracers/opentelemetry/opentelemetry_tracer_impl.cc.

import type * as core from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import { durationMs } from '../../../xds-protos/well_known.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { FactoryContext } from '../../api/registry.ts';
import { rejectOtherFields } from '../config/handled_fields.ts';
import { compileGrpcService, configuredHeaders } from '../grpc/grpc_service.ts';
import type { Collector } from './exporter.ts';

const HANDLED_HTTP = new Set(['http_uri', 'request_headers_to_add']);

/** `defaultPath`: where the URI has none. Throws ConfigError. */
export function compileHttpCollector(
  service: core.HttpService,
  defaultPath: string,
  context: FactoryContext,
  path: string,
): Collector {
  rejectOtherFields(service, HANDLED_HTTP, path);
  const { cluster = '', uri = '', timeout } = service.http_uri ?? {};
  const where = at(path, 'http_uri');
  if (cluster === '') throw new ConfigError(at(where, 'cluster'), 'value is required');
  context.checkCluster(cluster, at(where, 'cluster'));
  const match = /^(?:.*?:\/\/)?([^/]*)(.*)$/.exec(uri);
  return {
    protocol: 'http',
    cluster,
    authority: match?.[1] || cluster,
    path: match?.[2] || defaultPath,
    headers: configuredHeaders(service.request_headers_to_add.map(({ header }) => header)),
    timeoutMs: durationMs(timeout) ?? 0,
  };
}

/** `method`: as `/package.Service/Method`. Throws ConfigError. */
export function compileGrpcCollector(
  service: core.GrpcService,
  method: string,
  context: FactoryContext,
  path: string,
): Collector {
  return { protocol: 'grpc', ...compileGrpcService(service, method, context, path) };
}
