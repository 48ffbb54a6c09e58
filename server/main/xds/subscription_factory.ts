// From a ConfigSource to a subscription: the one ADS stream, a stream of its own, polling, or a file.
// Envoy: source/common/config/subscription_factory_impl.cc.

import type {
  ApiConfigSource,
  ConfigSource,
  Node,
} from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import { encode } from '../../../xds-protos/load.ts';
import { durationMs } from '../../../xds-protos/well_known.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { StatStore } from '../../api/stats.ts';
import { logger } from '../../common/log.ts';
import { checkAdsSource, checkGrpcSource, compileRateLimit, compileRestSource } from './api_config_source.ts';
import { JitteredExponentialBackOff } from './backoff.ts';
import { ConfigWatch } from './config_watch.ts';
import { ControlPlaneStats } from './control_plane_stats.ts';
import { DELTA } from './delta_state.ts';
import { FilesystemSubscription } from './filesystem_subscription.ts';
import { GrpcChannel } from './grpc_channel.ts';
import { GrpcMux } from './grpc_mux.ts';
import { type ClusterLookup, compileGrpcTarget, streamBackOff } from './grpc_target.ts';
import type { InProcessServer } from './in_process_server.ts';
import { type ResourceType, resourceType } from './resource_types.ts';
import { RestClient } from './rest_client.ts';
import { RestSubscription } from './rest_subscription.ts';
import { SOTW } from './sotw_state.ts';
import type { StreamSnapshot } from './stream_state.ts';
import type { Subscription, SubscriptionCallbacks, SubscriptionFactory } from './subscription.ts';
import { SubscriptionStats } from './subscription_stats.ts';

const log = logger('config');
const ADS = '/envoy.service.discovery.v3.AggregatedDiscoveryService/';
/** ConfigSource.initial_fetch_timeout's default. */
const INITIAL_FETCH_TIMEOUT_MS = 15_000;

export interface XdsOptions {
  /** Who we say we are; see node.ts. */
  readonly node: Node;
  /** The bootstrap's dynamic_resources.ads_config. */
  readonly adsConfig: ApiConfigSource | undefined;
  /** The bootstrap's static clusters: the only ones that can lead to a control plane. */
  readonly clusters: ClusterLookup;
  /** Secrets that are made in this process, undefined where there are none. */
  readonly inProcess?: InProcessServer | undefined;
  readonly stats: StatStore;
}

/** A mux of either dialect, as the factory needs it. */
interface Mux {
  subscribe(type: ResourceType, names: ReadonlySet<string> | undefined, watch: ConfigWatch): Subscription;
  readonly snapshot: StreamSnapshot;
  close(): void;
}

export class XdsSubscriptionFactory implements SubscriptionFactory {
  readonly #options: XdsOptions;
  /** Streams to the same service share a connection. */
  readonly #channels = new Map<string, GrpcChannel>();
  readonly #restClients = new Map<string, RestClient>();
  readonly #muxes = new Set<Mux>();
  /** Polls and file watches. */
  readonly #ownSubscriptions = new Set<Subscription>();
  readonly #ads: Mux | undefined;

  /** Throws ConfigError for an ads_config that cannot be honoured. */
  constructor(options: XdsOptions) {
    this.#options = options;
    if (options.adsConfig === undefined) return;
    const path = 'dynamic_resources.ads_config';
    checkAdsSource(options.adsConfig, path);
    const delta = options.adsConfig.api_type === 'DELTA_GRPC';
    const method = `${ADS}${delta ? DELTA.adsMethod : SOTW.adsMethod}`;
    this.#ads = this.#createMux(options.adsConfig, delta, method, '', path);
  }

