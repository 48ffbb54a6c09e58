// VHDS: virtual hosts of a route configuration that come by a subscription of their own: those that the control plane sends unasked,
// and those that requests ask for by `<route configuration>/<host>`. The workers get one route configuration with all of them.
// Envoy: source/common/router/vhds.cc, route_config_update_receiver_impl.cc, rds_route_config_provider_impl.cc.

import type { RouteConfiguration, VirtualHost } from '../../../xds-protos/generated/envoy/config/route/v3.ts';
import { create, encode } from '../../../xds-protos/load.ts';
import { ConfigError } from '../../api/config_error.ts';
import type { StatBlock } from '../../api/stats.ts';
import { resourceKey } from '../../common/config/resource_key.ts';
import { logger } from '../../common/log.ts';
import { VHDS_STATS } from '../../common/stats/families/subscription.ts';
import type { DiscoveredResource, RejectedResource, Subscription } from '../xds/subscription.ts';
import type { PublishedRoutes } from './published_routes.ts';
import { equalBytes, type ResourceVersion, sourceName, TYPE_NAMES, type UpdateFailure } from './resource.ts';
import type { StoreServices } from './services.ts';
import { Observable, type Warmable } from './warming.ts';

const log = logger('rds');
const CONFIG_RELOAD = VHDS_STATS.offset.config_reload;
/** Ours: names come from requests, so that there must be an end to them. What is beyond is not there. */
const MAX_NAMES = 10_000;
const IN_VIRTUAL_HOSTS = /^virtual_hosts\[(\d+)\]\.?/;

/** A virtual host as it came. */
export interface DiscoveredVirtualHost extends ResourceVersion {
  readonly message: VirtualHost;
}

type Hosts = ReadonlyMap<string, DiscoveredVirtualHost>;

export class VirtualHostDiscovery extends Observable implements Warmable {
  ready = false;
  /** What was refused last. */
  failure: (UpdateFailure & { readonly name: string }) | undefined;
  readonly #services: StoreServices;
  readonly #routes: PublishedRoutes;
  readonly #statPrefix: string;
  readonly #onReloaded: () => void;
  /** As RDS or a listener has it. */
  #config: RouteConfiguration;
  /** By their names. They outlive a route configuration that has no `vhds` for a while, as in Envoy. */
  #hosts: Hosts = new Map();
  #source = '';
  #subscription: Subscription | undefined;
  #stats: StatBlock | undefined;
  /** What requests have asked for, and what of it was answered. */
  readonly #asked = new Set<string>();
  readonly #answered = new Set<string>();

  /** `statPrefix` is that of the route configuration's own stats. `onReloaded` is called when the workers get other virtual hosts. */
  constructor(
    config: RouteConfiguration,
    routes: PublishedRoutes,
    statPrefix: string,
    services: StoreServices,
    onReloaded: () => void,
  ) {
    super();
    this.#config = config;
    this.#routes = routes;
    this.#statPrefix = statPrefix;
    this.#services = services;
    this.#onReloaded = onReloaded;
  }

  get name(): string {
    return `VhdsConfigSubscription ${this.#config.name}`;
  }

  /** By their names, in their order. */
  get hosts(): Hosts {
    return this.#hosts;
  }

  /** A new version of the route configuration itself. Throws ConfigError; then all is as before. `path` is its place. */
  update(config: RouteConfiguration, version: string, path: string): void {
    const { vhds } = config;
    const source = vhds?.config_source === undefined ? '' : resourceKey(vhds.config_source, '');
    if (vhds !== undefined && vhds.config_source === undefined)
      throw new ConfigError(`${path}vhds.config_source`, 'value is required');
    const before = this.#subscription;
    const changed =
      vhds === undefined ? before !== undefined : before === undefined || source !== this.#source;
    const next =
      changed && vhds !== undefined ? this.#subscribe(config, `${path}vhds.config_source`) : undefined;
    try {
      this.#publish(config, this.#hosts, version);
    } catch (error) {
      next?.close();
      throw error;
    }
    this.#config = config;
    if (!changed) return;
    before?.close();
    this.#subscription = next;
    this.#source = source;
    this.#tell([...this.#asked]);
    this.#asked.clear();
    this.#answered.clear();
    if (next === undefined) this.#settle();
  }

  /** A worker has a request for a host that it has no route for. */
  discover(host: string): void {
    const alias = `${this.#config.name}/${host}`;
    if (this.#subscription === undefined || this.#answered.has(alias)) {
      this.#tell([alias]);
      return;
    }
    if (this.#asked.has(alias)) return;
    if (this.#asked.size >= MAX_NAMES) {
      log.warning(`vhds: too many virtual hosts are asked for: '${alias}' is not`);
      this.#tell([alias]);
      return;
    }
    this.#asked.add(alias);
    this.#askFor();
  }

  close(): void {
    this.#subscription?.close();
    if (this.#stats !== undefined) this.#services.stats.release(this.#stats);
  }

  #subscribe(config: RouteConfiguration, path: string): Subscription {
    const prefix = `${this.#statPrefix}vhds.${config.name}.`;
    const subscription = this.#services.subscriptions.subscribe(
      config.vhds!.config_source!,
      TYPE_NAMES.virtual_host,
      new Set([`${config.name}/`]),
      {
        onConfigUpdate: (added, removed, _full, version) => this.#onUpdate(added, removed, version),
        onConfigUpdateFailed: (reason, details) => {
          if (reason === 'connection') return;
          log.warning(`${this.name}: ${reason === 'fetch_timeout' ? 'initial fetch timed out' : details}`);
          this.#settle();
        },
      },
      prefix,
      path,
    );
    this.#stats ??= this.#services.stats.block(VHDS_STATS, prefix);
    return subscription;
  }

