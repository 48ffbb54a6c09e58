// Static configuration of the tests of HTTP/2: one listener, one cluster, and what differs between them.

import { ANY_ADMIN_PORT } from './proxy_process.ts';
import { socketAddress, TYPE } from './resources.ts';

export interface Http2Resources {
  /** Merged over the connection manager. */
  readonly manager?: object;
  /** Merged over the only route's action. */
  readonly action?: object;
  /** Merged over the listener, and over its only filter chain. */
  readonly listener?: object;
  readonly chain?: object;
  /** HttpProtocolOptions of the cluster; HTTP/2 where it is missing. */
  readonly protocol?: object;
  /** Merged over the cluster. */
  readonly cluster?: object;
  /** Values of the runtime. */
  readonly runtime?: object;
}

const OPTIONS = `${TYPE}extensions.upstreams.http.v3.HttpProtocolOptions`;
export const HTTP1_OPTIONS = { explicit_http_config: { http_protocol_options: {} } };
export const HTTP2_OPTIONS = { explicit_http_config: { http2_protocol_options: {} } };

/** The `--config-yaml` of a proxy whose listener `in` forwards to `ports` of 127.0.0.1. */
export function http2Config(ports: readonly number[], resources: Http2Resources = {}): string {
  const { manager, action, listener, chain, protocol = HTTP2_OPTIONS, cluster, runtime = {} } = resources;
  const route = { match: { prefix: '/' }, route: { cluster: 'c', timeout: '0s', ...action } };
  const filter = {
    name: 'http',
    typed_config: {
      '@type': `${TYPE}extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
      stat_prefix: 'in',
      route_config: { virtual_hosts: [{ name: 'all', domains: ['*'], routes: [route] }] },
      http_filters: [
        { name: 'router', typed_config: { '@type': `${TYPE}extensions.filters.http.router.v3.Router` } },
      ],
      ...manager,
    },
  };
  const lb_endpoints = ports.map((port) => ({ endpoint: { address: socketAddress(port) } }));
  return JSON.stringify({
    ...ANY_ADMIN_PORT,
    layered_runtime: { layers: [{ name: 'static', static_layer: runtime }] },
    static_resources: {
      listeners: [
        {
          name: 'in',
          address: socketAddress(0),
          filter_chains: [{ filters: [filter], ...chain }],
          ...listener,
        },
      ],
      clusters: [
        {
          name: 'c',
          connect_timeout: '2s',
          load_assignment: { cluster_name: 'c', endpoints: [{ lb_endpoints }] },
          typed_extension_protocol_options: {
            'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': { '@type': OPTIONS, ...protocol },
          },
          ...cluster,
        },
      ],
    },
  });
}
