// On-demand CDS: clusters that are asked for by name because a request wants them. They live among those of CDS.
// Envoy: source/common/upstream/od_cds_api_impl.cc.

import type { ConfigSource } from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import { logger } from '../../common/log.ts';
import type { Subscription } from '../xds/subscription.ts';
import type { ClusterStore } from './cluster_store.ts';
import type { Dependency } from './main_factory_context.ts';
import { TYPE_NAMES } from './resource.ts';
import type { Lease, StoreServices } from './services.ts';

const log = logger('upstream');
const STAT_PREFIX = 'cluster_manager.odcds.';
/** Ours: names come from requests, so that there must be an end to them. What is beyond times out. */
const MAX_NAMES = 10_000;

type ClusterDiscoveryDependency = Extract<Dependency, { kind: 'cluster_discovery' }>;

/** One config source, and the names that were asked for. */
class OnDemandCds {
  users = 0;
  readonly #services: StoreServices;
  readonly #clusters: ClusterStore;
  readonly #subscription: Subscription;
  readonly #names = new Set<string>();

  /** Throws ConfigError when the source cannot be honoured. */
  constructor(source: ConfigSource, path: string, services: StoreServices, clusters: ClusterStore) {
    this.#services = services;
    this.#clusters = clusters;
    this.#subscription = services.subscriptions.subscribe(
      source,
      TYPE_NAMES.cluster,
      new Set(),
      {
        onConfigUpdate: (added, removed) => {
          // The version in the dump of clusters is that of CDS.
          const rejected = clusters.update(added, removed, false, clusters.version, 'odcds');
          for (const name of removed) this.#missing(name);
          return rejected;
        },
        onConfigUpdateFailed: () => undefined,
      },
      STAT_PREFIX,
      path,
    );
  }

  discover(name: string): void {
    if (this.#names.has(name) || this.#clusters.get(name)?.active !== undefined) return;
    if (this.#names.size >= MAX_NAMES) {
      log.warning(`odcds: too many clusters are asked for: '${name}' is not`);
      return;
    }
    this.#names.add(name);
    this.#subscription.updateResourceInterest(new Set(this.#names));
  }

  close(): void {
    this.#subscription.close();
  }

  /** Asked for again when the next request wants it. */
  #missing(name: string): void {
    if (!this.#names.delete(name)) return;
    this.#subscription.updateResourceInterest(new Set(this.#names));
    this.#services.publisher.putMissingCluster(name);
  }
}

export class OnDemandClusters {
  readonly #services: StoreServices;
  readonly #clusters: ClusterStore;
  readonly #sources = new Map<string, OnDemandCds>();

  constructor(services: StoreServices, clusters: ClusterStore) {
    this.#services = services;
    this.#clusters = clusters;
  }

  /** A new or one more user of a source. Nothing waits for it. Throws ConfigError. */
  lease({ key, source, path }: ClusterDiscoveryDependency): Lease {
    let one = this.#sources.get(key);
    if (one === undefined) {
      one = new OnDemandCds(source, path, this.#services, this.#clusters);
      this.#sources.set(key, one);
    }
    one.users++;
    const used = one;
    return { target: READY, release: () => this.#release(key, used) };
  }

  /** A worker wants a cluster. */
  discover(key: string, name: string): void {
    this.#sources.get(key)?.discover(name);
  }

  #release(key: string, one: OnDemandCds): void {
    if (--one.users > 0) return;
    this.#sources.delete(key);
    one.close();
  }
}

const READY = { name: 'on-demand clusters', ready: true, observe: () => () => undefined };
