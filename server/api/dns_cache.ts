// A cache of names that clients ask for, as filters and clusters of a worker see it. The main thread looks the names up.
// Envoy: source/extensions/common/dynamic_forward_proxy/dns_cache.h.

/** What the cache knows of a host. */
export interface CachedDnsHost {
  /** Undefined: it has none, `failure` says why. */
  readonly ip: string | undefined;
  /** The others of the answer, tried in turn with it. */
  readonly otherIps: readonly string[];
  readonly port: number;
  /** The name that was looked up, without its port. */
  readonly name: string;
  readonly failure: string;
}

export interface DnsCacheHandle {
  /** The answer is of no interest any more. */
  cancel(): void;
}

export interface DnsCacheCallbacks {
  onLoadDnsCacheComplete(host: CachedDnsHost): void;
}

export interface DnsCache {
  readonly name: string;
  /** A host that was looked up, by its key (`name:port`); asking keeps it in the cache. */
  get(key: string): CachedDnsHost | undefined;
  /** As `get`, without asking for it. */
  has(key: string): boolean;
  /**
   * Looks a host up that is not there; `callbacks` are called later, never within this call. 'host_overflow': there are too many
   * hosts; 'pending_overflow': too many requests wait.
   */
  load(key: string, callbacks: DnsCacheCallbacks): DnsCacheHandle | 'host_overflow' | 'pending_overflow';
}