  #askFor(): void {
    this.#subscription?.updateResourceInterest(new Set([`${this.#config.name}/`, ...this.#asked]));
  }

  #onUpdate(
    added: readonly DiscoveredResource[],
    removed: readonly string[],
    version: string,
  ): readonly RejectedResource[] {
    const names = added.flatMap(({ name, aliases = [] }) => [name, ...aliases]);
    const aliases = names.filter((name) => this.#asked.has(name));
    const hosts = new Map(this.#hosts);
    let changed = added.length > 0;
    for (const name of removed) changed = hosts.delete(name) || changed;
    const rejected = this.#decode(added, hosts);
    try {
      if (rejected.length === 0 && changed) this.#apply(hosts, version);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      rejected.push(this.#blame(error, hosts, added));
    }
    if (rejected.length > 0) {
      const { name, path, reason } = rejected[0]!;
      const { bytes = new Uint8Array(), version = '' } = added.find((one) => one.name === name) ?? {};
      this.failure = { name, bytes, version, at: Date.now(), path, reason };
      this.#remember(added, rejected[0]);
    } else this.#remember(added, undefined);
    if (rejected.length === 0) for (const alias of aliases) this.#answered.add(alias);
    // What is not there is asked for anew by the next request.
    const missing = removed.filter((name) => this.#asked.delete(name));
    if (missing.length > 0) this.#askFor();
    this.#tell([...aliases, ...missing]);
    this.#settle();
    return rejected;
  }

  /** Puts those with a body into `hosts`; returns what cannot be read. */
  #decode(
    added: readonly DiscoveredResource[],
    hosts: Map<string, DiscoveredVirtualHost>,
  ): RejectedResource[] {
    const rejected: RejectedResource[] = [];
    for (const { name, bytes, version } of added) {
      if (bytes.length === 0) continue;
      try {
        const message = this.#services.decoder.decode(TYPE_NAMES.virtual_host, bytes);
        const before = hosts.get(message.name);
        const same = before !== undefined && equalBytes(before.bytes, bytes);
        hosts.set(message.name, {
          message,
          bytes,
          version,
          receivedAt: same ? before.receivedAt : Date.now(),
        });
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        rejected.push({ name, path: error.path, reason: error.reason });
      }
    }
    return rejected;
  }

  #apply(hosts: Hosts, version: string): void {
    this.#publish(this.#config, hosts, version);
    this.#hosts = hosts;
    this.failure = undefined;
    const { values, base } = this.#stats!;
    values[base + CONFIG_RELOAD] = (values[base + CONFIG_RELOAD] as number) + 1;
    this.#onReloaded();
    log.info(`vhds: ${hosts.size} virtual host(s) of '${this.#config.name}'`);
  }

  /** Those of the configuration, then those that were discovered, in the order of their names. Throws ConfigError. */
  #publish(config: RouteConfiguration, hosts: Hosts, version: string): void {
    const discovered = config.vhds === undefined ? [] : [...hosts.values()].map(({ message }) => message);
    const virtual_hosts = [...config.virtual_hosts, ...byName(discovered)];
    const merged =
      config.vhds === undefined ? config : create(TYPE_NAMES.route, { ...config, virtual_hosts });
    this.#routes.put(merged, encode(TYPE_NAMES.route, merged), version);
  }

  /** Which of the resources an error of the whole is about. */
  #blame(error: ConfigError, hosts: Hosts, added: readonly DiscoveredResource[]): RejectedResource {
    const index = Number(IN_VIRTUAL_HOSTS.exec(error.path)?.[1] ?? -1) - this.#config.virtual_hosts.length;
    const host = byName([...hosts.values()].map(({ message }) => message))[index];
    const bytes = host && hosts.get(host.name)?.bytes;
    const resource = added.find((one) => one.bytes === bytes) ?? added[0]!;
    const path = host === undefined ? error.path : error.path.replace(IN_VIRTUAL_HOSTS, '');
    return { name: resource.name, path, reason: error.reason };
  }

  #remember(added: readonly DiscoveredResource[], refused: RejectedResource | undefined): void {
    const source = sourceName(this.#config.vhds!.config_source!);
    for (const { name, version, bytes } of added) {
      if (bytes.length === 0 || (refused !== undefined && refused.name !== name)) continue;
      const error = refused && { path: refused.path, reason: refused.reason };
      this.#services.history.add({
        kind: 'virtual_host',
        name,
        version,
        source,
        at: Date.now(),
        bytes,
        error,
      });
    }
  }

  /** Requests that wait for one of these need not any longer. */
  #tell(aliases: readonly string[]): void {
    const { length } = this.#config.name;
    for (const alias of aliases)
      this.#services.publisher.putDiscoveredRoute('virtual_host', this.#routes.key, alias.slice(length + 1));
  }

  #settle(): void {
    if (this.ready) return;
    this.ready = true;
    this.changed();
  }
}

function byName(hosts: readonly VirtualHost[]): VirtualHost[] {
  return [...hosts].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}
