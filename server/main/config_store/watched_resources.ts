// Resources that others refer to by name (endpoints, routes, secrets, extension configurations): one subscription per
// config source and name, shared by all that watch it, and kept while anyone does, so that a cluster or listener that is
// updated finds its endpoints and routes still there. Envoy: config/subscription.h users such as rds_impl.cc, sds_api.cc.

import type { ConfigSource } from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import { ConfigError } from '../../api/config_error.ts';
import { resourceKey } from '../../common/config/resource_key.ts';
import { logger } from '../../common/log.ts';
import type {
  DiscoveredResource,
  RejectedResource,
  Subscription,
  SubscriptionFactory,
} from '../xds/subscription.ts';
import type { ResourceHistory } from './history.ts';
import {
  equalBytes,
  type ResourceKind,
  type ResourceVersion,
  sourceName,
  TYPE_NAMES,
  type UpdateFailure,
} from './resource.ts';
import { Observable, type Warmable, WarmingGate } from './warming.ts';

const log = logger('config');

/** What differs between the kinds. */
export interface WatchedKind {
  readonly kind: ResourceKind;
  /** Prefix of the subscription's stats, e.g. `sds.<name>.`. */
  statPrefix(name: string): string;
  /** It is watched from now on; what else is counted of it goes below `statPrefix`. */
  watched?(resource: WatchedResource, statPrefix: string): void;
  /** A new version: check it and take it into use. Throws ConfigError to reject it. What it returns is `parsed` for observers. */
  accept(resource: WatchedResource, bytes: Uint8Array, version: string): unknown;
  /** What of it is to come, and is waited for, after a version was accepted. */
  waitsFor?(resource: WatchedResource): Warmable | undefined;
  /** Nobody watches it any more. */
  dropped(resource: WatchedResource): void;
}

export class WatchedResource extends Observable implements Warmable {
  readonly key: string;
  readonly resourceName: string;
  readonly source: ConfigSource;
  active: ResourceVersion | undefined;
  failure: UpdateFailure | undefined;
  /** What `accept` made of `active`, while observers are told of it. */
  parsed: unknown;
  ready = false;
  /** Watchers: subscribed by the first, closed by the last. */
  watchers = 0;
  subscription: Subscription | undefined;
  readonly #kind: ResourceKind;

  constructor(kind: ResourceKind, key: string, name: string, source: ConfigSource) {
    super();
    this.#kind = kind;
    this.key = key;
    this.resourceName = name;
    this.source = source;
  }

  get name(): string {
    return `${INIT_NAMES[this.#kind]} ${this.resourceName}`;
  }

  /** Something came, or it is known that nothing will come: do not wait any longer. */
  settle(): void {
    this.ready = true;
    this.changed();
  }
}

/** How Envoy's /init_dump names the targets. */
const INIT_NAMES: Readonly<Record<ResourceKind, string>> = {
  cluster: 'Cluster',
  endpoints: 'EDS',
  listener: 'Listener',
  route: 'RdsRouteConfigSubscription',
  virtual_host: 'VhdsConfigSubscription',
  scoped_route: 'ScopedRdsConfigSubscription',
  secret: 'SdsApi',
  extension: 'FilterConfigSubscription',
};

export class WatchedResources {
  readonly #kind: WatchedKind;
  readonly #subscriptions: SubscriptionFactory;
  readonly #history: ResourceHistory;
  readonly #byKey = new Map<string, WatchedResource>();

  constructor(kind: WatchedKind, subscriptions: SubscriptionFactory, history: ResourceHistory) {
    this.#kind = kind;
    this.#subscriptions = subscriptions;
    this.#history = history;
  }

  /** In the order they were first watched. */
  get all(): Iterable<WatchedResource> {
    return this.#byKey.values();
  }

  /**
   * Starts or joins a watch; give it back with `release`. Stats go below the prefix of the first that watches.
   * Throws ConfigError when the source cannot be honoured.
   */
  watch(
    source: ConfigSource,
    name: string,
    path: string,
    statPrefix = this.#kind.statPrefix(name),
  ): WatchedResource {
    const key = resourceKey(source, name);
    let resource = this.#byKey.get(key);
    if (resource === undefined) {
      resource = new WatchedResource(this.#kind.kind, key, name, source);
      resource.subscription = this.#subscribe(resource, statPrefix, path);
      this.#byKey.set(key, resource);
      this.#kind.watched?.(resource, statPrefix);
    }
    resource.watchers++;
    return resource;
  }

  release(resource: WatchedResource): void {
    if (--resource.watchers > 0) return;
    this.#byKey.delete(resource.key);
    resource.subscription?.close();
    this.#kind.dropped(resource);
  }

  #subscribe(resource: WatchedResource, statPrefix: string, path: string): Subscription {
    const { resourceName } = resource;
    return this.#subscriptions.subscribe(
      resource.source,
      TYPE_NAMES[this.#kind.kind],
      new Set([resourceName]),
      {
        onConfigUpdate: (added, removed) => {
          const found = added.find((one) => one.name === resourceName);
          if (found !== undefined) return this.#update(resource, found);
          if (removed.includes(resourceName)) this.#notFound(resource);
          return [];
        },
        onConfigUpdateFailed: (reason, details) => {
          if (reason === 'connection') return;
          log.warning(
            `${resource.name}: ${reason === 'fetch_timeout' ? 'initial fetch timed out' : details}`,
          );
          if (!resource.ready) resource.settle();
        },
      },
      statPrefix,
      path,
    );
  }

  #update(resource: WatchedResource, { bytes, version }: DiscoveredResource): RejectedResource[] {
    const { active, resourceName: name } = resource;
    if (active !== undefined && equalBytes(active.bytes, bytes)) {
      resource.active = { ...active, version };
      resource.failure = undefined;
      return [];
    }
    const { kind } = this.#kind;
    const at = Date.now();
    const entry = { kind, name, version, source: sourceName(resource.source), at, bytes };
    let parsed: unknown;
    try {
      parsed = this.#kind.accept(resource, bytes, version);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      const { path, reason } = error;
      this.#history.add({ ...entry, error: { path, reason } });
      resource.failure = { bytes, version, at, path, reason };
      // A first version that is refused ends the waiting too: Envoy's init targets do not wait for a better one.
      if (!resource.ready) resource.settle();
      return [{ name, path, reason }];
    }
    this.#history.add({ ...entry, error: undefined });
    resource.active = { bytes, version, receivedAt: at };
    resource.failure = undefined;
    const more = this.#kind.waitsFor?.(resource);
    if (more !== undefined && !resource.ready) {
      new WarmingGate([more], () => resource.settle());
      return [];
    }
    resource.parsed = parsed;
    resource.settle();
    resource.parsed = undefined;
    return [];
  }

  /** "Does not exist" ends the waiting; what was there before goes on serving, as in Envoy. */
  #notFound(resource: WatchedResource): void {
    log.debug(`${resource.name} does not exist at the server`);
    if (!resource.ready) resource.settle();
  }
}
