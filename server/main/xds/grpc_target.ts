// Where a GrpcService of the configuration leads: a static cluster of the bootstrap (addresses, names or a Unix socket,
// with TLS), or a plain target URI. https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/core/v3/grpc_service.proto

import { isIP } from 'node:net';
import type { ChannelCredentials, ChannelOptions } from '@grpc/grpc-js';
import type { Cluster } from '../../../xds-protos/generated/envoy/config/cluster/v3.ts';
import type {
  Address,
  GrpcService,
  GrpcService_EnvoyGrpc,
  GrpcService_GoogleGrpc,
  GrpcService_GoogleGrpc_SslCredentials,
  HeaderValue,
} from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import type { HttpProtocolOptions } from '../../../xds-protos/generated/envoy/extensions/upstreams/http/v3.ts';
import { decodeAny } from '../../../xds-protos/load.ts';
import { durationMs, wrapperValue } from '../../../xds-protos/well_known.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import { readDataSource } from '../../common/config/data_source.ts';
import { DEFAULT_BASE_MS, DEFAULT_MAX_MS } from './backoff.ts';
import { grpcJs } from './grpc.ts';
import type { GrpcTarget } from './grpc_channel.ts';
import { compileGrpcTls, currentCredentials } from './grpc_tls.ts';
import type { InProcessServer } from './in_process_server.ts';

/** A cluster of the bootstrap by name. */
export type ClusterLookup = (name: string) => Cluster | undefined;

/** Cluster.connect_timeout's default. */
const CONNECT_TIMEOUT_MS = 5_000;
/** gRPC servers cut clients that ping more often (grpc-go's enforcement as istiod sets it). */
const MIN_KEEPALIVE_MS = 15_000;
/** KeepaliveSettings.timeout has no default of its own; grpc's. */
const KEEPALIVE_TIMEOUT_MS = 20_000;

const HTTP_OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
/** The clusters whose hosts do not come from a control plane themselves. */
const CLUSTER_TYPES = new Set(['STATIC', 'STRICT_DNS', 'LOGICAL_DNS']);

/** `secrets` are those that the connection itself may use. Throws ConfigError when the service cannot be reached as it asks to be. */
export function compileGrpcTarget(
  service: GrpcService,
  clusters: ClusterLookup,
  path: string,
  secrets?: InProcessServer,
): GrpcTarget {
  if (service.envoy_grpc !== undefined) {
    return clusterTarget(service, service.envoy_grpc, clusters, at(path, 'envoy_grpc'), secrets);
  }
  if (service.google_grpc !== undefined) {
    return uriTarget(service, service.google_grpc, at(path, 'google_grpc'));
  }
  throw new ConfigError(path, 'target_specifier is required');
}

/** Base and ceiling of the back-off between streams, in ms. */
export function streamBackOff(service: GrpcService): { baseMs: number; maxMs: number } {
  const backOff = (service.envoy_grpc?.retry_policy ?? service.retry_policy)?.retry_back_off;
  const baseMs = durationMs(backOff?.base_interval) ?? DEFAULT_BASE_MS;
  // BackoffStrategy.max_interval: 10 times the base where only that is set.
  const maxMs = durationMs(backOff?.max_interval) ?? (backOff === undefined ? DEFAULT_MAX_MS : 10 * baseMs);
  return { baseMs, maxMs };
}

function clusterTarget(
  service: GrpcService,
  grpc: GrpcService_EnvoyGrpc,
  clusters: ClusterLookup,
  path: string,
  secrets: InProcessServer | undefined,
): GrpcTarget {
  const cluster = clusters(grpc.cluster_name);
  if (cluster === undefined) {
    throw new ConfigError(at(path, 'cluster_name'), `Unknown gRPC client cluster '${grpc.cluster_name}'`);
  }
  if (cluster.cluster_type !== undefined || !CLUSTER_TYPES.has(String(cluster.type ?? 'STATIC'))) {
    const type = cluster.cluster_type?.name ?? cluster.type;
    throw new ConfigError(path, `cluster '${cluster.name}' of type ${type} cannot carry xDS`);
  }
  const endpoints = clusterEndpoints(cluster, path);
  const tls = compileGrpcTls(cluster.transport_socket, secrets, `cluster '${cluster.name}' transport_socket`);
  const authority = grpc.authority || cluster.name;
  return {
    name: cluster.name,
    endpoints,
    options: {
      ...commonOptions(wrapperValue(grpc.max_receive_message_length)),
      ...keepalive(cluster),
      'grpc.default_authority': authority,
      ...(tls === undefined ? {} : serverName(tls.sni || authority)),
    },
    credentials: tls?.credentials ?? insecureCredentials(),
    metadata: metadataOf(service.initial_metadata),
    connectTimeoutMs: durationMs(cluster.connect_timeout) ?? CONNECT_TIMEOUT_MS,
  };
}

function insecureCredentials(): () => ChannelCredentials {
  return currentCredentials(
    () => '',
    () => grpcJs().credentials.createInsecure(),
  );
}

/** Without an sni Envoy sends none. grpc-js always sends one, and Node refuses an IP for it: then it is the authority, as gRPC has it. */
function serverName(name: string): ChannelOptions {
  return { 'grpc.ssl_target_name_override': isIP(name) === 0 ? name : 'localhost' };
}

