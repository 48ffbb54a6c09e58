// Exchanges workload metadata with the other side of a request and leaves the peer's for metrics and access logs.
// Istio: source/extensions/filters/http/peer_metadata/filter.cc.

import {
  FilterHeadersStatus,
  type HttpFilter,
  type StreamDecoderFilterCallbacks,
} from '../../../../api/http/filter.ts';
import type { HeaderMap, RequestHeaderMap, ResponseHeaderMap } from '../../../../api/http/header_map.ts';
import {
  DOWNSTREAM_PEER,
  DOWNSTREAM_PEER_OBJ,
  UPSTREAM_PEER,
  UPSTREAM_PEER_OBJ,
} from '../../../../common/istio/workload_metadata.ts';
import { type DiscoveryMethod, PEER_METADATA, PEER_METADATA_ID } from './discovery.ts';
import type { ExchangeContext, HeaderPropagation } from './propagation.ts';

export interface PeerMetadataConfig {
  readonly downstreamDiscovery: readonly DiscoveryMethod[];
  readonly upstreamDiscovery: readonly DiscoveryMethod[];
  readonly downstreamPropagation: readonly HeaderPropagation[];
  readonly upstreamPropagation: readonly HeaderPropagation[];
  readonly sharedWithUpstream: boolean;
}

export class PeerMetadataFilter implements HttpFilter, ExchangeContext {
  requestPeerIdReceived = false;
  requestPeerReceived = false;
  private readonly config: PeerMetadataConfig;
  private callbacks!: StreamDecoderFilterCallbacks;

  constructor(config: PeerMetadataConfig) {
    this.config = config;
  }

  setDecoderFilterCallbacks(callbacks: StreamDecoderFilterCallbacks): void {
    this.callbacks = callbacks;
  }

  decodeHeaders(headers: RequestHeaderMap): FilterHeadersStatus {
    this.requestPeerIdReceived = headers.has(PEER_METADATA_ID);
    this.requestPeerReceived = headers.has(PEER_METADATA);
    this.discover(this.config.downstreamDiscovery, headers, DOWNSTREAM_PEER, DOWNSTREAM_PEER_OBJ);
    this.inject(this.config.upstreamPropagation, headers);
    return FilterHeadersStatus.Continue;
  }

  encodeHeaders(headers: ResponseHeaderMap): FilterHeadersStatus {
    this.discover(this.config.upstreamDiscovery, headers, UPSTREAM_PEER, UPSTREAM_PEER_OBJ);
    this.inject(this.config.downstreamPropagation, headers);
    return FilterHeadersStatus.Continue;
  }

  private discover(
    methods: readonly DiscoveryMethod[],
    headers: HeaderMap,
    key: string,
    objectKey: string,
  ): void {
    const { filterState } = this.callbacks.streamInfo;
    for (const method of methods) {
      const peer = method.derivePeer(headers, this.callbacks.streamInfo);
      if (peer === undefined) continue;
      if (filterState.get(key) === undefined) {
        const sharing = { sharedWithUpstream: this.config.sharedWithUpstream ? 'once' : 'none' } as const;
        filterState.set(key, peer, sharing);
        filterState.set(objectKey, peer, sharing);
      }
      break;
    }
    for (const method of methods) method.remove(headers);
  }

  private inject(methods: readonly HeaderPropagation[], headers: HeaderMap): void {
    for (const method of methods) method.inject(headers, this, this.callbacks.clusterInfo());
  }
}
