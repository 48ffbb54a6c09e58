// Compiles HttpConnectionManager. Envoy: source/extensions/filters/network/http_connection_manager/config.cc;
// document: envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.

import { createRequire } from 'node:module';
import type { RouteConfiguration } from '../../../../../xds-protos/generated/envoy/config/route/v3.ts';
import type { HttpConnectionManager } from '../../../../../xds-protos/generated/envoy/extensions/filters/network/http_connection_manager/v3.ts';
import type { UuidRequestIdConfig } from '../../../../../xds-protos/generated/envoy/extensions/request_id/uuid/v3.ts';
import type { Duration } from '../../../../../xds-protos/generated/google/protobuf.ts';
import { encode } from '../../../../../xds-protos/load.ts';
import { wrapperValue } from '../../../../../xds-protos/well_known.ts';
import { at, ConfigError } from '../../../../api/config_error.ts';
import type { NetworkFilter, NetworkFilterConfig } from '../../../../api/network/filter.ts';
import type { FactoryContext, NetworkFilterFactory, Provider } from '../../../../api/registry.ts';
import type { RouteConfig } from '../../../../api/router.ts';
import type { StatBlock } from '../../../../api/stats.ts';
import { compileAccessLogs } from '../../../../common/access_log/access_log_config.ts';
import { rejectOtherFields } from '../../../../common/config/handled_fields.ts';
import { dataPath, loadOnWorker } from '../../../../common/data_path.ts';
import type { ConnectionManager } from '../../../../common/http/conn_manager.ts';
import type { ConnectionManagerConfig } from '../../../../common/http/conn_manager_config.ts';
import type { Http1ServerConnection } from '../../../../common/http/http1/server_connection.ts';
import { compileHttp1Settings } from '../../../../common/http/http1/settings.ts';
import { statefulFormatterResolver } from '../../../../common/http/http1/stateful_formatter.ts';
import type { Http2ServerConnection } from '../../../../common/http/http2/server_connection.ts';
import { compileHttp2Settings } from '../../../../common/http/http2/settings.ts';
import type { PathNormalization } from '../../../../common/http/path_utility.ts';
import { optionalMilliseconds } from '../../../../common/router/durations.ts';
import { compileRouteConfiguration } from '../../../../common/router/route_config.ts';
import type { RouteHits } from '../../../../common/router/route_hits.ts';
import { HTTP1_CODEC_STATS, HTTP2_CODEC_STATS } from '../../../../common/stats/families/codec.ts';
import {
  HTTP_LISTENER_STATS,
  HTTP_STATS,
  HTTP_TRACING_STATS,
} from '../../../../common/stats/families/http.ts';
import { DownstreamResponseCodes } from '../../../../common/stats/response_code_stats.ts';
import { HANDLED_COMMON_FIELDS, HANDLED_FIELDS } from './handled_fields.ts';
import { compileHttpFilters, compileUpgrades } from './http_filters.ts';
import { compileClientCertDetails, compileInternalAddresses } from './identity.ts';
import { compileLocalReply } from './local_reply.ts';
import { compileTracing } from './tracing.ts';

const require = createRequire(import.meta.url);
const connectionManager = dataPath<typeof ConnectionManager>(
  () => require('../../../../common/http/conn_manager.ts').ConnectionManager,
);
const http1Server = dataPath<typeof Http1ServerConnection>(
  () => require('../../../../common/http/http1/server_connection.ts').Http1ServerConnection,
);
const http2Server = dataPath<typeof Http2ServerConnection>(
  () => require('../../../../common/http/http2/server_connection.ts').Http2ServerConnection,
);

/** Source of each: the field's documentation. */
const DEFAULT_STREAM_IDLE_TIMEOUT_MS = 300_000;
const DEFAULT_IDLE_TIMEOUT_MS = 3_600_000;
const DEFAULT_DRAIN_TIMEOUT_MS = 5000;
const DEFAULT_DELAYED_CLOSE_TIMEOUT_MS = 1000;
const DEFAULT_MAX_REQUEST_HEADERS_KB = 60;
const DEFAULT_MAX_HEADERS_COUNT = 100;