/** In the order of priorities. */
function clusterEndpoints(cluster: Cluster, path: string): string[] {
  const localities = [...(cluster.load_assignment?.endpoints ?? [])].sort((a, b) => a.priority - b.priority);
  const addresses = localities.flatMap((locality) =>
    locality.lb_endpoints.map((endpoint) => endpoint.endpoint?.address),
  );
  if (addresses.length === 0) throw new ConfigError(path, `cluster '${cluster.name}' has no endpoints`);
  return addresses.map((address) => grpcAddress(address, `cluster '${cluster.name}' load_assignment`));
}

function grpcAddress(address: Address | undefined, path: string): string {
  const socket = address?.socket_address;
  if (address?.pipe !== undefined) {
    if (address.pipe.path.startsWith('@'))
      throw new ConfigError(path, 'abstract Unix sockets cannot carry xDS');
    return `unix:${address.pipe.path}`;
  }
  if (socket?.port_value === undefined)
    throw new ConfigError(path, 'an address needs an IP or a name and a port_value');
  return socketTarget(socket.address, socket.port_value);
}

/** An IP or a name, and a port, in grpc-js' spelling. */
export function socketTarget(host: string, port: number): string {
  switch (isIP(host)) {
    case 4:
      return `ipv4:${host}:${port}`;
    case 6:
      return `ipv6:[${host}]:${port}`;
    default:
      return `dns:${host}:${port}`;
  }
}

/** HTTP/2 pings where the cluster asks for them, or for TCP keepalive, which Node cannot set on a connection of grpc-js. */
function keepalive(cluster: Cluster): ChannelOptions {
  const any = cluster.typed_extension_protocol_options[HTTP_OPTIONS];
  const options = any === undefined ? undefined : (decodeAny(any).message as object as HttpProtocolOptions);
  const http2 = options?.explicit_http_config?.http2_protocol_options ?? cluster.http2_protocol_options;
  const settings = http2?.connection_keepalive;
  const tcp = cluster.upstream_connection_options?.tcp_keepalive;
  const tcpTime = wrapperValue(tcp?.keepalive_time);
  const intervalMs = durationMs(settings?.interval) ?? (tcpTime === undefined ? undefined : tcpTime * 1e3);
  if (intervalMs === undefined) return {};
  return {
    'grpc.keepalive_time_ms': Math.max(MIN_KEEPALIVE_MS, intervalMs),
    'grpc.keepalive_timeout_ms': durationMs(settings?.timeout) ?? KEEPALIVE_TIMEOUT_MS,
  };
}

/**
 * A control plane of 5,000 services sends 15 MB in one message; without a configured limit there is none, as in Envoy.
 * The rest keeps grpc-js from what Envoy does not do: proxies of the environment, service configs from DNS, shared connections.
 */
function commonOptions(maxReceiveBytes: number | undefined): ChannelOptions {
  return {
    'grpc.max_receive_message_length': maxReceiveBytes || -1,
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_http_proxy': 0,
    'grpc.service_config_disable_resolution': 1,
  };
}

/** Fields of a GoogleGrpc that only the C++ library of that name honours. */
function uriTarget(service: GrpcService, grpc: GrpcService_GoogleGrpc, path: string): GrpcTarget {
  if (grpc.call_credentials.length > 0) throw unsupported(path, 'call_credentials');
  if (grpc.credentials_factory_name !== '') throw unsupported(path, 'credentials_factory_name');
  if (grpc.channel_args !== undefined) throw unsupported(path, 'channel_args');
  const channel = grpc.channel_credentials;
  if (channel?.google_default !== undefined) throw unsupported(path, 'channel_credentials.google_default');
  if (channel?.local_credentials !== undefined)
    throw unsupported(path, 'channel_credentials.local_credentials');
  const ssl = channel?.ssl_credentials;
  const sslPath = at(path, 'channel_credentials.ssl_credentials');
  return {
    name: grpc.target_uri,
    endpoints: [grpc.target_uri],
    options: commonOptions(undefined),
    credentials: ssl === undefined ? insecureCredentials() : sslCredentials(ssl, sslPath),
    metadata: metadataOf(service.initial_metadata),
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
  };
}

/** The files are read for each connection. */
function sslCredentials(ssl: GrpcService_GoogleGrpc_SslCredentials, path: string): () => ChannelCredentials {
  const read = () =>
    (['root_certs', 'private_key', 'cert_chain'] as const).map(
      (field) => readDataSource(ssl[field], at(path, field))?.toString() ?? null,
    );
  return currentCredentials(read, (parts) => {
    const [roots, key, chain] = parts.map((text) => text && Buffer.from(text));
    return grpcJs().credentials.createSsl(
      roots as Buffer | null,
      key as Buffer | null,
      chain as Buffer | null,
    );
  });
}

function unsupported(path: string, field: string): ConfigError {
  return new ConfigError(at(path, field), 'not supported');
}

function metadataOf(headers: readonly HeaderValue[]): [string, string | Buffer][] {
  return headers.map(({ key, value, raw_value }) => {
    if (!key.endsWith('-bin')) return [key, value || Buffer.from(raw_value).toString('latin1')];
    return [key, raw_value.length > 0 ? Buffer.from(raw_value) : Buffer.from(value, 'base64')];
  });
}
