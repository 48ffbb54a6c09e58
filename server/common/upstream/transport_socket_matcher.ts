// Chooses how a host's connections are secured: the first entry of transport_socket_matches whose values the host's
// metadata `envoy.transport_socket_match` holds, else the cluster's transport_socket, else plaintext.
// Follows Envoy's source/common/upstream/transport_socket_match_impl.cc.

import type { Cluster as ClusterMessage } from '../../../xds-protos/generated/envoy/config/cluster/v3.ts';
import type { TransportSocket } from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import { structToJson } from '../../../xds-protos/well_known.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { UpstreamTransportSocketFactory } from '../../api/network/transport_socket.ts';
import type { FactoryContext } from '../../api/registry.ts';
import type { HttpOptions } from './http_protocol_options.ts';
import { type FilterMetadata, metadataMatches } from './metadata.ts';

/** The metadata of hosts that entries of `transport_socket_matches` are about. */
export const TRANSPORT_SOCKET_MATCH = 'envoy.transport_socket_match';

interface Match {
  readonly name: string;
  readonly match: Readonly<Record<string, unknown>>;
  readonly factory: UpstreamTransportSocketFactory | undefined;
}

export class TransportSocketMatcher {
  private readonly matches: readonly Match[];
  /** undefined is plaintext. */
  private readonly fallback: UpstreamTransportSocketFactory | undefined;
  readonly autoSni: boolean;
  readonly autoSanValidation: boolean;
  /** Where the name is taken from in place of the host, when it is there; '' for none. */
  readonly autoSniHeader: string;

  constructor(
    matches: readonly Match[],
    fallback: UpstreamTransportSocketFactory | undefined,
    { autoSni, autoSanValidation, autoSniHeader }: HttpOptions,
  ) {
    this.matches = matches;
    this.fallback = fallback;
    this.autoSni = autoSni;
    this.autoSanValidation = autoSanValidation;
    this.autoSniHeader = autoSniHeader;
  }

  /** Has it a transport socket that encrypts? */
  get isSecure(): boolean {
    return this.fallback?.secure === true || this.matches.some(({ factory }) => factory?.secure === true);
  }

  /** The factory for a host; undefined for plaintext. Endpoint metadata comes before that of its locality. */
  resolve(
    endpoint: FilterMetadata | undefined,
    locality: FilterMetadata | undefined,
  ): UpstreamTransportSocketFactory | undefined {
    if (this.matches.length === 0) return this.fallback;
    const metadata = endpoint?.[TRANSPORT_SOCKET_MATCH] ?? locality?.[TRANSPORT_SOCKET_MATCH];
    for (const one of this.matches) if (metadataMatches(one.match, metadata)) return one.factory;
    return this.fallback;
  }
}

/** A transport socket of the upstream kind; plaintext (`raw_buffer` or none at all) compiles to undefined. */
export function compileUpstreamTransportSocket(
  socket: TransportSocket | undefined,
  context: FactoryContext,
  path: string,
): UpstreamTransportSocketFactory | undefined {
  if (socket === undefined) return undefined;
  const where = at(path, 'typed_config');
  const resolved = context.registry.resolve(
    'envoy.transport_sockets.upstream',
    socket.name,
    socket.typed_config,
    where,
  );
  const factory = resolved.factory.compile(resolved.config, context, where);
  return factory.secure || factory.sendsDownstreamAddresses ? factory : undefined;
}

/** `clusterStatPrefix`: `cluster.<x>.` */
export function compileTransportSockets(
  cluster: ClusterMessage,
  http: HttpOptions,
  outer: FactoryContext,
  clusterStatPrefix: string,
  path: string,
): TransportSocketMatcher {
  const context = { ...outer, clusterStatPrefix };
  const matches = cluster.transport_socket_matches.map((one, index): Match => {
    const where = at(at(path, 'transport_socket_matches'), index);
    return {
      name: one.name,
      match: one.match === undefined ? {} : structToJson(one.match),
      factory: compileUpstreamTransportSocket(one.transport_socket, context, at(where, 'transport_socket')),
    };
  });
  const fallback = compileUpstreamTransportSocket(
    cluster.transport_socket,
    context,
    at(path, 'transport_socket'),
  );
  if (http.features.upstreamProtocol === 'auto') {
    // Without a handshake there is nobody to agree with.
    for (const factory of [fallback, ...matches.map((one) => one.factory)]) {
      if (factory?.secure === true) continue;
      const reason = `ALPN configured for cluster ${cluster.name} which has a non-ALPN transport socket`;
      throw new ConfigError(at(path, 'transport_socket'), reason);
    }
  }
  return new TransportSocketMatcher(matches, fallback, http);
}
