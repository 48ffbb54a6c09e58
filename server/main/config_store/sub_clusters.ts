// The sub clusters of one dynamic_forward_proxy cluster: a cluster of STRICT_DNS for each host and port that requests name, made when
// a worker asks for it and taken away when none has used it for a while.
// Envoy: Cluster::createSubClusterConfig, checkIdleSubCluster (source/extensions/clusters/dynamic_forward_proxy/cluster.cc).

import type { Cluster } from '../../../xds-protos/generated/envoy/config/cluster/v3.ts';
import type { SubClustersConfig } from '../../../xds-protos/generated/envoy/extensions/clusters/dynamic_forward_proxy/v3.ts';
import { create, encode } from '../../../xds-protos/load.ts';
import { ConfigError } from '../../api/config_error.ts';
import { hostOfSubCluster } from '../../common/dynamic_forward_proxy/sub_cluster_name.ts';
import {
  compileSubClusters,
  type SubClustersSettings,
} from '../../common/dynamic_forward_proxy/sub_clusters_config.ts';
import { logger } from '../../common/log.ts';
import type { ClusterStore } from './cluster_store.ts';
import type { Publisher } from './publisher.ts';
import { TYPE_NAMES } from './resource.ts';

const log = logger('upstream');
const TYPE_URL = `type.googleapis.com/${TYPE_NAMES.cluster}`;
const SOURCE = 'dynamic_forward_proxy';
/** Workers tell of uses a little later than they happen (see the filter's TOLD_PER_TTL). */
const LATE = 1.1;

export class SubClusters {
  readonly #parent: Cluster;
  readonly #config: SubClustersConfig;
  readonly #settings: SubClustersSettings;
  readonly #clusters: ClusterStore;
  readonly #publisher: Publisher;
  /** `performance.now()` ms by name. */
  readonly #usedAt = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(parent: Cluster, config: SubClustersConfig, clusters: ClusterStore, publisher: Publisher) {
    this.#parent = parent;
    this.#config = config;
    this.#settings = compileSubClusters(config, '');
    this.#clusters = clusters;
    this.#publisher = publisher;
  }

  /** A worker uses a sub cluster, or wants it. */
  use(name: string): void {
    const { maxSubClusters, ttlMs } = this.#settings;
    const isNew = !this.#usedAt.has(name);
    if (isNew && this.#usedAt.size >= maxSubClusters) {
      this.#publisher.putMissingCluster(name);
      return;
    }
    this.#usedAt.set(name, performance.now());
    if (!isNew) return;
    this.#timer ??= setInterval(() => this.#removeIdle(), ttlMs).unref();
    const bytes = encode(TYPE_NAMES.cluster, this.#clusterOf(name));
    try {
      this.#clusters.addOwn({ name, typeUrl: TYPE_URL, bytes, version: '', ttlMs: 0 }, SOURCE);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      // As in Envoy, whoever waits for it waits in vain.
      log.error(`cluster '${name}': ${error.message}`);
    }
  }

  /** The parent goes, and all of them with it. */
  close(): void {
    clearInterval(this.#timer);
    for (const name of this.#usedAt.keys()) this.#clusters.remove(name, SOURCE);
    this.#usedAt.clear();
  }

  #removeIdle(): void {
    const before = performance.now() - this.#settings.ttlMs * LATE;
    for (const [name, usedAt] of this.#usedAt) {
      if (usedAt >= before) continue;
      this.#usedAt.delete(name);
      this.#clusters.remove(name, SOURCE);
    }
  }

  #clusterOf(name: string): Cluster {
    const parent = this.#parent;
    const { host, port } = hostOfSubCluster(name);
    const address = { socket_address: { address: host, port_value: port } };
    return {
      ...parent,
      name,
      cluster_type: undefined,
      type: 'STRICT_DNS',
      lb_policy: this.#config.lb_policy,
      // What the parent's hosts are held to by itself.
      upstream_http_protocol_options: parent.upstream_http_protocol_options ?? AUTO_NAMES,
      load_assignment: create('envoy.config.endpoint.v3.ClusterLoadAssignment', {
        cluster_name: name,
        endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }],
      }),
    };
  }
}

const AUTO_NAMES = create('envoy.config.core.v3.UpstreamHttpProtocolOptions', {
  auto_sni: true,
  auto_san_validation: true,
});
