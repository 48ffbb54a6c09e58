// Route configurations by RDS. They are not warmed themselves: one that compiles serves at once.
// Envoy: source/common/router/rds_impl.cc.

import { ConfigError } from '../../api/config_error.ts';
import type { StatBlock } from '../../api/stats.ts';
import { compiledResource } from '../../common/config/shared_memory_name.ts';
import { logger } from '../../common/log.ts';
import { RDS_STATS } from '../../common/stats/families/subscription.ts';
import { ConfigReloadStats } from './config_reload_stats.ts';
import { mainFactoryContext } from './main_factory_context.ts';
import { TYPE_NAMES } from './resource.ts';
import { type Lease, leaseAll, releaseAll, type StoreServices } from './services.ts';
import type { WatchedKind, WatchedResource } from './watched_resources.ts';

const log = logger('rds');

export class RouteStore implements WatchedKind {
  readonly kind = 'route';
  readonly #services: StoreServices;
  readonly #reloads: ConfigReloadStats;
  /** `update_empty`, which stays 0: a response without the route configuration is one that says it is not there. */
  readonly #empty = new Map<string, StatBlock>();
  /** What the current versions need, by key. */
  readonly #leases = new Map<string, readonly Lease[]>();
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
    return `${this.#statPrefixes.get(name) ?? ''}rds.${name}.`;
  }

  accept(resource: WatchedResource, bytes: Uint8Array, version: string): void {
    const message = this.#services.decoder.decode(TYPE_NAMES.route, bytes);
    if (message.name !== resource.resourceName) {
      const reason = `Unexpected RDS configuration (expecting ${resource.resourceName}): ${message.name}`;
      throw new ConfigError('name', reason);
    }
    const { context, dependencies } = mainFactoryContext(
      this.#services.environment,
      false,
      compiledResource('route', resource.key, bytes),
    );
    this.#services.compilers.route(message, context, '');
    log.info(`rds: add/update route configuration '${message.name}'`);
    const leases = leaseAll(this.#services, dependencies);
    this.#services.publisher.put({ kind: 'route', name: resource.key, version, bytes });
    releaseAll(this.#leases.get(resource.key) ?? []);
    this.#leases.set(resource.key, leases);
    this.#reloads.reloaded(resource.key);
  }

  dropped(resource: WatchedResource): void {
    this.#reloads.remove(resource.key);
    const empty = this.#empty.get(resource.key);
    if (empty !== undefined) this.#services.stats.release(empty);
    this.#empty.delete(resource.key);
    this.#services.publisher.remove('route', resource.key);
    releaseAll(this.#leases.get(resource.key) ?? []);
    this.#leases.delete(resource.key);
  }
}
