// What a request says about the handshake of its upstream connection: ALPN and SNI from filter state (istio.alpn,
// set_filter_state), SNI from the host header (auto_sni), addresses for the PROXY protocol. Follows Envoy's source/common/network/transport_socket_options_impl.cc.

import { isIP } from 'node:net';
import type { RequestHeaderMap } from '../../api/http/header_map.ts';
import type {
  DownstreamAddresses,
  UpstreamTransportSocketOptions,
} from '../../api/network/transport_socket.ts';
import type { FilterState, StreamInfo } from '../../api/stream_info.ts';
import type { ClusterConfig } from './cluster_config.ts';
import type { Host } from './host.ts';

const APPLICATION_PROTOCOLS = 'envoy.network.application_protocols';
const SERVER_NAME = 'envoy.network.upstream_server_name';
const SUBJECT_ALT_NAMES = 'envoy.network.upstream_subject_alt_names';

/**
 * Options of a connection made for this stream; undefined where it would be like any other. Streams that agree in `hashKey`
 * share connections, also where there is no handshake that would say different things. `alpnFallback`: see there.
 */
export function transportSocketOptions(
  config: ClusterConfig,
  host: Host,
  info: StreamInfo,
  request: RequestHeaderMap | undefined,
  alpnFallback: readonly string[],
): UpstreamTransportSocketOptions | undefined {
  const { transportSocket } = host;
  const { autoSni, autoSanValidation, autoSniHeader } = config.transportSockets;
  const state = info.concernsUpstream ? info.filterState : undefined;
  if (transportSocket === undefined && state === undefined && !autoSni && !autoSanValidation)
    return undefined;
  const alpn = state?.get(APPLICATION_PROTOCOLS)?.serializeAsString();
  const hostName = autoSni || autoSanValidation ? requestedName(request, autoSniHeader) : undefined;
  // An address is no server name (RFC 6066 3): the configured one stays.
  const named = autoSni && hostName !== undefined && isIP(hostName) === 0 ? hostName : undefined;
  const sni = state?.get(SERVER_NAME)?.serializeAsString() ?? named;
  const san =
    state?.get(SUBJECT_ALT_NAMES)?.serializeAsString() ?? (autoSanValidation ? hostName : undefined);
  const downstreamAddresses = transportSocket?.sendsDownstreamAddresses
    ? { source: info.connection.remoteAddress, destination: info.connection.localAddress }
    : undefined;
  return {
    host,
    alpnOverride: alpn === undefined || alpn === '' ? undefined : alpn.split(','),
    alpnFallback,
    sniOverride: sni,
    sanOverride: san === undefined ? undefined : san.split(','),
    downstreamAddresses,
    hashKey: hashKey(alpn, sni, san, downstreamAddresses, state),
  };
}

/** Envoy: CommonUpstreamTransportSocketFactory::hashKey (source/common/network/transport_socket_options_impl.cc). */
function hashKey(
  alpn: string | undefined,
  sni: string | undefined,
  san: string | undefined,
  addresses: DownstreamAddresses | undefined,
  state: FilterState | undefined,
): string {
  const shared = state === undefined ? '' : sharedKey(state);
  if (
    alpn === undefined &&
    sni === undefined &&
    san === undefined &&
    addresses === undefined &&
    shared === ''
  )
    return '';
  const from = addresses === undefined ? '' : `${addresses.source.text}|${addresses.destination.text}`;
  return `${`${alpn ?? ''}|${sni ?? ''}|${san ?? ''}`.toLowerCase()}|${from}|${shared}`;
}

function sharedKey(state: FilterState): string {
  let key = '';
  for (const { value } of state.sharedWithUpstream()) {
    const own = value.hashKey?.();
    if (own !== undefined) key += `${own.length}:${own}`;
  }
  return key;
}

/** The host that a request is for, without its port: as another header says, where one is configured and there. */
function requestedName(request: RequestHeaderMap | undefined, header: string): string | undefined {
  const host = (header === '' ? undefined : request?.get(header)) || request?.host;
  if (host === undefined) return undefined;
  const colon = host.lastIndexOf(':');
  const name = colon < 0 || host.endsWith(']') ? host : host.slice(0, colon);
  return name.startsWith('[') ? name.slice(1, -1) : name;
}
