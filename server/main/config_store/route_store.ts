// Route configurations by RDS. They are not warmed themselves: one that compiles serves at once.
// Envoy: source/common/router/rds_impl.cc.

import { ConfigError } from '../../api/config_error.ts';
import { logger } from '../../common/log.ts';
import { mainFactoryContext } from './main_factory_context.ts';
import { TYPE_NAMES } from './resource.ts';
import type { StoreServices } from './services.ts';
import type { WatchedKind, WatchedResource } from './watched_resources.ts';

const log = logger('rds');

export class RouteStore implements WatchedKind {
  readonly kind = 'route';
  readonly #services: StoreServices;
  /** `http.<stat_prefix>.` of the first connection manager that asked, by route configuration name. */
  readonly #statPrefixes = new Map<string, string>();

  constructor(services: StoreServices) {
    this.#services = services;
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
    const { context } = mainFactoryContext(this.#services.environment, false);
    this.#services.compilers.route(message, context, '');
    log.info(`rds: add/update route configuration '${message.name}'`);
    this.#services.publisher.put({ kind: 'route', name: resource.key, version, bytes });
  }

  dropped(resource: WatchedResource): void {
    this.#services.publisher.remove('route', resource.key);
  }
}
