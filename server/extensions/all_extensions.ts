// THE list: one line per extension, sorted by its path. What is not here does not exist.

import type { ExtensionFactory } from '../api/registry.ts';
import { httpInspectorFactory } from './filters/listener/http_inspector/config.ts';
import { originalDstFactory } from './filters/listener/original_dst/config.ts';
import { proxyProtocolFactory } from './filters/listener/proxy_protocol/config.ts';
import { tlsInspectorFactory } from './filters/listener/tls_inspector/config.ts';
import {
  downstreamRawBufferFactory,
  upstreamRawBufferFactory,
} from './transport_sockets/raw_buffer/config.ts';
import { downstreamTlsFactory, upstreamTlsFactory } from './transport_sockets/tls/config.ts';

/** Every extension of this build. */
export const ALL_EXTENSIONS: readonly ExtensionFactory[] = [
  httpInspectorFactory,
  originalDstFactory,
  proxyProtocolFactory,
  tlsInspectorFactory,
  downstreamRawBufferFactory,
  upstreamRawBufferFactory,
  downstreamTlsFactory,
  upstreamTlsFactory,
];
