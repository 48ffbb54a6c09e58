// Resources of the tests about change, as JSON: what differs between them is a parameter.

import { once } from 'node:events';
import type http from 'node:http';
import { createServer } from 'node:http';
import type net from 'node:net';

export const TYPE = 'type.googleapis.com/envoy.';

/** An HTTP server that answers with `name`. It never closes a connection by itself. */
export async function namedBackend(name: string): Promise<http.Server> {
  const server = createServer((_, response) => response.end(name));
  server.keepAliveTimeout = 0;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

export function portOf(server: net.Server): number {
  return (server.address() as net.AddressInfo).port;
}

const ADS = { ads: {}, resource_api_version: 'V3' };

export function edsCluster(name: string, more: object = {}): object {
  return { name, type: 'EDS', eds_cluster_config: { eds_config: ADS }, connect_timeout: '2s', ...more };
}

export function endpoints(name: string, ports: readonly number[], more: object = {}): object {
  const lb_endpoints = ports.map((port_value) => ({
    endpoint: { address: { socket_address: { address: '127.0.0.1', port_value } } },
    ...more,
  }));
  return { cluster_name: name, endpoints: [{ lb_endpoints }] };
}

/** Everything goes to `clusters`, by weight. */
export function routes(name: string, clusters: Readonly<Record<string, number>>, more: object = {}): object {
  const weighted_clusters = {
    clusters: Object.entries(clusters).map(([cluster, weight]) => ({ name: cluster, weight })),
  };
  const all = { match: { prefix: '/' }, route: { weighted_clusters, timeout: '10s' }, ...more };
  return { name, virtual_hosts: [{ name: 'all', domains: ['*'], routes: [all] }] };
}

/** A connection manager whose routes come by RDS. */
export function httpFilter(routeName: string, more: object = {}): object {
  return {
    name: 'http',
    typed_config: {
      '@type': `${TYPE}extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
      stat_prefix: 'in',
      rds: { route_config_name: routeName, config_source: ADS },
      http_filters: [
        {
          name: 'router',
          typed_config: { '@type': `${TYPE}extensions.filters.http.router.v3.Router` },
        },
      ],
      ...more,
    },
  };
}

export function tcpFilter(cluster: string): object {
  const type = `${TYPE}extensions.filters.network.tcp_proxy.v3.TcpProxy`;
  return { name: 'tcp', typed_config: { '@type': type, stat_prefix: 'tcp', cluster } };
}

export function echoFilter(): object {
  return { name: 'echo', typed_config: { '@type': `${TYPE}extensions.filters.network.echo.v3.Echo` } };
}

export function directResponse(text: string): object {
  const type = `${TYPE}extensions.filters.network.direct_response.v3.Config`;
  return { name: 'direct', typed_config: { '@type': type, response: { inline_string: text } } };
}

/** `port` of 127.0.0.1. */
export function listener(
  name: string,
  port: number,
  filter_chains: readonly object[],
  more: object = {},
): object {
  return { name, address: socketAddress(port), filter_chains, ...more };
}

export function socketAddress(port_value: number): object {
  return { socket_address: { address: '127.0.0.1', port_value } };
}

/** A chain for connections from `ip` alone. */
export function chainFrom(ip: string, filters: readonly object[], more: object = {}): object {
  const source = { address_prefix: ip, prefix_len: 32 };
  return { name: ip, filter_chain_match: { source_prefix_ranges: [source] }, filters, ...more };
}
