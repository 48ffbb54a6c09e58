// One scenario is a listener with its cluster, what clients send to it and what the upstream answers. All scenarios of a
// file share one bootstrap, so that each proxy is started once.

import path from 'node:path';
import type { Http2Connection } from './http2_client.ts';
import type { Http2Script } from './http2_upstream.ts';
import type { Step } from './raw_client.ts';
import type { UpstreamScript } from './scripted_upstream.ts';

type Json = Readonly<Record<string, unknown>>;

/**
 * In all JSON `$C` is the name of the scenario's cluster, `$U` the port of its first upstream, `$LOG` the path of its access
 * log. In all that clients send, `$P` is the port of its listener.
 */
export interface Scenario {
  readonly name: string;
  /** Connections that clients make, one after the other; steps in raw_client.ts. */
  readonly connections?: readonly (readonly Step[])[];
  /** Connections of HTTP/2 that clients make, after the others. */
  readonly http2?: readonly Http2Connection[];
  /** All connections at once, each so many ms after the one before. */
  readonly staggerMs?: number;
  /** One host each; an address instead of a script is taken as it is. None: an upstream that answers 200. */
  readonly upstreams?: readonly (UpstreamScript | string)[];
  /** Hosts that speak HTTP/2, in place of `upstreams`; the cluster is told so. */
  readonly http2Upstreams?: readonly Http2Script[];
  /** Merged over the HttpConnectionManager. */
  readonly manager?: Json;
  /** Before the router. */
  readonly filters?: readonly Json[];
  readonly router?: Json;
  readonly virtualHost?: Json;
  /** Merged over the action of the only route. */
  readonly action?: Json;
  /** Merged over the only route. */
  readonly route?: Json;
  readonly cluster?: Json;
  /** Further clusters `$C-<name>`. */
  readonly clusters?: Readonly<Record<string, { cluster?: Json; upstream?: UpstreamScript | string }>>;
  /** Merged over the listener. */
  readonly listener?: Json;
  /** In place of the whole HTTP connection manager. */
  readonly networkFilters?: readonly Json[];
  /** Parts of the names of stats that differ, with the reason. */
  readonly statExceptions?: Readonly<Record<string, string>>;
}

export const TYPE = 'type.googleapis.com/envoy.extensions.';

const LOG_FORMAT = [
  '%PROTOCOL% %REQ(:METHOD)% %REQ(:SCHEME)%://%REQ(:AUTHORITY)%%REQ(:PATH)% original=%REQ(X-ENVOY-ORIGINAL-PATH)%',
  'code=%RESPONSE_CODE% details=%RESPONSE_CODE_DETAILS% flags=%RESPONSE_FLAGS%',
  'bytes=%BYTES_RECEIVED%/%BYTES_SENT% host=%UPSTREAM_HOST% cluster=%UPSTREAM_CLUSTER% route=%ROUTE_NAME%',
  'virtual_cluster=%VIRTUAL_CLUSTER_NAME% attempts=%UPSTREAM_REQUEST_ATTEMPT_COUNT% upstream=%UPSTREAM_PROTOCOL%',
  'transport=%UPSTREAM_TRANSPORT_FAILURE_REASON% end=%CONNECTION_TERMINATION_DETAILS%',
  'remote=%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% direct=%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%',
  'local=%DOWNSTREAM_LOCAL_ADDRESS% xff=%REQ(X-FORWARDED-FOR)% length=%RESP(CONTENT-LENGTH)% type=%ACCESS_LOG_TYPE%',
  'headers=%REQUEST_HEADERS_BYTES% took=%DURATION%/%REQUEST_DURATION%/%RESPONSE_DURATION%/%RESPONSE_TX_DURATION%',
].join(' ');

/** What a cluster says whose hosts speak HTTP/2. */
export const HTTP2: Json = {
  typed_extension_protocol_options: {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
      explicit_http_config: { http2_protocol_options: {} },
    },
  },
};

export const address = (port_value: number): Json => ({
  socket_address: { address: '127.0.0.1', port_value },
});

/** Where a proxy finds the parts of a scenario. */
export interface Place {
  readonly id: string;
  /** Known once the proxy runs. */
  port: number;
  /** `host:port`s of the upstreams, and of those of further clusters by name. */
  readonly hosts: readonly string[];
  readonly moreHosts: ReadonlyMap<string, string | undefined>;
  readonly logFile: string;
}

export function logFileOf(directory: string, id: string): string {
  return path.join(directory, `${id}.log`);
}

/** The listener and the clusters of a scenario. */
export function resourcesOf(scenario: Scenario, place: Place): { listener: Json; clusters: Json[] } {
  const { id } = place;
  const cluster =
    scenario.http2Upstreams === undefined ? scenario.cluster : { ...HTTP2, ...scenario.cluster };
  const clusters = [clusterOf(id, place.hosts, cluster)];
  for (const [name, { cluster }] of Object.entries(scenario.clusters ?? {})) {
    const host = place.moreHosts.get(name);
    clusters.push(clusterOf(`${id}-${name}`, host === undefined ? [] : [host], cluster));
  }
  const listener = {
    name: id,
    address: address(0),
    filter_chains: [{ filters: scenario.networkFilters ?? [managerOf(scenario, place)] }],
    ...scenario.listener,
  };
  return JSON.parse(substitute(JSON.stringify({ listener, clusters }), place));
}

export function substitute(text: string, place: Place): string {
  return text
    .replaceAll('$C', place.id)
    .replaceAll('$P', String(place.port))
    .replaceAll('"$U"', place.hosts[0]?.split(':')[1] ?? '0')
    .replaceAll('$U', place.hosts[0]?.split(':')[1] ?? '')
    .replaceAll('$LOG', place.logFile);
}

function clusterOf(name: string, hosts: readonly string[], cluster: Json | undefined): Json {
  const lb_endpoints = hosts.map((host) => {
    const [ip, port] = host.split(':');
    return { endpoint: { address: { socket_address: { address: ip, port_value: Number(port) } } } };
  });
  const load_assignment = { cluster_name: name, endpoints: [{ lb_endpoints }] };
  return { name, connect_timeout: '2s', load_assignment, ...cluster };
}

function managerOf(scenario: Scenario, { id }: Place): Json {
  const route = {
    match: { prefix: '/' },
    route: { cluster: '$C', ...scenario.action },
    name: 'only',
    ...scenario.route,
  };
  const router = { '@type': `${TYPE}filters.http.router.v3.Router`, ...scenario.router };
  const manager = {
    '@type': `${TYPE}filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: id,
    // Envoy sends its FIN only after this time, and tests wait for it.
    delayed_close_timeout: '0.1s',
    drain_timeout: '0.1s',
    access_log: [accessLog(LOG_FORMAT)],
    route_config: {
      name: 'r',
      validate_clusters: false,
      virtual_hosts: [{ name: 'v', domains: ['*'], routes: [route], ...scenario.virtualHost }],
    },
    http_filters: [...(scenario.filters ?? []), { name: 'router', typed_config: router }],
    ...scenario.manager,
  };
  return { name: 'manager', typed_config: manager };
}

export function accessLog(format: string, filter?: Json): Json {
  return {
    name: 'log',
    ...(filter && { filter }),
    typed_config: {
      '@type': `${TYPE}access_loggers.file.v3.FileAccessLog`,
      path: '$LOG',
      log_format: { text_format_source: { inline_string: `${format}\n` } },
    },
  };
}
