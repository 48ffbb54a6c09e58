// The proxy of the conformance tests: one listener in plain text (HTTP/2 by prior knowledge) and one with TLS (HTTP/2 by ALPN),
// each in front of its own upstream. The same bootstrap is given to Pilotfish and, as a check of the tests themselves, to Envoy.

import path from 'node:path';
import { EnvoyProcess } from '../differential/envoy_process.ts';

const TYPE = 'type.googleapis.com/envoy';
const CERTS = path.join(import.meta.dirname, '..', 'fixtures', 'certs');

/** Of the server's certificate, on both sides of the proxy. It names `SERVER_NAME`. */
export const CERTIFICATE = path.join(CERTS, 'server.pem');
export const PRIVATE_KEY = path.join(CERTS, 'server.key');
export const CA = path.join(CERTS, 'ca.pem');
export const SERVER_NAME = 'server.example.com';

/** Names of the listeners. */
export const MODES = ['h2c', 'tls'] as const;
export type Mode = (typeof MODES)[number];

export interface Upstream {
  readonly port: number;
  readonly http2: boolean;
  readonly tls: boolean;
}

/** Starts a proxy; `command` as in EnvoyProcess. */
export function startProxy(
  upstreams: Readonly<Record<Mode, Upstream>>,
  command: readonly string[],
): Promise<EnvoyProcess> {
  const listeners = MODES.map(listener);
  const clusters = MODES.map((mode) => cluster(mode, upstreams[mode]));
  return EnvoyProcess.start({ static_resources: { listeners, clusters } }, command);
}

function listener(mode: Mode): object {
  const route = {
    match: { prefix: '/' },
    // For gRPC: calls end by their own deadline.
    route: { cluster: mode, timeout: '0s' },
  };
  const manager = extension('filters.network.http_connection_manager', 'HttpConnectionManager', {
    stat_prefix: mode,
    codec_type: 'AUTO',
    route_config: { name: mode, virtual_hosts: [{ name: 'all', domains: ['*'], routes: [route] }] },
    http_filters: [extension('filters.http.router', 'Router', {})],
  });
  const tls = extension('transport_sockets.tls', 'DownstreamTlsContext', {
    common_tls_context: {
      alpn_protocols: ['h2', 'http/1.1'],
      tls_certificates: [
        { certificate_chain: { filename: CERTIFICATE }, private_key: { filename: PRIVATE_KEY } },
      ],
    },
  });
  const chain = { filters: [manager], ...(mode === 'tls' && { transport_socket: tls }) };
  return { name: mode, address: loopback(0), filter_chains: [chain] };
}

function cluster(mode: Mode, upstream: Upstream): object {
  const protocol = upstream.http2 ? { http2_protocol_options: {} } : { http_protocol_options: {} };
  const tls = extension('transport_sockets.tls', 'UpstreamTlsContext', {
    sni: SERVER_NAME,
    common_tls_context: {
      alpn_protocols: [upstream.http2 ? 'h2' : 'http/1.1'],
      validation_context: {
        trusted_ca: { filename: CA },
        match_typed_subject_alt_names: [{ san_type: 'DNS', matcher: { exact: SERVER_NAME } }],
      },
    },
  });
  const endpoint = { endpoint: { address: loopback(upstream.port) } };
  return {
    name: mode,
    load_assignment: { cluster_name: mode, endpoints: [{ lb_endpoints: [endpoint] }] },
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': `${TYPE}.extensions.upstreams.http.v3.HttpProtocolOptions`,
        explicit_http_config: protocol,
      },
    },
    ...(upstream.tls && { transport_socket: tls }),
  };
}

function extension(name: string, message: string, config: object): object {
  return {
    name: `envoy.${name}`,
    typed_config: { '@type': `${TYPE}.extensions.${name}.v3.${message}`, ...config },
  };
}

function loopback(port_value: number): object {
  return { socket_address: { address: '127.0.0.1', port_value } };
}
