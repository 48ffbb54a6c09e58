// The configurations of the benchmark: the same bytes for every proxy.

import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { UpstreamPorts } from './upstream.ts';
import type { RequestPorts } from './workload.ts';

const TYPE = 'type.googleapis.com/envoy';
const CERTIFICATES = path.join(import.meta.dirname, '..', 'fixtures', 'certs');
/** Of each kind, so that no circuit breaker is part of what is measured. */
const UNLIMITED = 100_000;

const SPEAKS_HTTP2 = {
  typed_extension_protocol_options: {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': `${TYPE}.extensions.upstreams.http.v3.HttpProtocolOptions`,
      explicit_http_config: { http2_protocol_options: {} },
    },
  },
};

const node = { id: 'bench', cluster: 'bench' };

export function requestBootstrap(admin: number, ports: RequestPorts, upstream: UpstreamPorts): object {
  return {
    node,
    admin: { address: loopback(admin) },
    static_resources: {
      listeners: [
        listener('http', ports.http, connectionManager('http', 'http')),
        listener('tls', ports.tls, connectionManager('tls', 'http'), downstreamTls()),
        listener('http2', ports.http2, connectionManager('http2', 'http')),
        listener('grpc', ports.grpc, connectionManager('grpc', 'grpc')),
        listener('echo', ports.echo, tcpProxy('echo')),
        listener('source', ports.source, tcpProxy('source')),
      ],
      clusters: Object.entries(upstream).map(([name, port]) =>
        name === 'grpc' ? { ...cluster(name, port), ...SPEAKS_HTTP2 } : cluster(name, port),
      ),
    },
  };
}

/** Clusters come from a file, as a DiscoveryResponse. */
export function clustersBootstrap(admin: number, file: string): object {
  return {
    node,
    admin: { address: loopback(admin) },
    dynamic_resources: { cds_config: { resource_api_version: 'V3', path_config_source: { path: file } } },
  };
}

/** The same, and a listener in front of the upstream. */
export function adminBootstrap(admin: number, http: number, upstream: number, file: string): object {
  return {
    ...clustersBootstrap(admin, file),
    static_resources: {
      listeners: [listener('http', http, connectionManager('http', 'http'))],
      clusters: [cluster('http', upstream)],
    },
  };
}

export function discoveryResponse(clusters: number, version: string): object {
  const resources = Array.from({ length: clusters }, (_, i) => ({
    '@type': `${TYPE}.config.cluster.v3.Cluster`,
    ...staticCluster(`c${i}`, 9),
  }));
  return { version_info: version, resources };
}

function listener(name: string, port: number, filter: object, transportSocket?: object): object {
  return {
    name,
    address: loopback(port),
    filter_chains: [{ filters: [filter], transport_socket: transportSocket }],
  };
}

/** Takes HTTP/1.1, and HTTP/2 by prior knowledge. */
function connectionManager(prefix: string, upstream: string): object {
  const route = { match: { prefix: '/' }, route: { cluster: upstream, timeout: '15s' } };
  return extension('filters.network.http_connection_manager', 'HttpConnectionManager', {
    stat_prefix: prefix,
    route_config: { name: prefix, virtual_hosts: [{ name: 'all', domains: ['*'], routes: [route] }] },
    http_filters: [extension('filters.http.router', 'Router', {})],
  });
}

function tcpProxy(name: string): object {
  return extension('filters.network.tcp_proxy', 'TcpProxy', { stat_prefix: name, cluster: name });
}

function downstreamTls(): object {
  const inline = (file: string): object => ({
    inline_string: readFileSync(path.join(CERTIFICATES, file), 'utf8'),
  });
  const certificate = { certificate_chain: inline('server.pem'), private_key: inline('server.key') };
  return extension('transport_sockets.tls', 'DownstreamTlsContext', {
    common_tls_context: { alpn_protocols: ['http/1.1'], tls_certificates: [certificate] },
  });
}

function extension(name: string, message: string, config: object): object {
  return {
    name: `envoy.${name}`,
    typed_config: { '@type': `${TYPE}.extensions.${name}.v3.${message}`, ...config },
  };
}

function cluster(name: string, port: number): object {
  const threshold = {
    max_connections: UNLIMITED,
    max_pending_requests: UNLIMITED,
    max_requests: UNLIMITED,
  };
  return { ...staticCluster(name, port), circuit_breakers: { thresholds: [threshold] } };
}

function staticCluster(name: string, port: number): object {
  return {
    name,
    type: 'STATIC',
    connect_timeout: '1s',
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: loopback(port) } }] }],
    },
  };
}

function loopback(port: number): object {
  return { socket_address: { address: '127.0.0.1', port_value: port } };
}
