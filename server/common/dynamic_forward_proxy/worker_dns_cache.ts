// A DNS cache on a worker: what the main thread has found out, and the requests that wait for more of it. All workers
// know the same hosts. Envoy: DnsCacheImpl (source/extensions/common/dynamic_forward_proxy/dns_cache_impl.cc), ThreadLocalHostInfo.

import type { CachedDnsHost, DnsCache, DnsCacheCallbacks, DnsCacheHandle } from '../../api/dns_cache.ts';
import type { SharedCounter } from '../../api/shared_counter.ts';
import type { StatBlock } from '../../api/stats.ts';
import { enter, leave } from '../event/dispatcher.ts';
import { DNS_CACHE_STATS, type DnsCacheSettings } from './dns_cache_config.ts';

const STAT = DNS_CACHE_STATS.offset;
const OPEN = STAT['circuit_breakers.rq_pending_open'];
const REMAINING = STAT['circuit_breakers.rq_pending_remaining'];
/** Uses of a host within this part of its time to live are told the main thread once. */
const TOLD_PER_TTL = 4;

/** Tells the main thread that a host is asked for: it looks up one that it does not know, and keeps one that it knows. */
export type AskForHost = (cache: string, key: string) => void;

export class WorkerDnsCache implements DnsCache {
  readonly name: string;
  readonly settings: DnsCacheSettings;
  private readonly ask: AskForHost;
  private readonly pendingRequests: SharedCounter;
  private readonly stats: StatBlock<keyof typeof STAT>;
  private readonly known: ReadonlyMap<string, CachedDnsHost>;
  /** `performance.now()` ms when the main thread was told last that a host is used. */
  private readonly toldAt = new Map<string, number>();
  private readonly waiting = new Map<string, Set<PendingLoad>>();

  /** `known`: the hosts as the main thread has told them; `pendingRequests` counts those of all workers. */
  constructor(
    settings: DnsCacheSettings,
    known: ReadonlyMap<string, CachedDnsHost>,
    ask: AskForHost,
    pendingRequests: SharedCounter,
    stats: StatBlock<keyof typeof STAT>,
  ) {
    this.name = settings.name;
    this.settings = settings;
    this.known = known;
    this.ask = ask;
    this.pendingRequests = pendingRequests;
    this.stats = stats;
  }

  get(key: string): CachedDnsHost | undefined {
    const host = this.known.get(key);
    if (host === undefined) return undefined;
    if (host.ip === undefined && !this.settings.refreshesAfterFailure) return undefined;
    const now = performance.now();
    if (now - (this.toldAt.get(key) ?? 0) > this.settings.hostTtlMs / TOLD_PER_TTL) {
      this.toldAt.set(key, now);
      this.ask(this.name, key);
    }
    return host;
  }

  has(key: string): boolean {
    return this.known.has(key);
  }

  load(key: string, callbacks: DnsCacheCallbacks): DnsCacheHandle | 'host_overflow' | 'pending_overflow' {
    if (!this.pendingRequests.tryAcquire(this.settings.maxPendingRequests)) {
      this.count(STAT.dns_rq_pending_overflow);
      return 'pending_overflow';
    }
    this.count(REMAINING, -1);
    if (this.pendingRequests.value === this.settings.maxPendingRequests) this.count(OPEN);
    let waiting = this.waiting.get(key);
    if (waiting === undefined) {
      if (!this.known.has(key) && this.known.size + this.waiting.size >= this.settings.maxHosts) {
        this.release();
        this.count(STAT.host_overflow);
        return 'host_overflow';
      }
      this.waiting.set(key, (waiting = new Set()));
      this.ask(this.name, key);
    }
    const load = new PendingLoad(callbacks, waiting, this);
    waiting.add(load);
    return load;
  }

  /** The main thread has found something out; it is in `known`. */
  updated(key: string, host: CachedDnsHost): void {
    const waiting = this.waiting.get(key);
    if (waiting === undefined) return;
    this.waiting.delete(key);
    for (const load of waiting) load.complete(host);
  }

  removed(key: string): void {
    this.toldAt.delete(key);
  }

  /** A request waits no longer. */
  release(): void {
    this.pendingRequests.release();
    this.count(REMAINING);
    if (this.pendingRequests.value === this.settings.maxPendingRequests - 1) this.count(OPEN, -1);
  }

  /** The gauges are sums of what all workers and the main thread add. */
  private count(offset: number, n = 1): void {
    const { values, base } = this.stats;
    values[base + offset] = (values[base + offset] as number) + n;
  }
}

class PendingLoad implements DnsCacheHandle {
  private readonly callbacks: DnsCacheCallbacks;
  private readonly waiting: Set<PendingLoad>;
  private readonly cache: WorkerDnsCache;
  private done = false;

  constructor(callbacks: DnsCacheCallbacks, waiting: Set<PendingLoad>, cache: WorkerDnsCache) {
    this.callbacks = callbacks;
    this.waiting = waiting;
    this.cache = cache;
  }

  complete(host: CachedDnsHost): void {
    this.finish();
    enter();
    try {
      this.callbacks.onLoadDnsCacheComplete(host);
    } finally {
      leave();
    }
  }

  cancel(): void {
    this.waiting.delete(this);
    this.finish();
  }

  private finish(): void {
    if (this.done) return;
    this.done = true;
    this.cache.release();
  }
}
