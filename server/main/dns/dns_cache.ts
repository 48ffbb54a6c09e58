// A DNS cache on the main thread: looks up what workers ask for, looks it up again when it is time, forgets what nobody asks
// for any more, and tells all workers. Envoy: DnsCacheImpl (source/extensions/common/dynamic_forward_proxy/dns_cache_impl.cc).

import type { DnsCacheConfig } from '../../../xds-protos/generated/envoy/extensions/common/dynamic_forward_proxy/v3.ts';
import { at } from '../../api/config_error.ts';
import type { StatBlock, StatStore } from '../../api/stats.ts';
import {
  compileDnsCache,
  DNS_CACHE_STATS,
  type DnsCacheSettings,
} from '../../common/dynamic_forward_proxy/dns_cache_config.ts';
import { hostKey, splitHost } from '../../common/dynamic_forward_proxy/host_key.ts';
import type { Publisher } from '../config_store/publisher.ts';
import { type DnsConfig, failureRates, lookupFamily, resolverSettings } from './dns_config.ts';
import { DnsResolver, failureDetails, type Resolution } from './dns_resolver.ts';

const STAT = DNS_CACHE_STATS.offset;

interface Entry {
  readonly key: string;
  readonly name: string;
  readonly port: number;
  usedAt: number;
  ip: string | undefined;
  otherIps: readonly string[];
  failures: number;
  timer: NodeJS.Timeout | undefined;
  /** A lookup is under way; one that comes too late is not of this number any more. */
  query: number;
}

export class DnsCache {
  readonly #settings: DnsCacheSettings;
  readonly #failure: Pick<DnsConfig, 'failureBaseMs' | 'failureMaxMs'>;
  readonly #resolver: DnsResolver;
  readonly #publisher: Publisher;
  readonly #store: StatStore;
  readonly #stats: StatBlock;
  readonly #entries = new Map<string, Entry>();

  /** Throws ConfigError. Names that are to be resolved beforehand are asked for at once. */
  constructor(config: DnsCacheConfig, publisher: Publisher, stats: StatStore, path: string) {
    this.#settings = compileDnsCache(config, path);
    const failurePath = at(path, 'dns_failure_refresh_rate');
    this.#failure = failureRates(config.dns_failure_refresh_rate, this.#settings.refreshMs, failurePath);
    this.#resolver = new DnsResolver(
      resolverSettings(
        {
          family: lookupFamily(config.dns_lookup_family, at(path, 'dns_lookup_family')),
          ttl: true,
          typed: config.typed_dns_resolver_config,
          resolution: config.dns_resolution_config,
          resolvers: [],
          useTcp: config.use_tcp_for_dns_lookups,
        },
        path,
      ),
    );
    this.#publisher = publisher;
    this.#store = stats;
    this.#stats = stats.block(DNS_CACHE_STATS, `dns_cache.${config.name}.`);
    this.#count(STAT['circuit_breakers.rq_pending_remaining'], this.#settings.maxPendingRequests);
    for (const { address, port_value: port } of config.preresolve_hostnames)
      this.use(hostKey(address, port ?? 0));
  }

  /** A worker asks for a host. */
  use(key: string): void {
    const known = this.#entries.get(key);
    if (known !== undefined) {
      known.usedAt = performance.now();
      if (known.ip === undefined && known.timer === undefined && known.query === 0) this.#resolve(known);
      return;
    }
    const { name, port = 0 } = splitHost(key);
    const entry: Entry = {
      key,
      name,
      port,
      usedAt: performance.now(),
      ip: undefined,
      otherIps: [],
      failures: 0,
      timer: undefined,
      query: 0,
    };
    this.#entries.set(key, entry);
    this.#count(STAT.host_added);
    this.#count(STAT.num_hosts);
    this.#resolve(entry);
  }

  close(): void {
    for (const entry of this.#entries.values()) this.#forget(entry);
    this.#resolver.close();
    this.#store.release(this.#stats);
  }

  #resolve(entry: Entry): void {
    const query = ++QUERIES.last;
    entry.query = query;
    this.#count(STAT.dns_query_attempt);
    const { queryTimeoutMs } = this.#settings;
    entry.timer =
      queryTimeoutMs === 0 ? undefined : setTimeout(() => this.#timedOut(entry), queryTimeoutMs).unref();
    this.#resolver.resolve(entry.name).then(
      (resolution) => entry.query === query && this.#resolved(entry, resolution),
      (error: Error) => entry.query === query && this.#queryFailed(entry, failureDetails(error)),
    );
  }

  #timedOut(entry: Entry): void {
    this.#count(STAT.dns_query_timeout);
    this.#queryFailed(entry, 'resolve_timeout');
  }

  #resolved(entry: Entry, { addresses, ttlMs, details }: Resolution): void {
    const ip = addresses[0];
    this.#count(STAT.dns_query_success);
    if (ip === undefined) {
      this.#failed(entry, details);
      return;
    }
    entry.failures = 0;
    if (ip !== entry.ip) {
      entry.ip = ip;
      entry.otherIps = addresses.slice(1);
      this.#count(STAT.host_address_changed);
      this.#publish(entry, '');
    }
    const { minRefreshMs, refreshMs } = this.#settings;
    this.#again(entry, ttlMs === undefined ? refreshMs : Math.max(minRefreshMs, ttlMs));
  }

  #queryFailed(entry: Entry, reason: string): void {
    this.#count(STAT.dns_query_failure);
    this.#failed(entry, reason);
  }

  /** An address that is known stays. */
  #failed(entry: Entry, reason: string): void {
    if (entry.ip === undefined) this.#publish(entry, reason);
    if (!this.#settings.refreshesAfterFailure) {
      clearTimeout(entry.timer);
      entry.timer = undefined;
      entry.query = 0;
      return;
    }
    const { failureBaseMs, failureMaxMs } = this.#failure;
    const ceiling = Math.min(failureMaxMs, failureBaseMs * (2 ** ++entry.failures - 1));
    const pauseMs =
      failureMaxMs === failureBaseMs ? failureBaseMs : Math.max(failureBaseMs / 2, Math.random() * ceiling);
    this.#again(entry, pauseMs);
  }

  #publish({ key, ip, otherIps, name, port }: Entry, failure: string): void {
    this.#publisher.put({
      kind: 'dns_host',
      name: `${this.#settings.name} ${key}`,
      host: { ip, otherIps, port, name, failure },
    });
  }

  #again(entry: Entry, pauseMs: number): void {
    clearTimeout(entry.timer);
    entry.query = 0;
    entry.timer = setTimeout(() => {
      if (performance.now() - entry.usedAt > this.#settings.hostTtlMs) this.#forget(entry);
      else this.#resolve(entry);
    }, pauseMs).unref();
  }

  #forget(entry: Entry): void {
    clearTimeout(entry.timer);
    entry.query = 0;
    this.#entries.delete(entry.key);
    this.#count(STAT.host_removed);
    this.#count(STAT.num_hosts, -1);
    this.#publisher.remove('dns_host', `${this.#settings.name} ${entry.key}`);
  }

  #count(offset: number, n = 1): void {
    const { values, base } = this.#stats;
    values[base + offset] = (values[base + offset] as number) + n;
  }
}

const QUERIES = { last: 0 };
