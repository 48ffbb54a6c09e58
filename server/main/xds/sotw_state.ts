// State-of-the-world xDS: every request lists all names, every answer carries one version for all.
// Envoy: source/extensions/config_subscription/grpc/xds_mux/sotw_subscription_state.cc;
// https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol.

import type {
  DiscoveryRequest,
  DiscoveryResponse,
} from '../../../xds-protos/generated/envoy/service/discovery/v3.ts';
import type { Init } from '../../../xds-protos/load.ts';
import { decode, encode } from '../../../xds-protos/load.ts';
import { fromSotw } from './discovered_resources.ts';
import type { ErrorDetail } from './discovery_error.ts';
import { DiscoveryError, errorDetail, rejectionMessage } from './discovery_error.ts';
import type { ResourceType } from './resource_types.ts';
import { AckHistory, type TypeStateSnapshot } from './stream_state.ts';
import type { DiscoveredResource } from './subscription.ts';
import type { Dialect, TypeState } from './type_state.ts';
import { WatchMap, WILDCARD } from './watch_map.ts';

type SotwRequest = Init<DiscoveryRequest>;

interface Ack {
  readonly version: string;
  readonly nonce: string;
  readonly error: ErrorDetail | undefined;
}

export const SOTW: Dialect<SotwRequest, DiscoveryResponse> = {
  name: 'sotw',
  adsMethod: 'StreamAggregatedResources',
  methodPrefix: 'Stream',
  encode: (request) => encode('envoy.service.discovery.v3.DiscoveryRequest', request),
  decode: (bytes) => decode('envoy.service.discovery.v3.DiscoveryResponse', bytes),
  head: (response) => ({
    typeUrl: response.type_url,
    controlPlane: response.control_plane?.identifier ?? '',
  }),
  createState: (type, onPending) => new SotwState(type, onPending),
};

export class SotwState implements TypeState<SotwRequest, DiscoveryResponse> {
  readonly type: ResourceType;
  readonly watches: WatchMap;
  readonly #history = new AckHistory();
  #acks: Ack[] = [];
  /** Of the last accepted response; it survives the stream. */
  #version = '';
  #nonce = '';
  #interestChanged = false;
  /** The names of the last request on this stream; undefined before one. */
  #asked: readonly string[] | undefined;
  /** An empty list stopped meaning the wildcard on this stream. */
  #namesSent = false;

  constructor(type: ResourceType, onPending: () => void) {
    this.type = type;
    this.watches = new WatchMap(
      type,
      () => {
        this.#interestChanged = true;
        onPending();
      },
      () => {},
    );
  }

  get pending(): boolean {
    if (this.#acks.length > 0) return true;
    if (!this.#interestChanged) return false;
    if (this.#mustAsk()) return true;
    this.#interestChanged = false;
    this.watches.forgetUnwanted();
    return false;
  }

  takeRequest(): SotwRequest {
    const ack = this.#acks.shift();
    const names = this.#namesToAsk();
    this.#asked = names;
    if (names.length > 0) this.#namesSent = true;
    this.#interestChanged = false;
    this.watches.forgetUnwanted();
    return {
      type_url: this.type.typeUrl,
      resource_names: names,
      version_info: ack?.version ?? this.#version,
      response_nonce: ack?.nonce ?? this.#nonce,
      error_detail: ack?.error,
    };
  }

  onResponse(response: DiscoveryResponse): string | undefined {
    this.#nonce = response.nonce;
    const error = this.#apply(response);
    if (error === undefined) this.#version = response.version_info;
    this.#history.record(error);
    this.#acks.push({
      version: this.#version,
      nonce: response.nonce,
      error: error === undefined ? undefined : errorDetail(error),
    });
    return error;
  }

  onStreamReset(): void {
    this.#acks = [];
    this.#nonce = '';
    this.#asked = undefined;
    this.#namesSent = false;
    this.#interestChanged = this.watches.active;
  }

  get snapshot(): TypeStateSnapshot {
    return {
      typeUrl: this.type.typeUrl,
      wildcard: this.watches.wildcard,
      names: [...this.watches.names()],
      version: this.#version,
      nonce: this.#nonce,
      ...this.#history.snapshot,
    };
  }

  close(): void {
    this.watches.close();
  }

  #apply(response: DiscoveryResponse): string | undefined {
    try {
      const { added, heartbeats, rejected } = fromSotw(response.resources, this.type, response.version_info);
      const kept = this.#renew(heartbeats);
      const onlyHeartbeats = heartbeats.length > 0 && added.length === 0 && rejected.length === 0;
      if (onlyHeartbeats) return undefined;
      const resources = this.type.fullState ? [...added, ...kept] : added;
      const refused = this.watches.deliver(resources, [], this.type.fullState, response.version_info);
      return rejectionMessage(this.type, [...rejected, ...refused]);
    } catch (error) {
      if (!(error instanceof DiscoveryError)) throw error;
      this.watches.failed('rejected', error.message);
      return error.message;
    }
  }

  /** Starts the lives of heartbeats' resources anew; returns them. */
  #renew(heartbeats: readonly { name: string; ttlMs: number }[]): DiscoveredResource[] {
    return heartbeats.flatMap(({ name, ttlMs }) => {
      const known = this.watches.known(name);
      if (known === undefined) return [];
      this.watches.renew(name, ttlMs);
      return [known];
    });
  }

  /** The interest is not what the server has been told. */
  #mustAsk(): boolean {
    if (this.#asked === undefined) return this.watches.active;
    const asked = new Set(this.#asked);
    const names = this.#namesToAsk();
    // A wildcard that began with an empty list cannot be taken back: the empty list is what it already says.
    return names.length !== asked.size || names.some((name) => !asked.has(name));
  }

  /** The wildcard is an empty list until names have been sent; after that only `*` says it. */
  #namesToAsk(): string[] {
    const names = [...this.watches.names()];
    if (!this.watches.wildcard) return names;
    return names.length === 0 && !this.#namesSent ? [] : [WILDCARD, ...names];
  }
}
