// How HTTP is spoken to a cluster: protocol, limits, idle times. Read from HttpProtocolOptions, or from the cluster's own
// deprecated fields. Envoy: source/extensions/upstreams/http/config.cc.

import type { Cluster as ClusterMessage } from '../../../xds-protos/generated/envoy/config/cluster/v3.ts';
import type {
  HttpProtocolOptions as CommonOptions,
  Http1ProtocolOptions,
  Http2ProtocolOptions,
  UpstreamHttpProtocolOptions,
} from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import type { HttpProtocolOptions } from '../../../xds-protos/generated/envoy/extensions/upstreams/http/v3.ts';
import { durationMs, wrapperValue } from '../../../xds-protos/well_known.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { FactoryContext } from '../../api/registry.ts';
import type { ClusterFeatures } from '../../api/upstream/cluster.ts';
import { rejectOtherFields } from '../config/handled_fields.ts';
import { compileHttp2Settings, type Http2Settings } from '../http/http2/settings.ts';

const EXTENSION = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
/** Source: HttpProtocolOptions.idle_timeout, 1 h. */
const DEFAULT_IDLE_TIMEOUT_MS = 3_600_000;
/** Source: MAX_RESPONSE_HEADERS_KB of the HTTP/1 codec, 80. */
const DEFAULT_MAX_RESPONSE_HEADERS_KB = 80;
/** Source: Envoy's HTTP/2 codec takes so many of a response by default (Http::DEFAULT_MAX_REQUEST_HEADERS_KB). */
const DEFAULT_MAX_HTTP2_RESPONSE_HEADERS_KB = 60;
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
const UPSTREAM_FIELDS = new Set(['auto_sni', 'auto_san_validation', 'override_auto_sni_header']);

/** What compiles out of a cluster's protocol options. */
export interface HttpOptions {
  readonly features: ClusterFeatures;
  readonly http1: Http1ProtocolOptions | undefined;
  readonly http2: Http2Settings;
  readonly autoSni: boolean;
  readonly autoSanValidation: boolean;
  /** Lower case. */
  readonly autoSniHeader: string;
}

/** The oneof that says which protocol is spoken, with the options of each. */
interface ProtocolOptions {
  readonly protocol: ClusterFeatures['upstreamProtocol'];
  readonly http1: Http1ProtocolOptions | undefined;
  readonly http2: Http2ProtocolOptions | undefined;
  /** Where `http2` stands. */
  readonly http2Path: string;
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
  return build(
    {
      protocol: legacyProtocol(cluster),
      http1: cluster.http_protocol_options,
      http2: cluster.http2_protocol_options,
      http2Path: at(path, 'http2_protocol_options'),
    },
    cluster.common_http_protocol_options,
    wrapperValue(cluster.max_requests_per_connection) ?? 0,
    upstreamOptions(cluster, path),
    path,
  );
}

function legacyProtocol(cluster: ClusterMessage): ClusterFeatures['upstreamProtocol'] {
  if (cluster.protocol_selection === 'USE_DOWNSTREAM_PROTOCOL') return 'downstream';
  return cluster.http2_protocol_options === undefined ? 'http1' : 'http2';
}

function fromOptions(options: HttpProtocolOptions, path: string): HttpOptions {
  rejectOtherFields(options, OPTIONS_FIELDS, path);
  const upstream = upstreamOptions(options, path);
  return build(protocolOptions(options, path), options.common_http_protocol_options, 0, upstream, path);
}

function upstreamOptions(
  { upstream_http_protocol_options: upstream }: Pick<HttpProtocolOptions, 'upstream_http_protocol_options'>,
  path: string,
): UpstreamHttpProtocolOptions | undefined {
  if (upstream !== undefined)
    rejectOtherFields(upstream, UPSTREAM_FIELDS, at(path, 'upstream_http_protocol_options'));
  return upstream;
}

function protocolOptions(options: HttpProtocolOptions, path: string): ProtocolOptions {
  const { auto_config: auto, use_downstream_protocol_config: downstream, explicit_http_config } = options;
  const field =
    auto !== undefined
      ? 'auto_config'
      : downstream !== undefined
        ? 'use_downstream_protocol_config'
        : 'explicit_http_config';
  const config = auto ?? downstream ?? explicit_http_config;
  const where = at(path, field);
  if (config?.http3_protocol_options !== undefined)
    throw new ConfigError(at(where, 'http3_protocol_options'), 'HTTP/3 is not supported: node has no QUIC');
  if (auto?.alternate_protocols_cache_options !== undefined)
    throw new ConfigError(
      at(where, 'alternate_protocols_cache_options'),
      'HTTP/3 is not supported: node has no QUIC',
    );
  const explicit = config?.http2_protocol_options === undefined ? 'http1' : 'http2';
  return {
    protocol: auto !== undefined ? 'auto' : downstream !== undefined ? 'downstream' : explicit,
    http1: config?.http_protocol_options,
    http2: config?.http2_protocol_options,
    http2Path: at(where, 'http2_protocol_options'),
  };
}

function build(
  { protocol, http1, http2, http2Path }: ProtocolOptions,
  common: CommonOptions | undefined,
  legacyMaxRequests: number,
  upstream: UpstreamHttpProtocolOptions | undefined,
  path: string,
): HttpOptions {
  if (common !== undefined)
    rejectOtherFields(common, COMMON_FIELDS, at(path, 'common_http_protocol_options'));
  const maxHeadersKb = wrapperValue(common?.max_response_headers_kb);
  const maxHeadersCount = wrapperValue(common?.max_headers_count) ?? DEFAULT_MAX_HEADERS_COUNT;
  return {
    features: Object.freeze({
      upstreamProtocol: protocol,
      idleTimeoutMs: durationMs(common?.idle_timeout) ?? DEFAULT_IDLE_TIMEOUT_MS,
      maxConnectionDurationMs: durationMs(common?.max_connection_duration) ?? 0,
      maxStreamDurationMs: durationMs(common?.max_stream_duration) ?? 0,
      maxRequestsPerConnection: wrapperValue(common?.max_requests_per_connection) ?? legacyMaxRequests,
      maxResponseHeadersKb: maxHeadersKb ?? DEFAULT_MAX_RESPONSE_HEADERS_KB,
      maxHeadersCount,
    }),
    http1,
    http2: compileHttp2Settings(
      http2,
      {
        maxHeadersKb: maxHeadersKb ?? DEFAULT_MAX_HTTP2_RESPONSE_HEADERS_KB,
        maxHeadersCount,
        headersWithUnderscoresAction: 'ALLOW',
        streamErrorOnInvalidHttpMessage: undefined,
      },
      http2Path,
    ),
    autoSni: upstream?.auto_sni === true,
    autoSanValidation: upstream?.auto_san_validation === true,
    autoSniHeader: upstream?.override_auto_sni_header.toLowerCase() ?? '',
  };
}
