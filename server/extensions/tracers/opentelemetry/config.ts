// envoy.tracers.opentelemetry. Envoy: source/extensions/tracers/opentelemetry/config.cc; document:
// envoy.config.trace.v3.OpenTelemetryConfig.

import type { OpenTelemetryConfig } from '../../../../xds-protos/generated/envoy/config/trace/v3.ts';
import { wrapperValue } from '../../../../xds-protos/well_known.ts';
import { at, ConfigError } from '../../../api/config_error.ts';
import type { FactoryContext, TracerFactory } from '../../../api/registry.ts';
import { rejectOtherFields } from '../../../common/config/handled_fields.ts';

import {
  compileGrpcCollector,
  compileHttpCollector,
} from '../../../common/opentelemetry/collector_config.ts';
import { type Collector, Exporter } from '../../../common/opentelemetry/exporter.ts';
import { OPENTELEMETRY_STATS } from '../../../common/stats/families/tracing.ts';
import { compileResource } from './resource.ts';
import { compileSampler, type Sampler } from './sampler.ts';
import { OpenTelemetryTracer } from './tracer.ts';

const HANDLED = new Set([
  'grpc_service',
  'http_service',
  'service_name',
  'resource_detectors',
  'sampler',
  'max_cache_size',
]);
/** Source: OpenTelemetryConfig.max_cache_size. */
const MAX_CACHE_SIZE = 1024;
const DEFAULT_PATH = '/v1/traces';
const METHOD = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';

export const openTelemetryTracerFactory: TracerFactory<OpenTelemetryConfig> = {
  compile(config, context, path) {
    rejectOtherFields(config, HANDLED, path);
    const detectors = at(path, 'resource_detectors');
    const settings = {
      sampler:
        config.sampler === undefined
          ? asParent
          : compileSampler(config.sampler, context, at(path, 'sampler')),
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

function compileCollector(config: OpenTelemetryConfig, context: FactoryContext, path: string): Collector {
  const { grpc_service: grpc, http_service: http } = config;
  if (grpc !== undefined && http === undefined)
    return compileGrpcCollector(grpc, METHOD, context, at(path, 'grpc_service'));
  if (http !== undefined && grpc === undefined)
    return compileHttpCollector(http, DEFAULT_PATH, context, at(path, 'http_service'));
  throw new ConfigError(
    path,
    'OpenTelemetry Tracer must have exactly one of gRPC, HTTP, or custom exporter configured.',
  );
}
