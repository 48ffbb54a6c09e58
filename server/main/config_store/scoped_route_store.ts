// Scopes by SRDS: one subscription for each collection that connection managers name, with the route configurations that its
// scopes refer to. An update applies as a whole or not at all. Envoy: source/common/router/scoped_rds.cc.

import type {
  RouteConfiguration,
  ScopedRouteConfiguration,
} from '../../../xds-protos/generated/envoy/config/route/v3.ts';
import type { ScopedRoutes } from '../../../xds-protos/generated/envoy/extensions/filters/network/http_connection_manager/v3.ts';
import { encode } from '../../../xds-protos/load.ts';
import { ConfigError } from '../../api/config_error.ts';
import type { StatBlock } from '../../api/stats.ts';
import { compiledResource } from '../../common/config/shared_memory_name.ts';
import { logger } from '../../common/log.ts';
import { scopeKey } from '../../common/router/scoped_routes.ts';
import { SCOPED_RDS_STATS } from '../../common/stats/families/subscription.ts';
import type { DiscoveredResource, RejectedResource, Subscription } from '../xds/subscription.ts';
import { ConfigReloadStats } from './config_reload_stats.ts';
import { type Dependency, mainFactoryContext } from './main_factory_context.ts';
import { equalBytes, type ResourceVersion, sourceName, TYPE_NAMES, type UpdateFailure } from './resource.ts';
import { type Lease, leaseAll, releaseAll, type StoreServices } from './services.ts';
import { Observable, type Warmable, WarmingGate } from './warming.ts';

const log = logger('rds');
const STAT = SCOPED_RDS_STATS.offset;
const SCOPED_ROUTES = 'envoy.extensions.filters.network.http_connection_manager.v3.ScopedRoutes' as const;

export type ScopedRoutesDependency = Extract<Dependency, { kind: 'scoped_routes' }>;

interface ScopeRecord extends ResourceVersion {
  readonly config: ScopedRouteConfiguration;
  /** Its routes by RDS, and what routes that are written into it need. Of one on demand nothing before it is asked for. */
  leases: readonly Lease[];
  /** On demand, and not there yet: nobody has asked for it, or its routes have not come. */
  pending: boolean;
}

/** One collection, and who uses it. */
export class ScopedRouteCollection extends Observable implements Warmable {
  readonly key: string;
  /** ScopedRoutes.name. */
  readonly resourceName: string;
  ready = false;
  version = '';
  /** ms since 1970. */
  receivedAt = 0;
  users = 0;
  readonly #dependency: ScopedRoutesDependency;
  readonly #services: StoreServices;
  readonly #reloads: ConfigReloadStats;
  readonly #stats: StatBlock;
  #scopes: ReadonlyMap<string, ScopeRecord> = new Map();
  #subscription: Subscription | undefined;
  #gate: WarmingGate | undefined;
  #failure: (UpdateFailure & { readonly name: string }) | undefined;

