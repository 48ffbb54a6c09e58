// Incremental xDS: requests say what to add and to drop, every resource has its own version.
// Envoy: source/extensions/config_subscription/grpc/xds_mux/delta_subscription_state.cc;
// https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol.

import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
} from '../../../xds-protos/generated/envoy/service/discovery/v3.ts';
import type { Init } from '../../../xds-protos/load.ts';
import { decode, encode } from '../../../xds-protos/load.ts';
import { fromDelta } from './discovered_resources.ts';
import type { ErrorDetail } from './discovery_error.ts';
import { DiscoveryError, errorDetail, rejectionMessage } from './discovery_error.ts';
import type { ResourceType } from './resource_types.ts';
import { AckHistory, type TypeStateSnapshot } from './stream_state.ts';
import type { RejectedResource } from './subscription.ts';
import type { Dialect, TypeState } from './type_state.ts';
import { WatchMap, WILDCARD } from './watch_map.ts';

type DeltaRequest = Init<DeltaDiscoveryRequest>;

interface Ack {
  readonly nonce: string;
  readonly error: ErrorDetail | undefined;
}

export const DELTA: Dialect<DeltaRequest, DeltaDiscoveryResponse> = {
  name: 'delta',
  adsMethod: 'DeltaAggregatedResources',
  methodPrefix: 'Delta',
  encode: (request) => encode('envoy.service.discovery.v3.DeltaDiscoveryRequest', request),
  decode: (bytes) => decode('envoy.service.discovery.v3.DeltaDiscoveryResponse', bytes),
  head: (response) => ({
    typeUrl: response.type_url,
    controlPlane: response.control_plane?.identifier ?? '',
  }),
  createState: (type, onPending) => new DeltaState(type, onPending),
};

export class DeltaState implements TypeState<DeltaRequest, DeltaDiscoveryResponse> {
  readonly type: ResourceType;
  readonly watches: WatchMap;
  readonly #history = new AckHistory();
  #acks: Ack[] = [];
  /** Versions of the resources in force, told to the server when a stream begins. */
  readonly #versions = new Map<string, string>();
  #systemVersion = '';
  #nonce = '';
  #interestChanged = false;
  /** What this stream was asked for; undefined before the first request. */
  #subscribed: Set<string> | undefined;

  constructor(type: ResourceType, onPending: () => void) {
    this.type = type;
    this.watches = new WatchMap(
      type,
      () => {
        this.#interestChanged = true;
        onPending();
      },
      (names) => {
        for (const name of names) this.#versions.delete(name);
      },
    );
  }

  get pending(): boolean {
    if (this.#acks.length > 0) return true;
    if (!this.#interestChanged) return false;
    if (this.#mustAsk()) return true;
    this.#interestChanged = false;
    return false;
  }

  takeRequest(): DeltaRequest {
    const ack = this.#acks.shift();
    if (ack !== undefined) {
      return { type_url: this.type.typeUrl, response_nonce: ack.nonce, error_detail: ack.error };
    }
    this.#interestChanged = false;
    return this.#subscribed === undefined ? this.#firstRequest() : this.#changeRequest(this.#subscribed);
  }

  onResponse(response: DeltaDiscoveryResponse): string | undefined {
    this.#nonce = response.nonce;
    const error = this.#apply(response);
    if (error === undefined) this.#systemVersion = response.system_version_info;
    this.#history.record(error);
    this.#acks.push({
      nonce: response.nonce,
      error: error === undefined ? undefined : errorDetail(error),
    });
    return error;
  }

  onStreamReset(): void {
    this.#acks = [];
    this.#nonce = '';
    this.#subscribed = undefined;
    this.#interestChanged = this.watches.active;
  }

  get snapshot(): TypeStateSnapshot {
    return {
      typeUrl: this.type.typeUrl,
      wildcard: this.watches.wildcard,
      names: [...this.watches.names()],
      version: this.#systemVersion,
      nonce: this.#nonce,
      ...this.#history.snapshot,
    };
  }

  close(): void {
    this.watches.close();
  }

  #apply(response: DeltaDiscoveryResponse): string | undefined {
    try {
      const { added, heartbeats, rejected } = fromDelta(response.resources, this.type);
      checkRemoved(response, new Set(added.map((resource) => resource.name)));
      const unknown = this.#renew(heartbeats, response);
      const wanted = added.filter((resource) => this.watches.wants(resource.name));
      const removed = response.removed_resources.filter((name) => this.watches.wants(name));
      const onlyHeartbeats = heartbeats.length > 0 && wanted.length === 0 && removed.length === 0;
      const refused = onlyHeartbeats
        ? []
        : this.watches.deliver(wanted, removed, false, response.system_version_info);
      const refusedNames = new Set(refused.map((rejection) => rejection.name));
      for (const { name, version } of wanted) if (!refusedNames.has(name)) this.#versions.set(name, version);
      for (const name of removed) this.#versions.delete(name);
      return rejectionMessage(this.type, [...rejected, ...unknown, ...refused]);
    } catch (error) {
      if (!(error instanceof DiscoveryError)) throw error;
      this.watches.failed('rejected', error.message);
      return error.message;
    }
  }

