// Route configurations with `vhds` that are written into connection managers: the workers get them apart from their listener, so that
// virtual hosts may come and go. Envoy: StaticRouteConfigProviderImpl in source/common/router/rds_impl.cc.

import { PublishedRoutes } from './published_routes.ts';
import type { ResourceVersion } from './resource.ts';
import type { Lease, StoreServices, VirtualHostsDependency } from './services.ts';
import { VirtualHostDiscovery } from './virtual_host_discovery.ts';

interface InlineRoutes {
  readonly discovery: VirtualHostDiscovery;
  readonly routes: PublishedRoutes;
  users: number;
}

export class InlineVirtualHosts {
  readonly #services: StoreServices;
  readonly #byKey = new Map<string, InlineRoutes>();

  constructor(services: StoreServices) {
    this.#services = services;
  }

  /** A new or one more user. Throws ConfigError when the source cannot be honoured. */
  lease({ key, config, path }: VirtualHostsDependency): Lease {
    let one = this.#byKey.get(key);
    if (one === undefined) {
      const routes = new PublishedRoutes(key, this.#services);
      const discovery = new VirtualHostDiscovery(config, routes, '', this.#services, () => undefined);
      discovery.update(config, '', path);
      one = { discovery, routes, users: 0 };
      this.#byKey.set(key, one);
    }
    one.users++;
    const used = one;
    return { target: used.discovery, release: () => this.#release(key, used) };
  }

  /** By key. */
  *discoveries(): Iterable<[string, VirtualHostDiscovery]> {
    for (const [key, { discovery }] of this.#byKey) yield [key, discovery];
  }

  published(key: string): ResourceVersion | undefined {
    return this.#byKey.get(key)?.routes.current;
  }

  #release(key: string, one: InlineRoutes): void {
    if (--one.users > 0) return;
    this.#byKey.delete(key);
    one.discovery.close();
    one.routes.remove();
  }
}
