// A client against a fake server: the configuration sources of the tests, and a consumer that writes down what it is told.

import type { StatBlock, StatSchema } from '../../server/api/stats.ts';
import { ThreadStatStore } from '../../server/common/stats/store.ts';
import { CONTROL_PLANE_STATS } from '../../server/main/xds/control_plane_stats.ts';
import type {
  DiscoveredResource,
  RejectedResource,
  SubscriptionCallbacks,
} from '../../server/main/xds/subscription.ts';
import { XdsSubscriptionFactory } from '../../server/main/xds/subscription_factory.ts';
import { SUBSCRIPTION_STATS } from '../../server/main/xds/subscription_stats.ts';
import type { Cluster } from '../../xds-protos/generated/envoy/config/cluster/v3.ts';
import type { ApiConfigSource, ConfigSource } from '../../xds-protos/generated/envoy/config/core/v3.ts';
import type { Any } from '../../xds-protos/generated/google/protobuf.ts';
import { fromJson } from '../../xds-protos/json.ts';
import { create, encodeAny, type TypeMap } from '../../xds-protos/load.ts';

export const CDS = 'type.googleapis.com/envoy.config.cluster.v3.Cluster';
export const EDS = 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment';
export const LDS = 'type.googleapis.com/envoy.config.listener.v3.Listener';
export const RDS = 'type.googleapis.com/envoy.config.route.v3.RouteConfiguration';
export const SDS = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret';
export const ECDS = 'type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig';

export const NODE = create('envoy.config.core.v3.Node', { id: 'sidecar~127.0.0.1~a.b~c', cluster: 'test' });

/** A JSON ConfigSource, decoded. */
export function configSource(json: object): ConfigSource {
  return fromJson('envoy.config.core.v3.ConfigSource', json);
}

export const ADS = configSource({ ads: {} });

/** A static cluster `xds` with one locality of the given addresses: `host:port`, or `unix:/path`. */
export function xdsCluster(...addresses: string[]): Cluster {
  const lb_endpoints = addresses.map((text) => {
    const colon = text.lastIndexOf(':');
    const address = text.startsWith('unix:')
      ? { pipe: { path: text.slice('unix:'.length) } }
      : { socket_address: { address: text.slice(0, colon), port_value: Number(text.slice(colon + 1)) } };
    return { endpoint: { address } };
  });
  return fromJson('envoy.config.cluster.v3.Cluster', {
    name: 'xds',
    type: 'STATIC',
    connect_timeout: '1s',
    load_assignment: { cluster_name: 'xds', endpoints: [{ lb_endpoints }] },
  });
}

export function apiConfigSource(apiType: string, more: object = {}): ApiConfigSource {
  return fromJson('envoy.config.core.v3.ApiConfigSource', {
    api_type: apiType,
    transport_api_version: 'V3',
    set_node_on_first_message_only: true,
    grpc_services: [
      {
        envoy_grpc: {
          cluster_name: 'xds',
          retry_policy: { retry_back_off: { base_interval: '0.01s', max_interval: '0.05s' } },
        },
      },
    ],
    ...more,
  });
}

export interface Client {
  readonly factory: XdsSubscriptionFactory;
  stat(name: string): number;
  /** Subscribes over ADS (or `source`) and records. */
  subscribe(typeUrl: string, names?: readonly string[], source?: ConfigSource): Recorder;
  close(): void;
}

/** A client whose ADS goes to `cluster`; `apiType` undefined: no ADS. */
export function client(cluster: Cluster, apiType: string | undefined, more: object = {}): Client {
  const stats = new ThreadStatStore(() => {});
  const factory = new XdsSubscriptionFactory({
    node: NODE,
    adsConfig: apiType === undefined ? undefined : apiConfigSource(apiType, more),
    clusters: (name) => (name === cluster.name ? cluster : undefined),
    stats,
  });
  return {
    factory,
    stat: (name) => {
      const dot = name.lastIndexOf('.') + 1;
      const schema: StatSchema = name.includes('control_plane.') ? CONTROL_PLANE_STATS : SUBSCRIPTION_STATS;
      const block: StatBlock = stats.block(schema, name.slice(0, dot));
      // A stat that was never written reads -0.
      return block.values[block.base + schema.offset[name.slice(dot)]!]! + 0;
    },
    subscribe: (typeUrl, names, source = ADS) => {
      const recorder = new Recorder();
      const wanted = names === undefined ? undefined : new Set(names);
      const prefix = `test.${typeUrl.slice(typeUrl.lastIndexOf('.') + 1)}.`;
      const subscription = factory.subscribe(source, typeUrl, wanted, recorder, prefix, 'source');
      recorder.interest = (replacement) => subscription.updateResourceInterest(new Set(replacement));
      recorder.close = () => subscription.close();
      return recorder;
    },
    close: () => factory.close(),
  };
}

export interface Update {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly full: boolean;
  readonly version: string;
  readonly resources: readonly DiscoveredResource[];
}

/** A consumer that writes everything down. */
export class Recorder implements SubscriptionCallbacks {
  readonly updates: Update[] = [];
  readonly failures: string[] = [];
  /** What to refuse, by name. */
  readonly refuse = new Map<string, RejectedResource>();
  onUpdate: (update: Update) => void = () => {};
  interest: (names: readonly string[]) => void = () => {};
  close: () => void = () => {};
  #waiting: (() => void) | undefined;
  #taken = 0;

  onConfigUpdate(
    added: readonly DiscoveredResource[],
    removed: readonly string[],
    full: boolean,
    version: string,
  ): RejectedResource[] {
    const update = { added: added.map(({ name }) => name), removed, full, version, resources: added };
    this.updates.push(update);
    this.onUpdate(update);
    this.#waiting?.();
    return added.flatMap(({ name }) => this.refuse.get(name) ?? []);
  }

  onConfigUpdateFailed(reason: string, details: string): void {
    this.failures.push(`${reason}: ${details}`);
    this.#waiting?.();
  }

  /** The next update nobody has taken yet. */
  async next(timeoutMs = 5_000): Promise<Update> {
    await this.until(() => this.updates.length > this.#taken, timeoutMs);
    return this.updates[this.#taken++]!;
  }

  async until(condition: () => boolean, timeoutMs = 5_000): Promise<void> {
    const deadline = AbortSignal.timeout(timeoutMs);
    while (!condition()) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const expired = (): void =>
        reject(new Error(`nothing within ${timeoutMs} ms; failures: ${this.failures}`));
      deadline.addEventListener('abort', expired);
      this.#waiting = resolve;
      await promise.finally(() => deadline.removeEventListener('abort', expired));
    }
  }
}

/** A resource of a type by its name alone. */
export function named(typeUrl: string, name: string, more: object = {}): Any {
  const typeName = typeUrl.slice(typeUrl.lastIndexOf('/') + 1) as keyof TypeMap;
  const field = typeUrl === EDS ? 'cluster_name' : 'name';
  return encodeAny(typeName, { [field]: name, ...more });
}
