// The part of the xDS protocol that is one resource type's on one stream: what has been asked, what must be answered.
// Two dialects implement it: sotw_state.ts and delta_state.ts.
// Envoy: source/extensions/config_subscription/grpc/xds_mux/subscription_state.h.

import type { ResourceType } from './resource_types.ts';
import type { TypeStateSnapshot } from './stream_state.ts';
import type { WatchMap } from './watch_map.ts';

/** A response as far as every dialect has it. */
export interface ResponseHead {
  readonly typeUrl: string;
  /** control_plane.identifier; '' when the server does not say. */
  readonly controlPlane: string;
}

export interface TypeState<Request extends object = object, Response = unknown> {
  readonly type: ResourceType;
  readonly watches: WatchMap;
  /** A request is due. */
  readonly pending: boolean;
  /** The next request, without node; only while `pending`. */
  takeRequest(): Request;
  /** Applies a response and queues its ACK or NACK; returns the NACK's message. */
  onResponse(response: Response): string | undefined;
  /** A stream begins anew: nonces and what was asked on the old one are void. */
  onStreamReset(): void;
  readonly snapshot: TypeStateSnapshot;
  close(): void;
}

/** The dialect: which messages travel, and how a type keeps its state. */
export interface Dialect<Request extends object, Response> {
  readonly name: 'sotw' | 'delta';
  /** `StreamAggregatedResources` or `DeltaAggregatedResources`. */
  readonly adsMethod: string;
  /** `Stream` or `Delta`: what comes before the noun of a type's own service. */
  readonly methodPrefix: string;
  encode(request: Request & { readonly node: object | undefined }): Uint8Array;
  /** Throws DecodeError. */
  decode(bytes: Uint8Array): Response;
  head(response: Response): ResponseHead;
  createState(type: ResourceType, onPending: () => void): TypeState<Request, Response>;
}