  subscribe(
    configSource: object,
    typeUrl: string,
    names: ReadonlySet<string> | undefined,
    callbacks: SubscriptionCallbacks,
    statPrefix: string,
    path: string,
  ): Subscription {
    const source = configSource as ConfigSource;
    const type = resourceType(typeUrl);
    if (source.authorities.length > 0) {
      throw new ConfigError(at(path, 'authorities'), 'xdstp authorities are not supported');
    }
    if (type.namespaces) this.#checkIncremental(source, path);
    const stats = new SubscriptionStats(this.#options.stats, statPrefix);
    const timeoutMs = durationMs(source.initial_fetch_timeout) ?? INITIAL_FETCH_TIMEOUT_MS;
    const watch = new ConfigWatch(callbacks, stats, timeoutMs);
    try {
      return this.#open(source, type, names, watch, statPrefix, path);
    } catch (error) {
      watch.close();
      throw error;
    }
  }

  /** Every stream as it is now: for the admin and the dashboard. */
  get streams(): readonly StreamSnapshot[] {
    return [...this.#muxes].map((mux) => mux.snapshot);
  }

  close(): void {
    for (const mux of this.#muxes) mux.close();
    for (const subscription of this.#ownSubscriptions) subscription.close();
    for (const channel of this.#channels.values()) channel.close();
    for (const client of this.#restClients.values()) client.close();
    this.#muxes.clear();
  }

  /** Virtual hosts come by incremental xDS alone. In the words of Envoy's VhdsSubscription. Throws ConfigError. */
  #checkIncremental({ ads, api_config_source: api }: ConfigSource, path: string): void {
    const { adsConfig } = this.#options;
    if (ads === undefined && api?.api_type !== 'DELTA_GRPC') {
      const allowed = "only 'DELTA_GRPC' or 'ADS' (which uses Delta xDS) is supported as a config source.";
      throw new ConfigError(path, `vhds: ${allowed}`);
    }
    if (ads === undefined) return;
    if (adsConfig === undefined)
      throw new ConfigError(path, 'vhds: ADS config source specified but no ADS configured in bootstrap.');
    if (adsConfig.api_type !== 'DELTA_GRPC')
      throw new ConfigError(path, 'vhds: ADS must use DELTA_GRPC api_type when used as VHDS config source.');
  }

  #open(
    source: ConfigSource,
    type: ResourceType,
    names: ReadonlySet<string> | undefined,
    watch: ConfigWatch,
    statPrefix: string,
    path: string,
  ): Subscription {
    if (source.ads !== undefined || source.self !== undefined) return this.#subscribeAds(type, names, watch);
    if (source.path_config_source !== undefined) {
      const where = at(path, 'path_config_source');
      return this.#own(new FilesystemSubscription(type, source.path_config_source, names, watch, where));
    }
    if (source.path !== undefined) {
      return this.#own(
        new FilesystemSubscription(type, { path: source.path }, names, watch, at(path, 'path')),
      );
    }
    if (source.api_config_source !== undefined) {
      const where = at(path, 'api_config_source');
      return this.#subscribeApi(source.api_config_source, type, names, watch, statPrefix, where);
    }
    throw new ConfigError(path, 'Missing config source specifier in envoy::config::core::v3::ConfigSource');
  }

  #subscribeAds(
    type: ResourceType,
    names: ReadonlySet<string> | undefined,
    watch: ConfigWatch,
  ): Subscription {
    if (this.#ads !== undefined) return this.#ads.subscribe(type, names, watch);
    // Envoy takes such a configuration too, and waits for what never comes.
    log.warning(`${type.typeUrl} is to come from ADS, but the bootstrap has no ads_config`);
    return { updateResourceInterest: () => {}, close: () => watch.close() };
  }

  #subscribeApi(
    source: ApiConfigSource,
    type: ResourceType,
    names: ReadonlySet<string> | undefined,
    watch: ConfigWatch,
    statPrefix: string,
    path: string,
  ): Subscription {
    const { inProcess } = this.#options;
    switch (source.api_type) {
      case 'REST':
        return this.#subscribeRest(source, type, names, watch, path);
      case 'GRPC':
      case 'DELTA_GRPC':
        checkGrpcSource(source, path);
        if (inProcess !== undefined && isFrom(source, inProcess.cluster)) {
          watch.asked();
          return this.#own(inProcess.subscribe(type, names, watch));
        }
        return this.#subscribeGrpc(source, type, names, watch, statPrefix, path);
      default:
        throw new ConfigError(path, `Unsupported config source ${source.api_type}`);
    }
  }

  #subscribeRest(
    source: ApiConfigSource,
    type: ResourceType,
    names: ReadonlySet<string> | undefined,
    watch: ConfigWatch,
    path: string,
  ): Subscription {
    const rest = compileRestSource(source, this.#options.clusters, path);
    if (type.restPath === undefined) throw new ConfigError(path, `${type.typeUrl} cannot be fetched by REST`);
    let client = this.#restClients.get(rest.clusterName);
    if (client === undefined) {
      client = new RestClient(this.#options.clusters(rest.clusterName)!, path);
      this.#restClients.set(rest.clusterName, client);
    }
    return this.#own(new RestSubscription(type, rest, client, this.#options.node, names, watch));
  }

  #own(subscription: Subscription): Subscription {
    this.#ownSubscriptions.add(subscription);
    return {
      updateResourceInterest: (names) => subscription.updateResourceInterest(names),
      close: () => {
        this.#ownSubscriptions.delete(subscription);
        subscription.close();
      },
    };
  }

  /** A stream for this subscription alone, as Envoy does: servers of secrets answer one name a stream. */
  #subscribeGrpc(
    source: ApiConfigSource,
    type: ResourceType,
    names: ReadonlySet<string> | undefined,
    watch: ConfigWatch,
    statPrefix: string,
    path: string,
  ): Subscription {
    if (type.service === undefined) throw new ConfigError(path, `${type.typeUrl} can only come from ADS`);
    const delta = source.api_type === 'DELTA_GRPC';
    const method = `${type.service}${delta ? DELTA.methodPrefix : SOTW.methodPrefix}${type.noun}`;
    const mux = this.#createMux(source, delta, method, statPrefix, path);
    const subscription = mux.subscribe(type, names, watch);
    return {
      updateResourceInterest: (replacement) => subscription.updateResourceInterest(replacement),
      close: () => {
        this.#muxes.delete(mux);
        mux.close();
      },
    };
  }

  #createMux(source: ApiConfigSource, delta: boolean, method: string, statScope: string, path: string): Mux {
    const service = source.grpc_services[0]!;
    const { baseMs, maxMs } = streamBackOff(service);
    const common = {
      channel: this.#channel(service, at(at(path, 'grpc_services'), 0)),
      method,
      node: this.#options.node,
      setNodeOnFirstMessageOnly: source.set_node_on_first_message_only,
      backOff: new JitteredExponentialBackOff(baseMs, maxMs),
      rateLimit: compileRateLimit(source),
      stats: new ControlPlaneStats(this.#options.stats, statScope),
    };
    const mux = delta
      ? new GrpcMux({ ...common, dialect: DELTA })
      : new GrpcMux({ ...common, dialect: SOTW });
    this.#muxes.add(mux);
    return mux;
  }

  #channel(service: ApiConfigSource['grpc_services'][number], path: string): GrpcChannel {
    const key = Buffer.from(encode('envoy.config.core.v3.GrpcService', service)).toString('latin1');
    const { clusters, inProcess } = this.#options;
    let channel = this.#channels.get(key);
    if (channel === undefined) {
      channel = new GrpcChannel(compileGrpcTarget(service, clusters, path, inProcess));
      this.#channels.set(key, channel);
    }
    return channel;
  }
}

function isFrom({ grpc_services: services }: ApiConfigSource, cluster: string): boolean {
  return services[0]?.envoy_grpc?.cluster_name === cluster;
}
