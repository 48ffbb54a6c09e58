// Route configurations by RDS. They are not warmed themselves: one that compiles serves at once; a listener waits for the virtual hosts
// that are to be discovered for it. Envoy: source/common/router/rds_impl.cc.

import { createRequire } from 'node:module';
import type { RouteConfiguration } from '../../../xds-protos/generated/envoy/config/route/v3.ts';
import { ConfigError } from '../../api/config_error.ts';
import type { StatBlock } from '../../api/stats.ts';
import { logger } from '../../common/log.ts';
import { RDS_STATS } from '../../common/stats/families/subscription.ts';
import { ConfigReloadStats } from './config_reload_stats.ts';
import { PublishedRoutes } from './published_routes.ts';
import { type ResourceVersion, TYPE_NAMES } from './resource.ts';
import type { StoreServices } from './services.ts';
import type { VirtualHostDiscovery } from './virtual_host_discovery.ts';
import type { Warmable } from './warming.ts';
import type { WatchedKind, WatchedResource } from './watched_resources.ts';

const require = createRequire(import.meta.url);
const log = logger('rds');

export class RouteStore implements WatchedKind {
  readonly kind = 'route';
  readonly #services: StoreServices;
  readonly #reloads: ConfigReloadStats;
  /** `update_empty`, which stays 0: a response without the route configuration is one that says it is not there. */
  readonly #empty = new Map<string, StatBlock>();
  /** By key, as all below. */
  readonly #published = new Map<string, PublishedRoutes>();
  readonly #discoveries = new Map<string, VirtualHostDiscovery>();
  /** `http.<stat_prefix>.` of the first connection manager that asked, by route configuration name. */
  readonly #statPrefixes = new Map<string, string>();

  constructor(services: StoreServices) {
    this.#services = services;
    this.#reloads = new ConfigReloadStats(services.stats);
  }

  watched({ key }: WatchedResource, statPrefix: string): void {
    this.#reloads.add(key, statPrefix);
    this.#empty.set(key, this.#services.stats.block(RDS_STATS, statPrefix));
  }

  setStatPrefix(name: string, prefix: string): void {
    this.#statPrefixes.set(name, prefix);
  }

  statPrefix(name: string): string {
    return `${this.#rdsPrefix(name)}${name}.`;
  }

  #rdsPrefix(name: string): string {
    return `${this.#statPrefixes.get(name) ?? ''}rds.`;
  }

  accept(resource: WatchedResource, bytes: Uint8Array, version: string): void {
    const { key, resourceName } = resource;
    const message = this.#services.decoder.decode(TYPE_NAMES.route, bytes);
    if (message.name !== resourceName) {
      const reason = `Unexpected RDS configuration (expecting ${resourceName}): ${message.name}`;
      throw new ConfigError('name', reason);
    }
    const routes = this.#published.get(key) ?? new PublishedRoutes(key, this.#services);
    const discovery =
      this.#discoveries.get(key) ?? (message.vhds && this.#createDiscovery(message, routes, key));
    if (discovery === undefined) routes.put(message, bytes, version);
    else {
      discovery.update(message, version, '');
      this.#discoveries.set(key, discovery);
    }
    log.info(`rds: add/update route configuration '${message.name}'`);
    this.#published.set(key, routes);
    // One that waits for its first virtual hosts is counted with them, as in Envoy.
    if (discovery === undefined || discovery.ready) this.#reloads.reloaded(key);
  }

  #createDiscovery(message: RouteConfiguration, routes: PublishedRoutes, key: string): VirtualHostDiscovery {
    const { VirtualHostDiscovery } =
      require('./virtual_host_discovery.ts') as typeof import('./virtual_host_discovery.ts');
    const prefix = this.#rdsPrefix(message.name);
    return new VirtualHostDiscovery(message, routes, prefix, this.#services, () =>
      this.#reloads.reloaded(key),
    );
  }

  waitsFor({ key }: WatchedResource): Warmable | undefined {
    return this.#discoveries.get(key);
  }

  /** The virtual hosts of those that have `vhds`, by key. */
  get discoveries(): ReadonlyMap<string, VirtualHostDiscovery> {
    return this.#discoveries;
  }

  /** What the workers have where that is more than what RDS says. */
  withDiscoveredHosts(key: string): ResourceVersion | undefined {
    return this.#discoveries.has(key) ? this.#published.get(key)?.current : undefined;
  }

  dropped({ key }: WatchedResource): void {
    this.#reloads.remove(key);
    const empty = this.#empty.get(key);
    if (empty !== undefined) this.#services.stats.release(empty);
    this.#empty.delete(key);
    this.#discoveries.get(key)?.close();
    this.#discoveries.delete(key);
    this.#published.get(key)?.remove();
    this.#published.delete(key);
  }
}
