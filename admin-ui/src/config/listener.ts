// A listener taken apart: its filter chains, what each does with a connection, and where that leads.

import type { JsonObject } from '../api/types.ts';
import { address, at, list, object, text, typeOf } from './json.ts';
import { chainMatch } from './matchers.ts';
import { clustersOfRoutes, type RouteConfig } from './routes.ts';

export interface Filter {
  readonly name: string;
  readonly type: string;
}

export interface HttpManager {
  readonly statPrefix: string;
  readonly filters: readonly Filter[];
  /** Of RDS; '' for routes that are part of the listener. */
  readonly routeConfigName: string;
  readonly inline: RouteConfig | undefined;
}

export interface Chain {
  readonly id: string;
  readonly name: string;
  /** A condition each; none: every connection. */
  readonly match: readonly string[];
  readonly isDefault: boolean;
  /** `TLS`, `plaintext`, or the transport socket's name. */
  readonly transport: string;
  readonly secrets: readonly string[];
  readonly filters: readonly Filter[];
  readonly http: HttpManager | undefined;
  readonly tcp: { readonly statPrefix: string; readonly clusters: readonly string[] } | undefined;
}

export interface ListenerParts {
  readonly addresses: readonly string[];
  readonly listenerFilters: readonly Filter[];
  readonly chains: readonly Chain[];
}

export function listenerParts(listener: JsonObject): ListenerParts {
  const more = list(listener['additional_addresses']).map((each) => address(each['address']));
  const chains = list(listener['filter_chains']).map((chain, index) => chainOf(chain, `${index}`, false));
  const last = listener['default_filter_chain'];
  return {
    addresses: [address(listener['address']), ...more],
    listenerFilters: list(listener['listener_filters']).map(filterOf),
    chains: last === undefined ? chains : [...chains, chainOf(object(last), 'default', true)],
  };
}

function chainOf(chain: JsonObject, id: string, isDefault: boolean): Chain {
  const configs = list(chain['filters']).map((filter) => object(filter['typed_config']));
  const manager = configs.find((config) => typeOf(config) === 'HttpConnectionManager');
  const proxy = configs.find((config) => typeOf(config) === 'TcpProxy');
  const socket = object(chain['transport_socket']);
  return {
    id,
    name: text(chain['name']),
    match: chainMatch(object(chain['filter_chain_match'])),
    isDefault,
    transport: transportOf(socket),
    secrets: secretsOf(socket),
    filters: list(chain['filters']).map(filterOf),
    http: manager === undefined ? undefined : managerOf(manager),
    tcp:
      proxy === undefined
        ? undefined
        : { statPrefix: text(proxy['stat_prefix']), clusters: clustersOfTcp(proxy) },
  };
}

function filterOf(filter: JsonObject): Filter {
  return { name: text(filter['name']), type: typeOf(object(filter['typed_config'])) };
}

function managerOf(manager: JsonObject): HttpManager {
  const inline = manager['route_config'];
  return {
    statPrefix: text(manager['stat_prefix']),
    filters: list(manager['http_filters']).map(filterOf),
    routeConfigName: text(at(manager, 'rds', 'route_config_name')),
    inline: inline === undefined ? undefined : (object(inline) as RouteConfig),
  };
}

/** Of an envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy. */
function clustersOfTcp(proxy: JsonObject): string[] {
  const weighted = list(at(proxy, 'weighted_clusters', 'clusters')).map(({ name }) => text(name));
  return proxy['cluster'] === undefined ? weighted : [text(proxy['cluster'])];
}

export function transportOf(socket: JsonObject): string {
  const type = typeOf(object(socket['typed_config']));
  if (type === '') return 'plaintext';
  if (type === 'DownstreamTlsContext' || type === 'UpstreamTlsContext') return 'TLS';
  return type === 'RawBuffer' ? 'plaintext' : text(socket['name']).replace('envoy.transport_sockets.', '');
}

function secretsOf(socket: JsonObject): string[] {
  const common = object(at(socket, 'typed_config', 'common_tls_context'));
  const named = [
    ...list(common['tls_certificate_sds_secret_configs']),
    object(common['validation_context_sds_secret_config']),
    object(at(common, 'combined_validation_context', 'validation_context_sds_secret_config')),
  ];
  return named.map(({ name }) => text(name)).filter((name) => name !== '');
}

/** Names of the route configurations that come by RDS. */
export function routeConfigNames({ chains }: ListenerParts): string[] {
  return [...new Set(chains.map(({ http }) => http?.routeConfigName ?? '').filter((name) => name !== ''))];
}

/** Where a chain leads; `routes` are those that came by RDS. */
export function clustersOfChain(chain: Chain, routes: ReadonlyMap<string, RouteConfig>): string[] {
  if (chain.tcp !== undefined) return [...chain.tcp.clusters];
  const config = chain.http?.inline ?? routes.get(chain.http?.routeConfigName ?? '');
  return config === undefined ? [] : clustersOfRoutes(config);
}

export function chainTitle({ name, match, isDefault }: Chain): string {
  if (name !== '') return name;
  if (isDefault) return 'default chain';
  return match.length === 0 ? 'every connection' : match.join(', ');
}