  /** Starts the lives of heartbeats' resources anew; refuses those that are of another version, which have no body to apply. */
  #renew(
    heartbeats: readonly { name: string; ttlMs: number }[],
    response: DeltaDiscoveryResponse,
  ): RejectedResource[] {
    if (heartbeats.length === 0) return [];
    const versions = new Map(response.resources.map(({ name, version }) => [name, version]));
    const rejected: RejectedResource[] = [];
    for (const { name, ttlMs } of heartbeats) {
      if (!this.watches.wants(name)) continue;
      if (this.#versions.get(name) === versions.get(name)) this.watches.renew(name, ttlMs);
      else rejected.push({ name, path: 'resource', reason: 'missing in a resource of a new version' });
    }
    return rejected;
  }

  #firstRequest(): DeltaRequest {
    const names = [...this.watches.names()];
    this.#subscribed = new Set(names);
    if (this.watches.wildcard) this.#subscribed.add(WILDCARD);
    this.#forgetUnwanted();
    return {
      type_url: this.type.typeUrl,
      // An empty list is the wildcard, which servers older than `*` understand too.
      resource_names_subscribe: names.length === 0 ? [] : [...this.#subscribed],
      initial_resource_versions: Object.fromEntries(this.#versions),
    };
  }

  #changeRequest(subscribed: Set<string>): DeltaRequest {
    const wanted = new Set(this.watches.names());
    if (this.watches.wildcard) wanted.add(WILDCARD);
    this.#subscribed = wanted;
    this.#forgetUnwanted();
    return {
      type_url: this.type.typeUrl,
      resource_names_subscribe: [...wanted.difference(subscribed)],
      resource_names_unsubscribe: [...subscribed.difference(wanted)],
    };
  }

  #mustAsk(): boolean {
    if (this.#subscribed === undefined) return this.watches.active;
    const { wildcard } = this.watches;
    if (this.watches.nameCount + (wildcard ? 1 : 0) !== this.#subscribed.size) return true;
    if (wildcard !== this.#subscribed.has(WILDCARD)) return true;
    for (const name of this.watches.names()) if (!this.#subscribed.has(name)) return true;
    return false;
  }

  #forgetUnwanted(): void {
    this.watches.forgetUnwanted();
    for (const name of this.#versions.keys()) if (!this.watches.wants(name)) this.#versions.delete(name);
  }
}

function checkRemoved(response: DeltaDiscoveryResponse, added: ReadonlySet<string>): void {
  const removed = new Set<string>();
  for (const name of response.removed_resources) {
    if (added.has(name) || removed.has(name)) {
      throw new DiscoveryError(`duplicate name ${name} found in the union of added+removed resources`);
    }
    removed.add(name);
  }
}
