// The hosts of a dynamic_forward_proxy cluster are those of its DNS cache: a request goes to the one that it names.
// Envoy: source/extensions/clusters/dynamic_forward_proxy/cluster.cc (Cluster::LoadBalancer).

import type { CachedDnsHost, DnsCache } from '../../api/dns_cache.ts';
import type {
  HostLookup,
  HostLookupCallbacks,
  LoadBalancer,
  LoadBalancerContext,
} from '../../api/upstream/cluster.ts';
import { ipAddress } from '../network/address.ts';
import type { ClusterConfig } from '../upstream/cluster_config.ts';
import type { Host } from '../upstream/host.ts';
import { unsharedHost } from '../upstream/unshared_host.ts';
import { defaultDfpPort } from './default_port.ts';
import { dynamicHostKey } from './dynamic_host.ts';

/** ms between two looks for hosts that the cache has dropped. */
const CLEANUP_INTERVAL_MS = 10_000;

/** '' for a host that has an address. */
function detailsOf({ ip, failure }: CachedDnsHost): string {
  return ip === undefined ? `dns_resolution_failure{${failure.replaceAll(' ', '_')}}` : '';
}

export class DynamicForwardProxyLoadBalancer implements LoadBalancer {
  private readonly config: ClusterConfig;
  private readonly cache: DnsCache;
  private readonly defaultPort: number;
  private readonly hosts = new Map<string, Host>();
  private cleaner: NodeJS.Timeout | undefined = undefined;

  constructor(config: ClusterConfig, cache: DnsCache) {
    this.config = config;
    this.cache = cache;
    this.defaultPort = defaultDfpPort(config);
  }

  chooseHost(context: LoadBalancerContext | undefined): Host | undefined {
    const key = context && dynamicHostKey(context, this.defaultPort);
    const known = key === undefined ? undefined : this.cache.get(key);
    if (key === undefined || known?.ip === undefined) return undefined;
    const host = this.hosts.get(key);
    if (host !== undefined) {
      if (host.address.ip === known.ip) return host;
      host.drainPools();
    }
    const made = unsharedHost(this.config, ipAddress(known.ip, known.port), key, known.otherIps);
    this.hosts.set(key, made);
    this.cleaner ??= setInterval(() => this.clean(), CLEANUP_INTERVAL_MS).unref();
    return made;
  }

  /** For requests that no filter has held until their host was known. */
  lookUpHost(context: LoadBalancerContext, callbacks: HostLookupCallbacks): HostLookup | string {
    const key = dynamicHostKey(context, this.defaultPort);
    if (key === undefined) return 'empty_host_header';
    const known = this.cache.get(key);
    if (known !== undefined) return detailsOf(known);
    const load = this.cache.load(key, {
      onLoadDnsCacheComplete: (host) => callbacks.onHostLookedUp(detailsOf(host)),
    });
    if (load === 'host_overflow') return 'dns_cache_overflow';
    return load === 'pending_overflow' ? 'dns_cache_pending_requests_overflow' : load;
  }

  ownHosts(): Iterable<Host> {
    return this.hosts.values();
  }

  close(): void {
    clearInterval(this.cleaner);
    this.cleaner = undefined;
    for (const host of this.hosts.values()) host.drainPools();
    this.hosts.clear();
  }

  private clean(): void {
    for (const [key, host] of this.hosts) {
      if (this.cache.has(key) || host.activeRequests > 0) continue;
      host.drainPools();
      this.hosts.delete(key);
    }
    if (this.hosts.size > 0) return;
    clearInterval(this.cleaner);
    this.cleaner = undefined;
  }
}
