// envoy.tracers.zipkin. Envoy: source/extensions/tracers/zipkin/config.cc; document: envoy.config.trace.v3.ZipkinConfig.

import type { ZipkinConfig } from '../../../../xds-protos/generated/envoy/config/trace/v3.ts';
import { at, ConfigError } from '../../../api/config_error.ts';
import type { FactoryContext, TracerFactory } from '../../../api/registry.ts';
import { rejectOtherFields } from '../../../common/config/handled_fields.ts';
import { latin1Of } from '../../../common/matcher/latin1.ts';
import { type Collector, ZipkinReporter } from './reporter.ts';
import { ZipkinTracer } from './tracer.ts';

const HANDLED = new Set([
  'collector_cluster',
  'collector_endpoint',
  'collector_endpoint_version',
  'collector_hostname',
  'collector_service',
  'trace_id_128bit',
  'shared_span_context',
  'split_spans_for_request',
  // B3 alone is its default.
  'trace_context_option',
]);
const HANDLED_SERVICE = new Set(['http_uri', 'request_headers_to_add']);
const NO_HEADERS: Collector['headers'] = [];

export const zipkinTracerFactory: TracerFactory<ZipkinConfig> = {
  compile(config, context, path) {
    rejectOtherFields(config, HANDLED, path);
    const version = config.collector_endpoint_version;
    if (version !== 'HTTP_JSON')
      throw new ConfigError(at(path, 'collector_endpoint_version'), `${version} is not supported`);
    if (config.trace_context_option !== 'USE_B3')
      throw new ConfigError(
        at(path, 'trace_context_option'),
        `${config.trace_context_option} is not supported`,
      );
    const collector = compileCollector(config, context, path);
    const settings = {
      traceId128Bit: config.trace_id_128bit,
      // Source: ZipkinConfig.shared_span_context.
      sharedSpanContext: config.shared_span_context?.value ?? true,
      splitSpansForRequest: config.split_spans_for_request,
    };
    return new ZipkinTracer(settings, context.server, new ZipkinReporter(collector, context));
  },
};

function compileCollector(config: ZipkinConfig, context: FactoryContext, path: string): Collector {
  const service = config.collector_service;
  if (service !== undefined) return compileService(service, context, at(path, 'collector_service'));
  const { collector_cluster: cluster, collector_endpoint: endpoint } = config;
  if (cluster === '')
    throw new ConfigError(path, 'Either collector_cluster or collector_service must be specified');
  if (endpoint === '') throw new ConfigError(at(path, 'collector_endpoint'), 'value is required');
  context.checkCluster(cluster, at(path, 'collector_cluster'));
  const hostname = config.collector_hostname || cluster;
  return { cluster, hostname, path: endpoint, headers: NO_HEADERS };
}

/** The URI gives host and path. Envoy 1.40 does not look at its timeout: the reporter has a runtime key for that. */
function compileService(
  service: NonNullable<ZipkinConfig['collector_service']>,
  context: FactoryContext,
  path: string,
): Collector {
  rejectOtherFields(service, HANDLED_SERVICE, path);
  const { cluster = '', uri = '' } = service.http_uri ?? {};
  const where = at(path, 'http_uri');
  if (cluster === '') throw new ConfigError(at(where, 'cluster'), 'value is required');
  context.checkCluster(cluster, at(where, 'cluster'));
  const headers = service.request_headers_to_add.map(({ header }): [string, string] => [
    (header?.key ?? '').toLowerCase(),
    latin1Of(header?.value ?? ''),
  ]);
  const match = /^.*?:\/\/([^/]*)(.*)$/.exec(uri);
  if (match === null) return { cluster, hostname: cluster, path: uri, headers };
  return { cluster, hostname: match[1] || cluster, path: match[2] || '/', headers };
}