export const httpConnectionManagerFactory: NetworkFilterFactory<HttpConnectionManager> = {
  compile(config, context, path) {
    return new HttpConnectionManagerConfig(compile(config, context, path));
  },
};

class HttpConnectionManagerConfig implements NetworkFilterConfig {
  readonly isTerminal = true;
  private readonly config: ConnectionManagerConfig;

  constructor(config: ConnectionManagerConfig) {
    this.config = config;
  }

  createFilter(): NetworkFilter {
    return new (connectionManager())(this.config);
  }
}

function compile(
  config: HttpConnectionManager,
  outer: FactoryContext,
  path: string,
): ConnectionManagerConfig {
  rejectOtherFields(config, HANDLED_FIELDS, path);
  loadOnWorker(outer, connectionManager, http1Server, http2Server);
  const common = config.common_http_protocol_options;
  if (common !== undefined)
    rejectOtherFields(common, HANDLED_COMMON_FIELDS, at(path, 'common_http_protocol_options'));
  if (config.strip_matching_host_port && config.strip_any_host_port === true) {
    const reason = 'Only one of `strip_matching_host_port` or `strip_any_host_port` can be set.';
    throw new ConfigError(at(path, 'strip_any_host_port'), reason);
  }
  if (config.codec_type === 'HTTP3')
    throw new ConfigError(at(path, 'codec_type'), 'HTTP/3 is not supported: node has no QUIC');
  const time = (duration: Duration | undefined, field: string): number | undefined =>
    optionalMilliseconds(duration, at(path, field));
  const { listener } = outer;
  if (listener === undefined) throw new ConfigError(path, 'a connection manager belongs to a listener');
  const httpStatPrefix = `http.${config.stat_prefix}.`;
  const context: FactoryContext = { ...outer, httpStatPrefix };
  const stats = context.stats.block(HTTP_STATS, httpStatPrefix);
  const listenerStats = context.stats.block(
    HTTP_LISTENER_STATS,
    `listener.${listener.statName}.${httpStatPrefix}`,
  );
  // Listed whether or not anything is traced, as Envoy's are.
  const tracingStats = context.stats.block(HTTP_TRACING_STATS, `${httpStatPrefix}tracing.`);
  const limits = {
    maxHeadersKb: wrapperValue(config.max_request_headers_kb) ?? DEFAULT_MAX_REQUEST_HEADERS_KB,
    maxHeadersCount: wrapperValue(common?.max_headers_count) ?? DEFAULT_MAX_HEADERS_COUNT,
    headersWithUnderscoresAction: underscoresAction(common?.headers_with_underscores_action),
  };
  const streamError = config.stream_error_on_invalid_http_message?.value;
  const http1 = compileHttp1Settings(
    config.http_protocol_options,
    { ...limits, streamErrorOnInvalidHttpMessage: streamError ?? false },
    at(path, 'http_protocol_options'),
    statefulFormatterResolver(context),
  );
  const http2 = compileHttp2Settings(
    config.http2_protocol_options,
    { ...limits, streamErrorOnInvalidHttpMessage: streamError },
    at(path, 'http2_protocol_options'),
  );
  let http1Stats: StatBlock<keyof typeof HTTP1_CODEC_STATS.offset> | undefined;
  let http2Stats: StatBlock | undefined;
  const streamIdleTimeoutMs =
    time(config.stream_idle_timeout, 'stream_idle_timeout') ?? DEFAULT_STREAM_IDLE_TIMEOUT_MS;
  const flushTimeoutMs = time(config.stream_flush_timeout, 'stream_flush_timeout') ?? streamIdleTimeoutMs;
  const requestId = requestIdSettings(config, context, path);
  const filters = compileHttpFilters(config.http_filters, context, at(path, 'http_filters'));
  return Object.freeze({
    statPrefix: config.stat_prefix,
    stats,
    listenerStats,
    responseCodes: new DownstreamResponseCodes(stats, listenerStats),
    listener,
    clusterManager: context.clusterManager,
    routes: compileRoutes(config, context, path),
    filters,
    upgrades: compileUpgrades(config.upgrade_configs, context, at(path, 'upgrade_configs')),
    accessLogs: compileAccessLogs(config.access_log, context, at(path, 'access_log')),
    flushAccessLogOnNewRequest:
      config.access_log_options?.flush_access_log_on_new_request ?? config.flush_access_log_on_new_request,
    accessLogFlushIntervalMs:
      time(
        config.access_log_options?.access_log_flush_interval ?? config.access_log_flush_interval,
        'access_log_flush_interval',
      ) ?? 0,
    flushAccessLogOnTunnel: config.access_log_options?.flush_log_on_tunnel_successfully_established ?? false,
    codecType: config.codec_type === 'HTTP1' || config.codec_type === 'HTTP2' ? config.codec_type : 'AUTO',
    createHttp1Codec: (sink, callbacks) => {
      http1Stats ??= context.stats.block(HTTP1_CODEC_STATS, 'http1.');
      return new (http1Server())(sink, callbacks, http1, http1Stats);
    },
    createHttp2Codec: (sink, callbacks) => {
      // Made with the first connection: most listeners never see one.
      http2Stats ??= context.stats.block(HTTP2_CODEC_STATS, 'http2.');
      const codec = new (http2Server())(sink, callbacks, http2, http2Stats);
      codec.flushTimeoutMs = flushTimeoutMs;
      return codec;
    },
    runtime: context.runtime,
    // Source: HttpConnectionManager.server_name.
    serverName: config.server_name || 'envoy',
    serverHeader:
      typeof config.server_header_transformation === 'number'
        ? 'OVERWRITE'
        : config.server_header_transformation,
    via: config.via,
    userAgent: config.add_user_agent?.value === true ? context.server.nodeCluster : '',
    nodeId: context.server.nodeId,
    generateRequestId: config.generate_request_id?.value ?? true,
    preserveExternalRequestId: config.preserve_external_request_id,
    alwaysSetRequestIdInResponse: config.always_set_request_id_in_response,
    packTraceReason: requestId?.pack_trace_reason?.value ?? true,
    tracing: compileTracing(
      config.tracing,
      listener,
      context,
      tracingStats,
      requestId?.use_request_id_for_trace_sampling?.value ?? true,
      at(path, 'tracing'),
    ),
    useRemoteAddress: config.use_remote_address?.value ?? false,
    xffNumTrustedHops: config.xff_num_trusted_hops,
    skipXffAppend: config.skip_xff_append,
    appendXForwardedPort: config.append_x_forwarded_port,
    representIpv4AsIpv6Mapped: config.represent_ipv4_remote_address_as_ipv4_mapped_ipv6,
    localIp: context.server.localIp,
    isInternalAddress: compileInternalAddresses(
      config.internal_address_config,
      at(path, 'internal_address_config'),
    ),
    forwardClientCert:
      typeof config.forward_client_cert_details === 'number'
        ? 'SANITIZE'
        : config.forward_client_cert_details,
    setCurrentClientCertDetails: compileClientCertDetails(config.set_current_client_cert_details),
    proxy100Continue: config.proxy_100_continue,
    schemeToOverwrite: config.scheme_header_transformation?.scheme_to_overwrite ?? '',
    pathNormalization: pathNormalization(config),
    stripPort:
      config.strip_any_host_port === true ? 'any' : config.strip_matching_host_port ? 'matching' : 'none',
    stripTrailingHostDot: config.strip_trailing_host_dot,
    streamIdleTimeoutMs,
    requestTimeoutMs: time(config.request_timeout, 'request_timeout') ?? 0,
    requestHeadersTimeoutMs: time(config.request_headers_timeout, 'request_headers_timeout') ?? 0,
    drainTimeoutMs: time(config.drain_timeout, 'drain_timeout') ?? DEFAULT_DRAIN_TIMEOUT_MS,
    delayedCloseTimeoutMs:
      time(config.delayed_close_timeout, 'delayed_close_timeout') ?? DEFAULT_DELAYED_CLOSE_TIMEOUT_MS,
    idleTimeoutMs:
      time(common?.idle_timeout, 'common_http_protocol_options.idle_timeout') ?? DEFAULT_IDLE_TIMEOUT_MS,
    maxConnectionDurationMs:
      time(common?.max_connection_duration, 'common_http_protocol_options.max_connection_duration') ?? 0,
    maxStreamDurationMs:
      time(common?.max_stream_duration, 'common_http_protocol_options.max_stream_duration') ?? 0,
    maxRequestsPerConnection: wrapperValue(common?.max_requests_per_connection) ?? 0,
    localReply: compileLocalReply(config.local_reply_config, context, at(path, 'local_reply_config')),
    bufferLimit: listener.perConnectionBufferLimitBytes,
  } satisfies ConnectionManagerConfig);
}

