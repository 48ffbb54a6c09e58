// A route configuration that the workers have: checked, with what it needs, and sent. Nothing changes where a newer one is refused.

import type { RouteConfiguration } from '../../../xds-protos/generated/envoy/config/route/v3.ts';
import { compiledResource } from '../../common/config/shared_memory_name.ts';
import { mainFactoryContext } from './main_factory_context.ts';
import type { ResourceVersion } from './resource.ts';
import { type Lease, leaseAll, releaseAll, type StoreServices } from './services.ts';

export class PublishedRoutes {
  readonly key: string;
  /** Undefined before the first. */
  current: ResourceVersion | undefined;
  readonly #services: StoreServices;
  #leases: readonly Lease[] = [];

  /** `key` is the name under which the workers find it. */
  constructor(key: string, services: StoreServices) {
    this.key = key;
    this.#services = services;
  }

  /** `bytes` are those of `message`. Throws ConfigError. */
  put(message: RouteConfiguration, bytes: Uint8Array, version: string): void {
    const { key } = this;
    const resource = compiledResource('route', key, bytes);
    const { context, dependencies } = mainFactoryContext(this.#services.environment, false, resource);
    this.#services.compilers.route(message, context, '');
    const leases = leaseAll(this.#services, dependencies);
    this.#services.publisher.put({ kind: 'route', name: key, version, bytes });
    releaseAll(this.#leases);
    this.#leases = leases;
    this.current = { bytes, version, receivedAt: Date.now() };
  }

  remove(): void {
    this.#services.publisher.remove('route', this.key);
    releaseAll(this.#leases);
    this.#leases = [];
  }
}
