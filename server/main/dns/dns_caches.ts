// The DNS caches by name, each as long as a filter or cluster uses it. All users of a name must want the same.
// Envoy: DnsCacheManagerImpl (source/extensions/common/dynamic_forward_proxy/dns_cache_manager_impl.cc).

import type { DnsCacheConfig } from '../../../xds-protos/generated/envoy/extensions/common/dynamic_forward_proxy/v3.ts';
import { encode } from '../../../xds-protos/load.ts';
import { ConfigError } from '../../api/config_error.ts';
import type { StatStore } from '../../api/stats.ts';
import type { Publisher } from '../config_store/publisher.ts';
import { equalBytes } from '../config_store/resource.ts';
import type { Lease } from '../config_store/services.ts';
import { DnsCache } from './dns_cache.ts';

interface Shared {
  readonly cache: DnsCache;
  readonly bytes: Uint8Array;
  users: number;
}

export class DnsCaches {
  readonly #publisher: Publisher;
  readonly #stats: StatStore;
  readonly #caches = new Map<string, Shared>();

  constructor(publisher: Publisher, stats: StatStore) {
    this.#publisher = publisher;
    this.#stats = stats;
  }

  /** Throws ConfigError where the cache of that name is another one. */
  lease(config: DnsCacheConfig, path: string): Lease {
    const bytes = encode('envoy.extensions.common.dynamic_forward_proxy.v3.DnsCacheConfig', config);
    let shared = this.#caches.get(config.name);
    if (shared === undefined) {
      shared = { cache: new DnsCache(config, this.#publisher, this.#stats, path), bytes, users: 0 };
      this.#caches.set(config.name, shared);
    } else if (!equalBytes(shared.bytes, bytes)) {
      throw new ConfigError(path, `config specified DNS cache '${config.name}' with different settings`);
    }
    shared.users++;
    return { target: READY, release: () => this.#release(config.name) };
  }

  /** A worker asks for a host of a cache, which may have gone meanwhile. */
  use(cache: string, key: string): void {
    this.#caches.get(cache)?.cache.use(key);
  }

  #release(name: string): void {
    const shared = this.#caches.get(name)!;
    if (--shared.users > 0) return;
    this.#caches.delete(name);
    shared.cache.close();
  }
}

const READY = { name: 'DNS cache', ready: true, observe: () => () => undefined };
