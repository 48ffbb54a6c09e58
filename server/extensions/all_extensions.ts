// THE list: one line per extension, sorted by its path. What is not here does not exist. A line says by what the extension is found;
// its folder is loaded with the first configuration that names it (api/registry.ts).

import { createRequire } from 'node:module';
import type { Extension, ExtensionCategory, FactoryOf } from '../api/registry.ts';

const require = createRequire(import.meta.url);

/** Every extension of this build: category, name, types of its configuration, and where it is. */
// biome-ignore format: a line an extension is how this is read and compared
export const ALL_EXTENSIONS: readonly Extension[] = [
  listed('envoy.access_loggers', 'envoy.access_loggers.file', ['envoy.extensions.access_loggers.file.v3.FileAccessLog'], () => require('./access_loggers/file/config.ts').fileAccessLogger),
  listed('envoy.access_loggers', 'envoy.access_loggers.stderr', ['envoy.extensions.access_loggers.stream.v3.StderrAccessLog'], () => require('./access_loggers/stream/config.ts').stderrAccessLogger),
  listed('envoy.access_loggers', 'envoy.access_loggers.stdout', ['envoy.extensions.access_loggers.stream.v3.StdoutAccessLog'], () => require('./access_loggers/stream/config.ts').stdoutAccessLogger),
  listed('envoy.bootstrap', 'envoy.bootstrap.internal_listener', ['envoy.extensions.bootstrap.internal_listener.v3.InternalListener'], () => require('./bootstrap/internal_listener/config.ts').internalListenerFactory),
  listed('envoy.bootstrap', 'envoy.bootstrap.workload_discovery', ['istio.workload.BootstrapExtension'], () => require('./bootstrap/workload_discovery/config.ts').workloadDiscoveryFactory),
  listed('envoy.compression.compressor', 'envoy.compression.brotli.compressor', ['envoy.extensions.compression.brotli.compressor.v3.Brotli'], () => require('./compression/brotli/compressor/config.ts').brotliCompressorFactory),
  listed('envoy.compression.compressor', 'envoy.compression.gzip.compressor', ['envoy.extensions.compression.gzip.compressor.v3.Gzip'], () => require('./compression/gzip/compressor/config.ts').gzipCompressorFactory),
  listed('envoy.compression.compressor', 'envoy.compression.zstd.compressor', ['envoy.extensions.compression.zstd.compressor.v3.Zstd'], () => require('./compression/zstd/compressor/config.ts').zstdCompressorFactory),
  listed('envoy.filters.http', 'istio.alpn', ['istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig'], () => require('./filters/http/alpn/config.ts').alpnFactory),
  listed('envoy.filters.http', 'envoy.filters.http.buffer', ['envoy.extensions.filters.http.buffer.v3.Buffer'], () => require('./filters/http/buffer/config.ts').bufferFactory, ['envoy.extensions.filters.http.buffer.v3.BufferPerRoute']),
  listed('envoy.filters.http', 'envoy.filters.http.compressor', ['envoy.extensions.filters.http.compressor.v3.Compressor'], () => require('./filters/http/compressor/config.ts').compressorFactory, ['envoy.extensions.filters.http.compressor.v3.CompressorPerRoute']),
  listed('envoy.filters.http', 'envoy.filters.http.cors', ['envoy.extensions.filters.http.cors.v3.Cors'], () => require('./filters/http/cors/config.ts').corsFactory, ['envoy.extensions.filters.http.cors.v3.CorsPolicy']),
  listed('envoy.filters.http', 'envoy.filters.http.fault', ['envoy.extensions.filters.http.fault.v3.HTTPFault'], () => require('./filters/http/fault/config.ts').faultFactory),
  listed('envoy.filters.http', 'envoy.filters.http.grpc_stats', ['envoy.extensions.filters.http.grpc_stats.v3.FilterConfig'], () => require('./filters/http/grpc_stats/config.ts').grpcStatsFactory),
  listed('envoy.filters.http', 'envoy.filters.http.local_ratelimit', ['envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit'], () => require('./filters/http/local_ratelimit/config.ts').localRateLimitFactory),
  listed('envoy.filters.http', 'envoy.filters.http.peer_metadata', ['io.istio.http.peer_metadata.Config'], () => require('./filters/http/peer_metadata/config.ts').peerMetadataFactory),
  listed('envoy.filters.http', 'envoy.filters.http.router', ['envoy.extensions.filters.http.router.v3.Router'], () => require('./filters/http/router/config.ts').routerFactory),
  listed('envoy.filters.http', 'envoy.filters.http.stateful_session', ['envoy.extensions.filters.http.stateful_session.v3.StatefulSession'], () => require('./filters/http/stateful_session/config.ts').statefulSessionFactory, ['envoy.extensions.filters.http.stateful_session.v3.StatefulSessionPerRoute']),
  listed('envoy.filters.http', 'envoy.filters.http.istio_stats', ['stats.PluginConfig'], () => require('./filters/http/stats/config.ts').istioStatsFactory),
  listed('envoy.filters.listener', 'envoy.filters.listener.http_inspector', ['envoy.extensions.filters.listener.http_inspector.v3.HttpInspector'], () => require('./filters/listener/http_inspector/config.ts').httpInspectorFactory),
  listed('envoy.filters.listener', 'envoy.filters.listener.original_dst', ['envoy.extensions.filters.listener.original_dst.v3.OriginalDst'], () => require('./filters/listener/original_dst/config.ts').originalDstFactory),
  listed('envoy.filters.listener', 'envoy.filters.listener.proxy_protocol', ['envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol'], () => require('./filters/listener/proxy_protocol/config.ts').proxyProtocolFactory),
  listed('envoy.filters.listener', 'envoy.filters.listener.tls_inspector', ['envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector'], () => require('./filters/listener/tls_inspector/config.ts').tlsInspectorFactory),
  listed('envoy.filters.network', 'envoy.filters.network.connection_limit', ['envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit'], () => require('./filters/network/connection_limit/config.ts').connectionLimitFactory),
  listed('envoy.filters.network', 'envoy.filters.network.direct_response', ['envoy.extensions.filters.network.direct_response.v3.Config'], () => require('./filters/network/direct_response/config.ts').directResponseFactory),
  listed('envoy.filters.network', 'envoy.filters.network.echo', ['envoy.extensions.filters.network.echo.v3.Echo'], () => require('./filters/network/echo/config.ts').echoFactory),
  listed('envoy.filters.network', 'envoy.filters.network.http_connection_manager', ['envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager'], () => require('./filters/network/http_connection_manager/config.ts').httpConnectionManagerFactory),
  listed('envoy.filters.network', 'envoy.filters.network.metadata_exchange', ['envoy.tcp.metadataexchange.config.MetadataExchange'], () => require('./filters/network/metadata_exchange/config.ts').metadataExchangeFactory),
  listed('envoy.filters.network', 'envoy.filters.network.mongo_proxy', ['envoy.extensions.filters.network.mongo_proxy.v3.MongoProxy'], () => require('./filters/network/mongo_proxy/config.ts').mongoProxyFactory),
  listed('envoy.filters.network', 'envoy.filters.network.rbac', ['envoy.extensions.filters.network.rbac.v3.RBAC'], () => require('./filters/network/rbac/config.ts').rbacFactory),
  listed('envoy.filters.network', 'envoy.filters.network.set_filter_state', ['envoy.extensions.filters.network.set_filter_state.v3.Config'], () => require('./filters/network/set_filter_state/config.ts').setFilterStateFactory),
  listed('envoy.filters.network', 'envoy.filters.network.sni_cluster', ['envoy.extensions.filters.network.sni_cluster.v3.SniCluster'], () => require('./filters/network/sni_cluster/config.ts').sniClusterFactory),
  listed('envoy.filters.network', 'envoy.filters.network.istio_stats', ['stats.PluginConfig'], () => require('./filters/network/stats/config.ts').istioTcpStatsFactory),
  listed('envoy.filters.network', 'envoy.filters.network.tcp_proxy', ['envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy'], () => require('./filters/network/tcp_proxy/config.ts').tcpProxyFactory),
  listed('envoy.formatter', 'envoy.formatter.metadata', ['envoy.extensions.formatter.metadata.v3.Metadata'], () => require('./formatter/metadata/config.ts').metadataFormatter),
  listed('envoy.formatter', 'envoy.formatter.req_without_query', ['envoy.extensions.formatter.req_without_query.v3.ReqWithoutQuery'], () => require('./formatter/req_without_query/config.ts').reqWithoutQueryFormatter),
  listed('envoy.http.stateful_header_formatters', 'envoy.http.stateful_header_formatters.preserve_case', ['envoy.extensions.http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig'], () => require('./http/header_formatters/preserve_case/config.ts').preserveCaseFactory),
  listed('envoy.http.stateful_session', 'envoy.http.stateful_session.cookie', ['envoy.extensions.http.stateful_session.cookie.v3.CookieBasedSessionState'], () => require('./http/stateful_session/cookie/config.ts').cookieSessionFactory),
  listed('envoy.http.stateful_session', 'envoy.http.stateful_session.header', ['envoy.extensions.http.stateful_session.header.v3.HeaderBasedSessionState'], () => require('./http/stateful_session/header/config.ts').headerSessionFactory),
  listed('envoy.internal_redirect_predicates', 'envoy.internal_redirect_predicates.allow_listed_routes', ['envoy.extensions.internal_redirect.allow_listed_routes.v3.AllowListedRoutesConfig'], () => require('./internal_redirect/allow_listed_routes/config.ts').allowListedRoutesFactory),
  listed('envoy.internal_redirect_predicates', 'envoy.internal_redirect_predicates.previous_routes', ['envoy.extensions.internal_redirect.previous_routes.v3.PreviousRoutesConfig'], () => require('./internal_redirect/previous_routes/config.ts').previousRoutesFactory),
  listed('envoy.internal_redirect_predicates', 'envoy.internal_redirect_predicates.safe_cross_scheme', ['envoy.extensions.internal_redirect.safe_cross_scheme.v3.SafeCrossSchemeConfig'], () => require('./internal_redirect/safe_cross_scheme/config.ts').safeCrossSchemeFactory),
  listed('envoy.load_balancing_policies', 'envoy.load_balancing_policies.client_side_weighted_round_robin', ['envoy.extensions.load_balancing_policies.client_side_weighted_round_robin.v3.ClientSideWeightedRoundRobin'], () => require('./load_balancing_policies/client_side_weighted_round_robin/config.ts').clientSideWeightedRoundRobinFactory),
  listed('envoy.load_balancing_policies', 'envoy.load_balancing_policies.cluster_provided', ['envoy.extensions.load_balancing_policies.cluster_provided.v3.ClusterProvided'], () => require('./load_balancing_policies/cluster_provided/config.ts').clusterProvidedFactory),
  listed('envoy.load_balancing_policies', 'envoy.load_balancing_policies.least_request', ['envoy.extensions.load_balancing_policies.least_request.v3.LeastRequest'], () => require('./load_balancing_policies/least_request/config.ts').leastRequestFactory),
  listed('envoy.load_balancing_policies', 'envoy.load_balancing_policies.maglev', ['envoy.extensions.load_balancing_policies.maglev.v3.Maglev'], () => require('./load_balancing_policies/maglev/config.ts').maglevFactory),
  listed('envoy.load_balancing_policies', 'envoy.load_balancing_policies.override_host', ['envoy.extensions.load_balancing_policies.override_host.v3.OverrideHost'], () => require('./load_balancing_policies/override_host/config.ts').overrideHostFactory),
  listed('envoy.load_balancing_policies', 'envoy.load_balancing_policies.random', ['envoy.extensions.load_balancing_policies.random.v3.Random'], () => require('./load_balancing_policies/random/config.ts').randomFactory),
  listed('envoy.load_balancing_policies', 'envoy.load_balancing_policies.ring_hash', ['envoy.extensions.load_balancing_policies.ring_hash.v3.RingHash'], () => require('./load_balancing_policies/ring_hash/config.ts').ringHashFactory),
  listed('envoy.load_balancing_policies', 'envoy.load_balancing_policies.round_robin', ['envoy.extensions.load_balancing_policies.round_robin.v3.RoundRobin'], () => require('./load_balancing_policies/round_robin/config.ts').roundRobinFactory),
  listed('envoy.load_balancing_policies', 'envoy.load_balancing_policies.subset', ['envoy.extensions.load_balancing_policies.subset.v3.Subset'], () => require('./load_balancing_policies/subset/config.ts').subsetFactory),
  listed('envoy.load_balancing_policies', 'envoy.load_balancing_policies.wrr_locality', ['envoy.extensions.load_balancing_policies.wrr_locality.v3.WrrLocality'], () => require('./load_balancing_policies/wrr_locality/config.ts').wrrLocalityFactory),
  listed('envoy.path.match', 'envoy.path.match.uri_template.uri_template_matcher', ['envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig'], () => require('./path/match/uri_template/config.ts').uriTemplateMatcherFactory),
  listed('envoy.path.rewrite', 'envoy.path.rewrite.uri_template.uri_template_rewriter', ['envoy.extensions.path.rewrite.uri_template.v3.UriTemplateRewriteConfig'], () => require('./path/rewrite/uri_template/config.ts').uriTemplateRewriterFactory),
  listed('envoy.request_id', 'envoy.request_id.uuid', ['envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig'], () => require('./request_id/uuid/config.ts').uuidRequestIdFactory),
  listed('envoy.retry_host_predicates', 'envoy.retry_host_predicates.omit_canary_hosts', ['envoy.extensions.retry.host.omit_canary_hosts.v3.OmitCanaryHostsPredicate'], () => require('./retry/host/omit_canary_hosts/config.ts').omitCanaryHostsFactory),
  listed('envoy.retry_host_predicates', 'envoy.retry_host_predicates.omit_host_metadata', ['envoy.extensions.retry.host.omit_host_metadata.v3.OmitHostMetadataConfig'], () => require('./retry/host/omit_host_metadata/config.ts').omitHostMetadataFactory),
  listed('envoy.retry_host_predicates', 'envoy.retry_host_predicates.previous_hosts', ['envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate'], () => require('./retry/host/previous_hosts/config.ts').previousHostsFactory),
  listed('envoy.retry_priorities', 'envoy.retry_priorities.previous_priorities', ['envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig'], () => require('./retry/priority/previous_priorities/config.ts').previousPrioritiesFactory),
  listed('envoy.tracers', 'envoy.tracers.zipkin', ['envoy.config.trace.v3.ZipkinConfig'], () => require('./tracers/zipkin/config.ts').zipkinTracerFactory),
  listed('envoy.transport_sockets.upstream', 'envoy.transport_sockets.upstream_proxy_protocol', ['envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport'], () => require('./transport_sockets/proxy_protocol/config.ts').upstreamProxyProtocolFactory),
  listed('envoy.transport_sockets.downstream', 'envoy.transport_sockets.raw_buffer', ['envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer'], () => require('./transport_sockets/raw_buffer/config.ts').downstreamRawBufferFactory),
  listed('envoy.transport_sockets.upstream', 'envoy.transport_sockets.raw_buffer', ['envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer'], () => require('./transport_sockets/raw_buffer/config.ts').upstreamRawBufferFactory),
  listed('envoy.transport_sockets.downstream', 'envoy.transport_sockets.tls', ['envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext'], () => require('./transport_sockets/tls/config.ts').downstreamTlsFactory),
  listed('envoy.transport_sockets.upstream', 'envoy.transport_sockets.tls', ['envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext'], () => require('./transport_sockets/tls/config.ts').upstreamTlsFactory),
  listed('envoy.upstream_options', 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions', ['envoy.extensions.upstreams.http.v3.HttpProtocolOptions'], () => require('./upstreams/http/config.ts').httpProtocolOptionsFactory),
];

function listed<Category extends ExtensionCategory>(
  category: Category,
  name: string,
  configTypes: readonly string[],
  load: () => FactoryOf<Category>,
  routeConfigTypes?: readonly string[],
): Extension<Category> {
  return { category, name, configTypes, routeConfigTypes, load };
}
