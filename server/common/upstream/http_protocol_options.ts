// How HTTP is spoken to a cluster: protocol, limits, idle times. Read from HttpProtocolOptions, or from the cluster's own
// deprecated fields. Envoy: source/extensions/upstreams/http/config.cc.

import type { Cluster as ClusterMessage } from '../../../xds-protos/generated/envoy/config/cluster/v3.ts';
import type {
  HttpProtocolOptions as CommonOptions,
  Http1ProtocolOptions,
} from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import type { HttpProtocolOptions } from '../../../xds-protos/generated/envoy/extensions/upstreams/http/v3.ts';
import { durationMs, wrapperValue } from '../../../xds-protos/well_known.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { FactoryContext } from '../../api/registry.ts';
import type { ClusterFeatures } from '../../api/upstream/cluster.ts';
import { rejectOtherFields } from '../config/handled_fields.ts';

const EXTENSION = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
/** Source: HttpProtocolOptions.idle_timeout, 1 h. */
const DEFAULT_IDLE_TIMEOUT_MS = 3_600_000;
/** Source: MAX_RESPONSE_HEADERS_KB of the HTTP/1 codec, 80. */
const DEFAULT_MAX_RESPONSE_HEADERS_KB = 80;
/** Source: HttpProtocolOptions.max_headers_count, 100. */
const DEFAULT_MAX_HEADERS_COUNT = 100;

const OPTIONS_FIELDS = new Set([
  'common_http_protocol_options',
  'upstream_http_protocol_options',
  'explicit_http_config',
  'use_downstream_protocol_config',
  'auto_config',
]);
const COMMON_FIELDS = new Set([
  'idle_timeout',
  'max_connection_duration',
  'max_headers_count',
  'max_response_headers_kb',
  'max_stream_duration',
  'max_requests_per_connection',
]);
const UPSTREAM_FIELDS = new Set(['auto_sni', 'auto_san_validation']);

/** What compiles out of a cluster's protocol options. */
export interface HttpOptions {
  readonly features: ClusterFeatures;
  readonly http1: Http1ProtocolOptions | undefined;
  readonly autoSni: boolean;
  readonly autoSanValidation: boolean;
}

export function compileHttpOptions(
  cluster: ClusterMessage,
  context: FactoryContext,
  path: string,
): HttpOptions {
  const map = cluster.typed_extension_protocol_options;
  for (const name of Object.keys(map)) {
    const where = `${at(path, 'typed_extension_protocol_options')}[${JSON.stringify(name)}]`;
    const resolved = context.registry.resolve('envoy.upstream_options', name, map[name], where);
    if (resolved.typeName !== EXTENSION)
      throw new ConfigError(where, `protocol options of type ${resolved.typeName} are not supported`);
    return fromOptions(resolved.config as HttpProtocolOptions, where);
  }
  if (cluster.protocol_selection === 'USE_DOWNSTREAM_PROTOCOL')
    throw new ConfigError(
      at(path, 'protocol_selection'),
      'use HttpProtocolOptions.use_downstream_protocol_config',
    );
  const legacyMax = wrapperValue(cluster.max_requests_per_connection) ?? 0;
  const protocol = cluster.http2_protocol_options === undefined ? 'http1' : 'http2';
  return build(
    protocol,
    cluster.common_http_protocol_options,
    cluster.http_protocol_options,
    legacyMax,
    false,
    false,
    path,
  );
}

function fromOptions(options: HttpProtocolOptions, path: string): HttpOptions {
  rejectOtherFields(options, OPTIONS_FIELDS, path);
  const upstream = options.upstream_http_protocol_options;
  if (upstream !== undefined)
    rejectOtherFields(upstream, UPSTREAM_FIELDS, at(path, 'upstream_http_protocol_options'));
  const autoSni = upstream?.auto_sni === true;
  const autoSan = upstream?.auto_san_validation === true;
  const common = options.common_http_protocol_options;
  if (options.auto_config !== undefined) {
    return build('auto', common, options.auto_config.http_protocol_options, 0, autoSni, autoSan, path);
  }
  if (options.use_downstream_protocol_config !== undefined) {
    return build(
      'downstream',
      common,
      options.use_downstream_protocol_config.http_protocol_options,
      0,
      autoSni,
      autoSan,
      path,
    );
  }
  const explicit = options.explicit_http_config;
  if (explicit?.http3_protocol_options !== undefined) {
    throw new ConfigError(
      at(path, 'explicit_http_config.http3_protocol_options'),
      'HTTP/3 is not supported: node has no QUIC',
    );
  }
  const protocol = explicit?.http2_protocol_options === undefined ? 'http1' : 'http2';
  return build(protocol, common, explicit?.http_protocol_options, 0, autoSni, autoSan, path);
}

function build(
  upstreamProtocol: ClusterFeatures['upstreamProtocol'],
  common: CommonOptions | undefined,
  http1: Http1ProtocolOptions | undefined,
  legacyMaxRequests: number,
  autoSni: boolean,
  autoSanValidation: boolean,
  path: string,
): HttpOptions {
  if (common !== undefined)
    rejectOtherFields(common, COMMON_FIELDS, at(path, 'common_http_protocol_options'));
  return {
    features: Object.freeze({
      upstreamProtocol,
      idleTimeoutMs: durationMs(common?.idle_timeout) ?? DEFAULT_IDLE_TIMEOUT_MS,
      maxConnectionDurationMs: durationMs(common?.max_connection_duration) ?? 0,
      maxStreamDurationMs: durationMs(common?.max_stream_duration) ?? 0,
      maxRequestsPerConnection: wrapperValue(common?.max_requests_per_connection) ?? legacyMaxRequests,
      maxResponseHeadersKb: wrapperValue(common?.max_response_headers_kb) ?? DEFAULT_MAX_RESPONSE_HEADERS_KB,
      maxHeadersCount: wrapperValue(common?.max_headers_count) ?? DEFAULT_MAX_HEADERS_COUNT,
    }),
    http1,
    autoSni,
    autoSanValidation,
  };
}
