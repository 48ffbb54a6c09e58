// envoy.tracers.opentelemetry. Envoy: source/extensions/tracers/opentelemetry/config.cc; document:
// envoy.config.trace.v3.OpenTelemetryConfig.

import type * as core from '../../../../xds-protos/generated/envoy/config/core/v3.ts';
import type { OpenTelemetryConfig } from '../../../../xds-protos/generated/envoy/config/trace/v3.ts';
import { durationMs, wrapperValue } from '../../../../xds-protos/well_known.ts';
import { at, ConfigError } from '../../../api/config_error.ts';
import type { FactoryContext, TracerFactory } from '../../../api/registry.ts';
import { rejectOtherFields } from '../../../common/config/handled_fields.ts';

import { latin1Of } from '../../../common/matcher/latin1.ts';
import { OPENTELEMETRY_STATS } from '../../../common/stats/families/tracing.ts';
import { type Collector, Exporter } from './exporter.ts';
import { compileResource } from './resource.ts';
import { OpenTelemetryTracer, type Sampler } from './tracer.ts';

const HANDLED = new Set([
  'grpc_service',
  'http_service',
  'service_name',
  'resource_detectors',
  'sampler',
  'max_cache_size',
]);
const HANDLED_HTTP = new Set(['http_uri', 'request_headers_to_add']);
const HANDLED_GRPC = new Set(['envoy_grpc', 'timeout', 'initial_metadata']);
const HANDLED_ENVOY_GRPC = new Set(['cluster_name', 'authority']);
/** Source: OpenTelemetryConfig.max_cache_size. */
const MAX_CACHE_SIZE = 1024;
const DEFAULT_PATH = '/v1/traces';

export const openTelemetryTracerFactory: TracerFactory<OpenTelemetryConfig> = {
  compile(config, context, path) {
    rejectOtherFields(config, HANDLED, path);
    const detectors = at(path, 'resource_detectors');
    const settings = {
      sampler: compileSampler(config.sampler, context, at(path, 'sampler')),
      resource: compileResource(config.service_name, config.resource_detectors, context, detectors),
      maxCacheSize: wrapperValue(config.max_cache_size) || MAX_CACHE_SIZE,
    };
    const exporter = new Exporter(compileCollector(config, context, path), context);
    const stats = context.stats.block(OPENTELEMETRY_STATS, 'tracing.opentelemetry.');
    return new OpenTelemetryTracer(settings, exporter, context.runtime, stats);
  },
};

/** As the client's trace says; a new one is reported. */
const asParent: Sampler = (parent) => parent?.sampled ?? true;

function compileSampler(
  config: core.TypedExtensionConfig | undefined,
  context: FactoryContext,
  path: string,
): Sampler {
  if (config === undefined) return asParent;
  const category = 'envoy.tracers.opentelemetry.samplers';
  const resolved = context.registry.resolve(category, config.name, config.typed_config, path);
  return resolved.factory.compile(resolved.config, context, path) as Sampler;
}

function compileCollector(config: OpenTelemetryConfig, context: FactoryContext, path: string): Collector {
  const { grpc_service: grpc, http_service: http } = config;
  if (grpc !== undefined && http === undefined) return compileGrpc(grpc, context, at(path, 'grpc_service'));
  if (http !== undefined && grpc === undefined) return compileHttp(http, context, at(path, 'http_service'));
  throw new ConfigError(
    path,
    'OpenTelemetry Tracer must have exactly one of gRPC, HTTP, or custom exporter configured.',
  );
}

function compileHttp(service: core.HttpService, context: FactoryContext, path: string): Collector {
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
    path: match?.[2] || DEFAULT_PATH,
    headers: headersOf(service.request_headers_to_add.map(({ header }) => header)),
    timeoutMs: durationMs(timeout) ?? 0,
  };
}

function compileGrpc(service: core.GrpcService, context: FactoryContext, path: string): Collector {
  rejectOtherFields(service, HANDLED_GRPC, path);
  const { envoy_grpc: envoyGrpc } = service;
  const where = at(path, 'envoy_grpc');
  if (envoyGrpc === undefined) throw new ConfigError(where, 'value is required');
  rejectOtherFields(envoyGrpc, HANDLED_ENVOY_GRPC, where);
  const { cluster_name: cluster, authority } = envoyGrpc;
  context.checkCluster(cluster, at(where, 'cluster_name'));
  return {
    protocol: 'grpc',
    cluster,
    authority: authority || cluster,
    path: '',
    headers: headersOf(service.initial_metadata),
    timeoutMs: durationMs(service.timeout) ?? 0,
  };
}

function headersOf(list: readonly (core.HeaderValue | undefined)[]): Collector['headers'] {
  return list.map((header) => [(header?.key ?? '').toLowerCase(), latin1Of(header?.value ?? '')] as const);
}
