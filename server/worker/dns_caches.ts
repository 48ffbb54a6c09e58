// The DNS caches of one worker by name, and what the main thread has told of their hosts: also of caches that nothing here
// has asked for yet. Envoy: DnsCacheManagerImpl (source/extensions/common/dynamic_forward_proxy/dns_cache_manager_impl.cc).

import { createRequire } from 'node:module';
import { isDeepStrictEqual } from 'node:util';
import type { DnsCacheConfig } from '../../xds-protos/generated/envoy/extensions/common/dynamic_forward_proxy/v3.ts';
import type { CachedDnsHost, DnsCache } from '../api/dns_cache.ts';
import type { FactoryContext } from '../api/registry.ts';
import { pendingRequestsOf } from '../common/dynamic_forward_proxy/pending_requests.ts';
import type { AskForHost, WorkerDnsCache } from '../common/dynamic_forward_proxy/worker_dns_cache.ts';

const require = createRequire(import.meta.url);

export class WorkerDnsCaches {
  private readonly hosts = new Map<string, Map<string, CachedDnsHost>>();
  private readonly caches = new Map<string, WorkerDnsCache>();
  private readonly ask: AskForHost;

  constructor(ask: AskForHost) {
    this.ask = ask;
  }

  open(config: DnsCacheConfig, { sharedCounter, stats }: FactoryContext): DnsCache {
    const { compileDnsCache, DNS_CACHE_STATS } =
      require('../common/dynamic_forward_proxy/dns_cache_config.ts') as typeof import('../common/dynamic_forward_proxy/dns_cache_config.ts');
    const { WorkerDnsCache } =
      require('../common/dynamic_forward_proxy/worker_dns_cache.ts') as typeof import('../common/dynamic_forward_proxy/worker_dns_cache.ts');
    const settings = compileDnsCache(config, '');
    const { name } = settings;
    let cache = this.caches.get(name);
    if (cache === undefined || !isDeepStrictEqual(cache.settings, settings)) {
      cache = new WorkerDnsCache(
        settings,
        this.hostsOf(name),
        this.ask,
        sharedCounter(pendingRequestsOf(name)),
        stats.block(DNS_CACHE_STATS, `dns_cache.${name}.`),
      );
      this.caches.set(name, cache);
    }
    return cache;
  }

  /** `name` is that of a `dns_host` update: the cache and the key. */
  applyHost(name: string, host: CachedDnsHost): void {
    const [cache, key] = split(name);
    this.hostsOf(cache).set(key, host);
    this.caches.get(cache)?.updated(key, host);
  }

  removeHost(name: string): void {
    const [cache, key] = split(name);
    this.hostsOf(cache).delete(key);
    this.caches.get(cache)?.removed(key);
  }

  private hostsOf(cache: string): Map<string, CachedDnsHost> {
    let hosts = this.hosts.get(cache);
    if (hosts === undefined) this.hosts.set(cache, (hosts = new Map()));
    return hosts;
  }
}

function split(name: string): [cache: string, key: string] {
  const space = name.lastIndexOf(' ');
  return [name.slice(0, space), name.slice(space + 1)];
}
