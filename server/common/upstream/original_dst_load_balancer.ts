// ORIGINAL_DST: the host is where the client wanted to go before it was redirected to us, or what a header says. Hosts
// are made as they are needed and forgotten when unused. Envoy: source/extensions/clusters/original_dst/original_dst_cluster.cc.

import { isIP } from 'node:net';
import type { Address } from '../../api/stream_info.ts';
import type { LoadBalancer, LoadBalancerContext } from '../../api/upstream/cluster.ts';
import { HOST_SLOTS } from '../../api/upstream/host.ts';
import { formatAddress } from '../network/address.ts';
import type { ClusterConfig } from './cluster_config.ts';
import { Host } from './host.ts';

/** The longest interval node takes, ms; istiod asks for 292 years. */
const MAX_TIMEOUT_MS = 2_147_483_647;
/** What this thread holds of its own table: it goes with the thread. */
const NOBODY_ASKS = new Int32Array(HOST_SLOTS);
const NO_LOCALITY = { region: '', zone: '', subZone: '' };

interface Known {
  readonly host: Host;
  used: boolean;
}

export class OriginalDstLoadBalancer implements LoadBalancer {
  private readonly config: ClusterConfig;
  private readonly hosts = new Map<string, Known>();
  private cleaner: NodeJS.Timeout | undefined = undefined;

  constructor(config: ClusterConfig) {
    this.config = config;
  }

  chooseHost(context: LoadBalancerContext | undefined): Host | undefined {
    const address = this.destination(context);
    if (address === undefined) return undefined;
    const known = this.hosts.get(address.text);
    if (known !== undefined) {
      known.used = true;
      return known.host;
    }
    const host = new Host({
      address,
      hostname: '',
      locality: NO_LOCALITY,
      priority: 0,
      weight: 1,
      localityWeight: 0,
      metadata: undefined,
      clusterName: this.config.name,
      transportSocket: this.config.transportSockets.resolve(undefined, undefined),
      // A host of this worker alone: no other thread can know of it.
      table: new Int32Array(HOST_SLOTS),
      held: NOBODY_ASKS,
      slot: 0,
      slotNumber: -1,
    });
    this.hosts.set(address.text, { host, used: true });
    this.cleaner ??= setInterval(
      () => this.clean(),
      Math.min(this.config.originalDst!.cleanupIntervalMs, MAX_TIMEOUT_MS),
    ).unref();
    return host;
  }

  close(): void {
    clearInterval(this.cleaner);
    this.cleaner = undefined;
    for (const { host } of this.hosts.values()) host.drainPools();
    this.hosts.clear();
  }

  private destination(context: LoadBalancerContext | undefined): Address | undefined {
    if (context === undefined) return undefined;
    const { headerName, portOverride } = this.config.originalDst!;
    let address = headerName === '' ? undefined : parseHostPort(context.downstreamHeaders?.get(headerName));
    if (address === undefined && context.downstreamConnection?.localAddressRestored === true) {
      address = context.downstreamConnection.localAddress;
    }
    if (address === undefined || portOverride === undefined) return address;
    return { ip: address.ip, port: portOverride, text: formatAddress(address.ip, portOverride) };
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

function parseHostPort(value: string | undefined): Address | undefined {
  if (value === undefined) return undefined;
  const colon = value.lastIndexOf(':');
  if (colon <= 0) return undefined;
  const ip = value.startsWith('[') ? value.slice(1, colon - 1) : value.slice(0, colon);
  const port = Number(value.slice(colon + 1));
  if (isIP(ip) === 0 || !Number.isInteger(port) || port < 1 || port > 65535) return undefined;
  return { ip, port, text: formatAddress(ip, port) };
}
