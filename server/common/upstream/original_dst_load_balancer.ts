// ORIGINAL_DST: the host is where the client wanted to go before it was redirected to us, or what a header says. Hosts
// are made as they are needed and forgotten when unused. Envoy: source/extensions/clusters/original_dst/original_dst_cluster.cc.

import { isIP } from 'node:net';
import type { Address, StreamInfo } from '../../api/stream_info.ts';
import type { LoadBalancer, LoadBalancerContext } from '../../api/upstream/cluster.ts';
import { formatAddress } from '../network/address.ts';
import type { ClusterConfig, MetadataKey } from './cluster_config.ts';
import type { Host } from './host.ts';
import { unsharedHost } from './unshared_host.ts';

/** What another filter has decided. Source: Network::DestinationAddress. */
const ORIGINAL_DST_ADDRESS = 'envoy.network.transport_socket.original_dst_address';
/** The longest interval node takes, ms; istiod asks for 292 years. */
const MAX_TIMEOUT_MS = 2_147_483_647;

interface Known {
  readonly host: Host;
  used: boolean;
}

export class OriginalDstLoadBalancer implements LoadBalancer {
  private readonly config: ClusterConfig;
  private readonly onInvalidHost: () => void;
  private readonly hosts = new Map<string, Known>();
  private cleaner: NodeJS.Timeout | undefined = undefined;

  /** `onInvalidHost` is told of a header or metadata that is no address. */
  constructor(config: ClusterConfig, onInvalidHost: () => void) {
    this.config = config;
    this.onInvalidHost = onInvalidHost;
  }

  chooseHost(context: LoadBalancerContext | undefined): Host | undefined {
    const address = this.destination(context);
    if (address === undefined) return undefined;
    const known = this.hosts.get(address.text);
    if (known !== undefined) {
      known.used = true;
      return known.host;
    }
    // Envoy's name for it.
    const host = unsharedHost(this.config, address, `${this.config.name}${address.text}`);
    this.hosts.set(address.text, { host, used: true });
    this.cleaner ??= setInterval(
      () => this.clean(),
      Math.min(this.config.originalDst!.cleanupIntervalMs, MAX_TIMEOUT_MS),
    ).unref();
    return host;
  }

  *ownHosts(): Generator<Host> {
    for (const { host } of this.hosts.values()) yield host;
  }

  close(): void {
    clearInterval(this.cleaner);
    this.cleaner = undefined;
    for (const { host } of this.hosts.values()) host.drainPools();
    this.hosts.clear();
  }

  private destination(context: LoadBalancerContext | undefined): Address | undefined {
    if (context === undefined) return undefined;
    const { headerName, portOverride, metadataKey } = this.config.originalDst!;
    const info = context.requestStreamInfo;
    let address = this.parse(info?.filterState.get(ORIGINAL_DST_ADDRESS)?.serializeAsString());
    if (address === undefined && metadataKey !== undefined)
      address = this.parse(metadataValue(info, metadataKey));
    if (address === undefined && headerName !== '')
      address = this.parse(context.downstreamHeaders?.get(headerName));
    if (address === undefined && context.downstreamConnection?.localAddressRestored === true) {
      address = context.downstreamConnection.localAddress;
    }
    if (address === undefined || portOverride === undefined) return address;
    return { ip: address.ip, port: portOverride, text: formatAddress(address.ip, portOverride) };
  }

  private parse(text: string | undefined): Address | undefined {
    if (text === undefined) return undefined;
    const address = parseHostPort(text);
    if (address === undefined) this.onInvalidHost();
    return address;
  }

  /** Forgets hosts that nobody asked for since the last time and that carry nothing. */
  private clean(): void {
    for (const [text, known] of this.hosts) {
      if (known.used || known.host.activeRequests > 0) {
        known.used = false;
        continue;
      }
      known.host.drainPools();
      this.hosts.delete(text);
    }
    if (this.hosts.size === 0) {
      clearInterval(this.cleaner);
      this.cleaner = undefined;
    }
  }
}

function metadataValue(info: StreamInfo | undefined, { namespace, path }: MetadataKey): string | undefined {
  let value: unknown = info?.dynamicMetadata?.get(namespace);
  for (const key of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<string, unknown>)[key];
  }
  return typeof value === 'string' ? value : undefined;
}

function parseHostPort(value: string): Address | undefined {
  const colon = value.lastIndexOf(':');
  if (colon <= 0) return undefined;
  const ip = value.startsWith('[') ? value.slice(1, colon - 1) : value.slice(0, colon);
  const port = Number(value.slice(colon + 1));
  if (isIP(ip) === 0 || !Number.isInteger(port) || port < 1 || port > 65535) return undefined;
  return { ip, port, text: formatAddress(ip, port) };
}
