// How to learn who the peer is: from the headers of its message, or from the mesh's workloads by its address.

import { decode } from '../../../../../xds-protos/load.ts';
import { structToJson } from '../../../../../xds-protos/well_known.ts';
import type { HeaderMap } from '../../../../api/http/header_map.ts';
import type { FilterStateObject, StreamInfo } from '../../../../api/stream_info.ts';
import type { WorkloadMetadataProvider } from '../../../../api/workload_metadata.ts';
import {
  type WorkloadMetadata,
  workloadFromBaggage,
  workloadFromMetadata,
} from '../../../../common/istio/workload_metadata.ts';

export const PEER_METADATA = 'x-envoy-peer-metadata';
/** The network that a request came from, where a gateway between networks took it over. */
const ORIGIN_NETWORK = 'x-istio-origin-network';
export const PEER_METADATA_ID = 'x-envoy-peer-metadata-id';

/** Peers remembered by their id (MXMethod's max_peer_cache_size). */
const MAX_PEERS = 500;

export interface DiscoveryMethod {
  derivePeer(headers: HeaderMap, info: StreamInfo): FilterStateObject | undefined;
  /** Removes what must not travel on. */
  remove(headers: HeaderMap): void;
}

/** Decoded peers by the id they send, so that a known peer's metadata is not decoded for each of its requests. */
export class PeerCache {
  private readonly peers = new Map<string, WorkloadMetadata>();
  private readonly additionalLabels: readonly string[];

  constructor(additionalLabels: readonly string[]) {
    this.additionalLabels = additionalLabels;
  }

  /** The peer that sent `value` (base64 of a Struct) under `id` ('' = none). Undefined when it cannot be decoded. */
  lookup(id: string, value: string): WorkloadMetadata | undefined {
    const known = id === '' ? undefined : this.peers.get(id);
    if (known !== undefined) return known;
    const peer = this.decodePeer(value);
    if (peer === undefined || id === '') return peer;
    if (this.peers.size >= MAX_PEERS) this.peers.delete(this.peers.keys().next().value!);
    this.peers.set(id, peer);
    return peer;
  }

  private decodePeer(value: string): WorkloadMetadata | undefined {
    try {
      const struct = decode('google.protobuf.Struct', Buffer.from(value, 'base64'));
      return workloadFromMetadata(structToJson(struct), this.additionalLabels);
    } catch {
      return undefined;
    }
  }
}

/** The headers x-envoy-peer-metadata and -id, which Istio's proxies exchange. */
export function headerDiscovery(cache: PeerCache): DiscoveryMethod {
  return {
    derivePeer(headers) {
      const value = headers.get(PEER_METADATA);
      if (value === undefined || value === '') return undefined;
      return cache.lookup(headers.get(PEER_METADATA_ID) ?? '', value);
    },
    remove(headers) {
      headers.remove(PEER_METADATA_ID);
      headers.remove(PEER_METADATA);
    },
  };
}

/** The W3C `baggage` header. It belongs to the application, too, so it stays. */
export const baggageDiscovery: DiscoveryMethod = {
  derivePeer(headers) {
    const baggage = headers.get('baggage');
    return baggage === undefined ? undefined : workloadFromBaggage(baggage);
  },
  remove() {},
};

/** The client by its address. One in another network than ours (`network`) was not seen by us: its address here is a gateway's. */
export function downstreamWorkloadDiscovery(
  workloads: WorkloadMetadataProvider,
  network: string,
): DiscoveryMethod {
  return {
    derivePeer(headers, info) {
      const origin = headers.get(ORIGIN_NETWORK);
      if (origin !== undefined && origin !== network) return undefined;
      return workloads.getMetadata(info.remoteAddress);
    },
    remove() {},
  };
}

/** The host that the request went to by its address. */
export function upstreamWorkloadDiscovery(workloads: WorkloadMetadataProvider): DiscoveryMethod {
  return {
    derivePeer: (_headers, { upstreamHost }) =>
      upstreamHost === undefined ? undefined : workloads.getMetadata(upstreamHost.address),
    remove() {},
  };
}
