// THE list: one line per extension, sorted by its path. What is not here does not exist.

import type { ExtensionFactory } from '../api/registry.ts';
import { fileAccessLogger } from './access_loggers/file/config.ts';
import { stderrAccessLogger, stdoutAccessLogger } from './access_loggers/stream/config.ts';
import { internalListenerFactory } from './bootstrap/internal_listener/config.ts';
import { workloadDiscoveryFactory } from './bootstrap/workload_discovery/config.ts';
import { brotliCompressorFactory } from './compression/brotli/compressor/config.ts';
import { gzipCompressorFactory } from './compression/gzip/compressor/config.ts';
import { zstdCompressorFactory } from './compression/zstd/compressor/config.ts';
import { alpnFactory } from './filters/http/alpn/config.ts';
import { compressorFactory } from './filters/http/compressor/config.ts';
import { corsFactory } from './filters/http/cors/config.ts';
import { faultFactory } from './filters/http/fault/config.ts';
import { grpcStatsFactory } from './filters/http/grpc_stats/config.ts';
import { peerMetadataFactory } from './filters/http/peer_metadata/config.ts';
import { routerFactory } from './filters/http/router/config.ts';
import { statefulSessionFactory } from './filters/http/stateful_session/config.ts';
import { istioStatsFactory } from './filters/http/stats/config.ts';
import { httpInspectorFactory } from './filters/listener/http_inspector/config.ts';
import { originalDstFactory } from './filters/listener/original_dst/config.ts';
import { proxyProtocolFactory } from './filters/listener/proxy_protocol/config.ts';
import { tlsInspectorFactory } from './filters/listener/tls_inspector/config.ts';
import { connectionLimitFactory } from './filters/network/connection_limit/config.ts';
import { directResponseFactory } from './filters/network/direct_response/config.ts';
import { echoFactory } from './filters/network/echo/config.ts';
import { httpConnectionManagerFactory } from './filters/network/http_connection_manager/config.ts';
import { metadataExchangeFactory } from './filters/network/metadata_exchange/config.ts';
import { mongoProxyFactory } from './filters/network/mongo_proxy/config.ts';
import { rbacFactory } from './filters/network/rbac/config.ts';
import { setFilterStateFactory } from './filters/network/set_filter_state/config.ts';
import { sniClusterFactory } from './filters/network/sni_cluster/config.ts';
import { istioTcpStatsFactory } from './filters/network/stats/config.ts';
import { tcpProxyFactory } from './filters/network/tcp_proxy/config.ts';
import { metadataFormatter } from './formatter/metadata/config.ts';
import { reqWithoutQueryFormatter } from './formatter/req_without_query/config.ts';
import { preserveCaseFactory } from './http/header_formatters/preserve_case/config.ts';
import { cookieSessionFactory } from './http/stateful_session/cookie/config.ts';
import { headerSessionFactory } from './http/stateful_session/header/config.ts';
import { allowListedRoutesFactory } from './internal_redirect/allow_listed_routes/config.ts';
import { previousRoutesFactory } from './internal_redirect/previous_routes/config.ts';
import { safeCrossSchemeFactory } from './internal_redirect/safe_cross_scheme/config.ts';
import { clusterProvidedFactory } from './load_balancing_policies/cluster_provided/config.ts';
import { leastRequestFactory } from './load_balancing_policies/least_request/config.ts';
import { maglevFactory } from './load_balancing_policies/maglev/config.ts';
import { randomFactory } from './load_balancing_policies/random/config.ts';
import { ringHashFactory } from './load_balancing_policies/ring_hash/config.ts';
import { roundRobinFactory } from './load_balancing_policies/round_robin/config.ts';
import { subsetFactory } from './load_balancing_policies/subset/config.ts';
import { uriTemplateMatcherFactory } from './path/match/uri_template/config.ts';
import { uriTemplateRewriterFactory } from './path/rewrite/uri_template/config.ts';
import { uuidRequestIdFactory } from './request_id/uuid/config.ts';
import { omitCanaryHostsFactory } from './retry/host/omit_canary_hosts/config.ts';
import { omitHostMetadataFactory } from './retry/host/omit_host_metadata/config.ts';
import { previousHostsFactory } from './retry/host/previous_hosts/config.ts';
import { previousPrioritiesFactory } from './retry/priority/previous_priorities/config.ts';
import { zipkinTracerFactory } from './tracers/zipkin/config.ts';
import { upstreamProxyProtocolFactory } from './transport_sockets/proxy_protocol/config.ts';
import {
  downstreamRawBufferFactory,
  upstreamRawBufferFactory,
} from './transport_sockets/raw_buffer/config.ts';
import { downstreamTlsFactory, upstreamTlsFactory } from './transport_sockets/tls/config.ts';
import { httpProtocolOptionsFactory } from './upstreams/http/config.ts';

/** Every extension of this build. */
export const ALL_EXTENSIONS: readonly ExtensionFactory[] = [
  fileAccessLogger,
  stderrAccessLogger,
  stdoutAccessLogger,
  internalListenerFactory,
  workloadDiscoveryFactory,
  brotliCompressorFactory,
  gzipCompressorFactory,
  zstdCompressorFactory,
  alpnFactory,
  compressorFactory,
  corsFactory,
  faultFactory,
  grpcStatsFactory,
  peerMetadataFactory,
  routerFactory,
  statefulSessionFactory,
  istioStatsFactory,
  httpInspectorFactory,
  originalDstFactory,
  proxyProtocolFactory,
  tlsInspectorFactory,
  connectionLimitFactory,
  directResponseFactory,
  echoFactory,
  httpConnectionManagerFactory,
  metadataExchangeFactory,
  mongoProxyFactory,
  rbacFactory,
  setFilterStateFactory,
  sniClusterFactory,
  istioTcpStatsFactory,
  tcpProxyFactory,
  metadataFormatter,
  reqWithoutQueryFormatter,
  preserveCaseFactory,
  cookieSessionFactory,
  headerSessionFactory,
  allowListedRoutesFactory,
  previousRoutesFactory,
  safeCrossSchemeFactory,
  clusterProvidedFactory,
  leastRequestFactory,
  maglevFactory,
  randomFactory,
  ringHashFactory,
  roundRobinFactory,
  subsetFactory,
  uriTemplateMatcherFactory,
  uriTemplateRewriterFactory,
  uuidRequestIdFactory,
  omitCanaryHostsFactory,
  omitHostMetadataFactory,
  previousHostsFactory,
  previousPrioritiesFactory,
  zipkinTracerFactory,
  upstreamProxyProtocolFactory,
  downstreamRawBufferFactory,
  upstreamRawBufferFactory,
  downstreamTlsFactory,
  upstreamTlsFactory,
  httpProtocolOptionsFactory,
];
