// THE list: one line per extension, sorted by its path. What is not here does not exist.

import type { ExtensionFactory } from '../api/registry.ts';
import { fileAccessLogger } from './access_loggers/file/config.ts';
import { stderrAccessLogger, stdoutAccessLogger } from './access_loggers/stream/config.ts';
import { internalListenerFactory } from './bootstrap/internal_listener/config.ts';
import { alpnFactory } from './filters/http/alpn/config.ts';
import { corsFactory } from './filters/http/cors/config.ts';
import { faultFactory } from './filters/http/fault/config.ts';
import { grpcStatsFactory } from './filters/http/grpc_stats/config.ts';
import { peerMetadataFactory } from './filters/http/peer_metadata/config.ts';
import { istioStatsFactory } from './filters/http/stats/config.ts';
import { httpInspectorFactory } from './filters/listener/http_inspector/config.ts';
import { originalDstFactory } from './filters/listener/original_dst/config.ts';
import { proxyProtocolFactory } from './filters/listener/proxy_protocol/config.ts';
import { tlsInspectorFactory } from './filters/listener/tls_inspector/config.ts';
import { metadataExchangeFactory } from './filters/network/metadata_exchange/config.ts';
import { istioTcpStatsFactory } from './filters/network/stats/config.ts';
import { metadataFormatter } from './formatter/metadata/config.ts';
import { reqWithoutQueryFormatter } from './formatter/req_without_query/config.ts';
import { downstreamTlsFactory, upstreamTlsFactory } from './transport_sockets/tls/config.ts';

/** Every extension of this build. */
export const ALL_EXTENSIONS: readonly ExtensionFactory[] = [
  fileAccessLogger,
  stderrAccessLogger,
  stdoutAccessLogger,
  internalListenerFactory,
  alpnFactory,
  corsFactory,
  faultFactory,
  grpcStatsFactory,
  peerMetadataFactory,
  istioStatsFactory,
  httpInspectorFactory,
  originalDstFactory,
  proxyProtocolFactory,
  tlsInspectorFactory,
  metadataExchangeFactory,
  istioTcpStatsFactory,
  metadataFormatter,
  reqWithoutQueryFormatter,
  downstreamTlsFactory,
  upstreamTlsFactory,
];