function compileRoutes(
  config: HttpConnectionManager,
  context: FactoryContext,
  path: string,
): Provider<RouteConfig> {
  if (config.rds !== undefined) return context.routeConfiguration(config.rds, at(path, 'rds'));
  if (config.scoped_routes !== undefined) {
    const { compileScopedRoutes } =
      require('../../../../common/router/scoped_routes.ts') as typeof import('../../../../common/router/scoped_routes.ts');
    return compileScopedRoutes(config.scoped_routes, context, at(path, 'scoped_routes'));
  }
  if (config.route_config === undefined)
    throw new ConfigError(at(path, 'route_specifier'), 'rds or route_config is required');
  const { route_config: routes } = config;
  const options = { validateClusters: true, hits: hitsOf(routes, context) };
  const current = compileRouteConfiguration(routes, context, at(path, 'route_config'), options);
  if (routes.vhds !== undefined) return context.discoveredVirtualHosts(routes, at(path, 'route_config.vhds'));
  return { name: routes.name, current };
}

/** Requests are counted where they come: by the workers. */
function hitsOf(routes: RouteConfiguration, { thread, listener }: FactoryContext): RouteHits | undefined {
  if (thread === 'main') return undefined;
  const { openRouteHits } =
    require('../../../../common/router/route_hits.ts') as typeof import('../../../../common/router/route_hits.ts');
  const bytes = encode('envoy.config.route.v3.RouteConfiguration', routes);
  return openRouteHits(`listener ${listener?.name}`, routes.name, bytes);
}

