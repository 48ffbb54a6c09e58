// HTTP filter configurations by ECDS. A filter with a default configuration does not wait when it says so, and falls
// back to it when nothing comes. Envoy: source/common/filter/config_discovery_impl.cc.

import type { ExtensionConfigSource } from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import { typeNameOf } from '../../../xds-protos/load.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { StatBlock } from '../../api/stats.ts';
import { compiledResource } from '../../common/config/shared_memory_name.ts';
import { EXTENSION_CONFIG_DISCOVERY_STATS } from '../../common/stats/families/subscription.ts';
import { mainFactoryContext } from './main_factory_context.ts';
import { TYPE_NAMES } from './resource.ts';
import { type Lease, leaseAll, releaseAll, type StoreServices } from './services.ts';
import type { WatchedKind, WatchedResource } from './watched_resources.ts';

const { config_fail, config_reload } = EXTENSION_CONFIG_DISCOVERY_STATS.offset;

export class ExtensionConfigStore implements WatchedKind {
  readonly kind = 'extension';
  readonly #services: StoreServices;
  /** Allowed types by key. */
  readonly #types = new Map<string, readonly string[]>();

  readonly #stats = new Map<string, StatBlock>();
  /** Memory of the current versions and of the default configurations, by key. */
  readonly #leases = new Map<string, readonly Lease[]>();
  readonly #defaultLeases = new Map<string, readonly Lease[]>();

  constructor(services: StoreServices) {
    this.#services = services;
  }

  /** Checks the source and its default configuration before the watch starts. Throws ConfigError. */
  expect(key: string, name: string, discovery: ExtensionConfigSource, path: string): void {
    const types = discovery.type_urls.map(typeNameOf);
    if (discovery.default_config !== undefined) {
      const where = at(path, 'default_config');
      this.#checkType(name, typeNameOf(discovery.default_config.type_url), types, where);
      const leases = this.#compile(key, name, discovery.default_config, where);
      releaseAll(this.#defaultLeases.get(key) ?? []);
      this.#defaultLeases.set(key, leases);
    } else if (discovery.apply_default_config_without_warming) {
      throw new ConfigError(
        path,
        `Error: filter config ${name} applied without warming but has no default config.`,
      );
    }
    this.#types.set(key, types);
  }

  statPrefix(name: string): string {
    return `extension_config_discovery.http_filter.${name}.`;
  }

  watched({ key }: WatchedResource, statPrefix: string): void {
    this.#stats.set(key, this.#services.stats.block(EXTENSION_CONFIG_DISCOVERY_STATS, statPrefix));
  }

  accept(resource: WatchedResource, bytes: Uint8Array, version: string): void {
    try {
      this.#accept(resource, bytes, version);
    } catch (error) {
      this.#count(resource, config_fail);
      throw error;
    }
    this.#count(resource, config_reload);
  }

  #count({ key }: WatchedResource, offset: number): void {
    const { values, base } = this.#stats.get(key)!;
    values[base + offset] = (values[base + offset] as number) + 1;
  }

  #accept(resource: WatchedResource, bytes: Uint8Array, version: string): void {
    const { name, typed_config: config } = this.#services.decoder.decode(TYPE_NAMES.extension, bytes);
    if (config === undefined) throw new ConfigError('typed_config', 'value is required');
    const types = this.#types.get(resource.key) ?? [];
    this.#checkType(name, typeNameOf(config.type_url), types, 'typed_config');
    const leases = this.#compile(resource.key, name, config, 'typed_config');
    this.#services.publisher.put({ kind: 'extension', name: resource.key, version, bytes });
    releaseAll(this.#leases.get(resource.key) ?? []);
    this.#leases.set(resource.key, leases);
  }

  dropped(resource: WatchedResource): void {
    this.#types.delete(resource.key);
    const stats = this.#stats.get(resource.key);
    if (stats !== undefined) this.#services.stats.release(stats);
    this.#stats.delete(resource.key);
    this.#services.publisher.remove('extension', resource.key);
    for (const leases of [this.#leases, this.#defaultLeases]) {
      releaseAll(leases.get(resource.key) ?? []);
      leases.delete(resource.key);
    }
  }

  #checkType(name: string, type: string, allowed: readonly string[], path: string): void {
    if (allowed.includes(type)) return;
    throw new ConfigError(
      path,
      `Error: filter config has type URL ${type} but expect ${allowed.join(', ')}. (filter ${name})`,
    );
  }

  /** The dry run; the result is what the configuration needs. Throws ConfigError. */
  #compile(
    key: string,
    name: string,
    config: { type_url: string; value: Uint8Array },
    path: string,
  ): readonly Lease[] {
    const { environment } = this.#services;
    const resource = compiledResource('extension', key, config.value, path);
    const { context, dependencies } = mainFactoryContext(environment, false, resource);
    const resolved = environment.registry.resolve('envoy.filters.http', name, config, path);
    resolved.factory.compile(resolved.config, context, path, name);
    return leaseAll(
      this.#services,
      dependencies.filter(({ kind }) => kind === 'shared_memory'),
    );
  }
}