  constructor(dependency: ScopedRoutesDependency, services: StoreServices) {
    super();
    const { key, config, statPrefix } = dependency;
    const prefix = `${statPrefix}scoped_rds.${config.name}.`;
    this.key = key;
    this.resourceName = config.name;
    this.#dependency = dependency;
    this.#services = services;
    this.#reloads = new ConfigReloadStats(services.stats);
    this.#reloads.add(key, prefix);
    this.#stats = services.stats.block(SCOPED_RDS_STATS, prefix);
    this.#subscription = services.subscriptions.subscribe(
      dependency.source,
      TYPE_NAMES.scoped_route,
      undefined,
      {
        onConfigUpdate: (added, removed, full, version) => this.#update(added, removed, full, version),
        onConfigUpdateFailed: (reason, details) => {
          if (reason === 'connection') return;
          log.warning(`${this.name}: ${reason === 'fetch_timeout' ? 'initial fetch timed out' : details}`);
          this.#warm();
        },
      },
      prefix,
      dependency.path,
    );
  }

  get name(): string {
    return `ScopedRdsConfigSubscription ${this.resourceName}`;
  }

  /** By name, in the order they came. */
  get scopes(): ReadonlyMap<string, ResourceVersion> {
    return this.#scopes;
  }

  /** What was refused last. */
  get failure(): (UpdateFailure & { readonly name: string }) | undefined {
    return this.#failure;
  }

  close(): void {
    this.#subscription?.close();
    this.#gate?.cancel();
    this.#services.publisher.remove('scoped_routes', this.key);
    for (const { leases } of this.#scopes.values()) releaseAll(leases);
    this.#reloads.remove(this.key);
    this.#services.stats.release(this.#stats);
  }

  #update(
    added: readonly DiscoveredResource[],
    removed: readonly string[],
    full: boolean,
    version: string,
  ): RejectedResource[] {
    const taken: Lease[] = [];
    let current: DiscoveredResource | undefined;
    try {
      const next = new Map(full ? [] : this.#scopes);
      for (const one of removed) next.delete(one);
      const seen = new Set<string>();
      for (const resource of added) {
        current = resource;
        const { name } = resource;
        if (seen.has(name))
          throw new ConfigError('name', `duplicate scoped route configuration '${name}' found`);
        seen.add(name);
        next.set(name, this.#take(resource, taken));
      }
      this.#checkKeys(next);
      this.#apply(next, version);
      return [];
    } catch (error) {
      releaseAll(taken);
      if (!(error instanceof ConfigError)) throw error;
      log.warning(`srds: scoped route config '${this.resourceName}' rejected: ${error.reason}`);
      this.#warm();
      return current === undefined ? [] : [this.#reject(current, error)];
    }
  }

  #reject({ name, bytes, version }: DiscoveredResource, { path, reason }: ConfigError): RejectedResource {
    const at = Date.now();
    const source = sourceName(this.#dependency.source);
    this.#failure = { name, bytes, version, at, path, reason };
    this.#services.history.add({
      kind: 'scoped_route',
      name,
      version,
      source,
      at,
      bytes,
      error: { path, reason },
    });
    return { name, path, reason };
  }

  /** The scope as it is, where nothing has changed; else a new one. `taken` gets the leases of new ones. Throws ConfigError. */
  #take({ name, bytes, version }: DiscoveredResource, taken: Lease[]): ScopeRecord {
    const before = this.#scopes.get(name);
    if (before !== undefined && equalBytes(before.bytes, bytes)) return before;
    const config = this.#services.decoder.decode(TYPE_NAMES.scoped_route, bytes);
    const dependencies = this.#dependenciesOf(config);
    const pending = isOnDemand(config);
    const leases = pending ? [] : leaseAll(this.#services, dependencies);
    taken.push(...leases);
    return { config, bytes, version, receivedAt: Date.now(), leases, pending };
  }

  /** A worker has a request that wants the routes of a scope. */
  discover(name: string): void {
    const record = this.#scopes.get(name);
    const told = (): void => this.#services.publisher.putDiscoveredRoute('scope', this.key, name);
    if (record === undefined) {
      told();
      return;
    }
    const { leases } = record;
    if (leases.length === 0) record.leases = leaseAll(this.#services, this.#dependenciesOf(record.config));
    new WarmingGate(
      record.leases.map(({ target }) => target),
      () => {
        if (record.pending) {
          record.pending = false;
          if (this.#scopes.get(name) === record) this.#publish();
        }
        told();
      },
    );
    this.#updateGauges();
  }

  #dependenciesOf(config: ScopedRouteConfiguration): readonly Dependency[] {
    const { route_configuration: inline, route_configuration_name: name } = config;
    if (inline !== undefined) return this.#compile(inline, config);
    if (name === '') throw new ConfigError('route_configuration_name', 'route_configuration_name is empty.');
    const { config: scopedRoutes, statPrefix, path } = this.#dependency;
    const source = scopedRoutes.rds_config_source;
    if (source === undefined) {
      const reason = 'the connection manager has no rds_config_source';
      throw new ConfigError('route_configuration_name', reason);
    }
    return [{ kind: 'route', name, source, statPrefix, path }];
  }

  #compile(inline: RouteConfiguration, config: ScopedRouteConfiguration): readonly Dependency[] {
    const bytes = encode(TYPE_NAMES.scoped_route, config);
    const resource = compiledResource('scope', `${this.key} ${config.name}`, bytes);
    const { context, dependencies } = mainFactoryContext(this.#services.environment, false, resource);
    this.#services.compilers.route(inline, context, 'route_configuration');
    return dependencies;
  }

  #checkKeys(scopes: ReadonlyMap<string, ScopeRecord>): void {
    const owners = new Map<string, string>();
    for (const [name, { config }] of scopes) {
      const key = scopeKey(config);
      const first = owners.get(key);
      if (first !== undefined) {
        const reason = `scope key conflict found, first scope is '${first}', second scope is '${name}'`;
        throw new ConfigError('key', reason);
      }
      owners.set(key, name);
    }
  }

  #apply(next: ReadonlyMap<string, ScopeRecord>, version: string): void {
    const before = this.#scopes;
    this.#scopes = next;
    this.version = version;
    this.receivedAt = Date.now();
    this.#publish();
    for (const [name, record] of before) if (next.get(name) !== record) releaseAll(record.leases);
    this.#failure = undefined;
    const source = sourceName(this.#dependency.source);
    for (const [name, { bytes, version, receivedAt: at }] of next) {
      if (before.get(name)?.bytes === bytes) continue;
      const entry = { kind: 'scoped_route', name, version, source, at, bytes, error: undefined } as const;
      this.#services.history.add(entry);
    }
    this.#reloads.reloaded(this.key);
    this.#updateGauges();
    log.info(`srds: ${next.size} scope(s) of '${this.resourceName}'`);
    this.#warm();
  }

  /** To the workers a scope is on demand as long as it is not there. */
  #publish(): void {
    const scoped_route_configurations = [...this.#scopes.values()].map(({ config, pending }) =>
      config.on_demand === pending ? config : { ...config, on_demand: pending },
    );
    const message: ScopedRoutes = {
      ...this.#dependency.config,
      scoped_rds: undefined,
      scoped_route_configurations_list: { scoped_route_configurations },
    };
    const bytes = encode(SCOPED_ROUTES, message);
    this.#services.publisher.put({ kind: 'scoped_routes', name: this.key, version: this.version, bytes });
  }

  #updateGauges(): void {
    const { values, base } = this.#stats;
    const discovered = [...this.#scopes.values()].filter(
      ({ config }) => config.route_configuration === undefined,
    );
    values[base + STAT.all_scopes] = this.#scopes.size;
    values[base + STAT.on_demand_scopes] = discovered.filter(({ config }) => config.on_demand).length;
    values[base + STAT.active_scopes] = discovered.filter(({ leases }) => leases.length > 0).length;
  }

  /** The first answer is there, or there will be none: now for the routes of its scopes. */
  #warm(): void {
    if (this.#gate !== undefined) return;
    const targets = [...this.#scopes.values()].flatMap(({ leases }) => leases.map(({ target }) => target));
    this.#gate = new WarmingGate(targets, () => {
      this.ready = true;
      this.changed();
    });
  }
}

function isOnDemand({ on_demand: onDemand, route_configuration: inline }: ScopedRouteConfiguration): boolean {
  return onDemand && inline === undefined;
}

export class ScopedRouteStore {
  readonly #services: StoreServices;
  readonly #collections = new Map<string, ScopedRouteCollection>();

  constructor(services: StoreServices) {
    this.#services = services;
  }

  /** In the order they were first used. */
  get all(): Iterable<ScopedRouteCollection> {
    return this.#collections.values();
  }

  /** A new or one more user of a collection. Throws ConfigError when its source cannot be honoured. */
  lease(dependency: ScopedRoutesDependency): Lease {
    const { key } = dependency;
    let one = this.#collections.get(key);
    if (one === undefined) {
      one = new ScopedRouteCollection(dependency, this.#services);
      this.#collections.set(key, one);
    }
    one.users++;
    const collection = one;
    return { target: collection, release: () => this.#release(collection) };
  }

  /** A worker has a request that wants the routes of a scope of the collection `key`. */
  discover(key: string, scope: string): void {
    this.#collections.get(key)?.discover(scope);
  }

  #release(collection: ScopedRouteCollection): void {
    if (--collection.users > 0) return;
    this.#collections.delete(collection.key);
    collection.close();
  }
}