function underscoresAction(action: string | number | undefined): 'ALLOW' | 'REJECT_REQUEST' | 'DROP_HEADER' {
  return action === 'REJECT_REQUEST' || action === 'DROP_HEADER' ? action : 'ALLOW';
}

function pathNormalization(config: HttpConnectionManager): PathNormalization | undefined {
  const action = config.path_with_escaped_slashes_action;
  const escapedSlashes =
    action === 'REJECT_REQUEST' || action === 'UNESCAPE_AND_REDIRECT' || action === 'UNESCAPE_AND_FORWARD'
      ? action
      : 'KEEP_UNCHANGED';
  const normalizePath = config.normalize_path?.value ?? false;
  if (escapedSlashes === 'KEEP_UNCHANGED' && !normalizePath && !config.merge_slashes) return undefined;
  return Object.freeze({ escapedSlashes, normalizePath, mergeSlashes: config.merge_slashes });
}

/** Only the UUID extension exists, here as in Envoy. Both of its settings are true unless they are set. */
function requestIdSettings(
  config: HttpConnectionManager,
  context: FactoryContext,
  path: string,
): UuidRequestIdConfig | undefined {
  const typed = config.request_id_extension?.typed_config;
  if (typed === undefined) return undefined;
  const where = at(path, 'request_id_extension.typed_config');
  const resolved = context.registry.resolve('envoy.request_id', 'envoy.request_id.uuid', typed, where);
  return resolved.factory.compile(resolved.config, context, where) as UuidRequestIdConfig;
}
