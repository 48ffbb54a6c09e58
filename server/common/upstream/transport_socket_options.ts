// What a request says about the handshake of its upstream connection: ALPN and SNI from filter state (istio.alpn,
// set_filter_state), SNI from the host header (auto_sni), addresses for the PROXY protocol. Follows Envoy's source/common/network/transport_socket_options_impl.cc.

import { isIP } from 'node:net';
import type { RequestHeaderMap } from '../../api/http/header_map.ts';
import type {
  DownstreamAddresses,
  UpstreamTransportSocketOptions,
} from '../../api/network/transport_socket.ts';
import type { StreamInfo } from '../../api/stream_info.ts';
import type { ClusterConfig } from './cluster_config.ts';
import type { Host } from './host.ts';

const APPLICATION_PROTOCOLS = 'envoy.network.application_protocols';
const SERVER_NAME = 'envoy.network.upstream_server_name';
const SUBJECT_ALT_NAMES = 'envoy.network.upstream_subject_alt_names';

/** Options of a connection made for this stream. Streams that agree in `hashKey` share connections. `alpnFallback`: see there. */
export function transportSocketOptions(
  config: ClusterConfig,
  host: Host,
  info: StreamInfo,
  request: RequestHeaderMap | undefined,
  alpnFallback: readonly string[],
): UpstreamTransportSocketOptions {
  const { filterState } = info;
  const alpn = filterState.get(APPLICATION_PROTOCOLS)?.serializeAsString();
  const { autoSni, autoSanValidation, autoSniHeader } = config.transportSockets;
  const hostName = autoSni || autoSanValidation ? requestedName(request, autoSniHeader) : undefined;
  // An address is no server name (RFC 6066 3): the configured one stays.
  const named = autoSni && hostName !== undefined && isIP(hostName) === 0 ? hostName : undefined;
  const sni = filterState.get(SERVER_NAME)?.serializeAsString() ?? named;
  const san =
    filterState.get(SUBJECT_ALT_NAMES)?.serializeAsString() ?? (autoSanValidation ? hostName : undefined);
  const downstreamAddresses = host.transportSocket?.sendsDownstreamAddresses
    ? { source: info.connection.remoteAddress, destination: info.connection.localAddress }
    : undefined;
  return {
    host,
    alpnOverride: alpn === undefined || alpn === '' ? undefined : alpn.split(','),
    alpnFallback,
    sniOverride: sni,
    sanOverride: san === undefined ? undefined : san.split(','),
    downstreamAddresses,
    hashKey: hashKey(alpn, sni, san, downstreamAddresses),
  };
}

function hashKey(
  alpn: string | undefined,
  sni: string | undefined,
  san: string | undefined,
  addresses: DownstreamAddresses | undefined,
): string {
  if (addresses !== undefined) {
    const { source, destination } = addresses;
    return `${alpn ?? ''}|${sni ?? ''}|${san ?? ''}|${source.text}|${destination.text}`;
  }
  if (alpn === undefined && sni === undefined && san === undefined) return '';
  return `${alpn ?? ''}|${sni ?? ''}|${san ?? ''}`;
}

/** The host that a request is for, without its port: as another header says, where one is configured and there. */
function requestedName(request: RequestHeaderMap | undefined, header: string): string | undefined {
  const host = (header === '' ? undefined : request?.get(header)) || request?.host;
  if (host === undefined) return undefined;
  const colon = host.lastIndexOf(':');
  const name = colon < 0 || host.endsWith(']') ? host : host.slice(0, colon);
  return name.startsWith('[') ? name.slice(1, -1) : name;
}
