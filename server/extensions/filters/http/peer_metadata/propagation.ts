// Tells the peer who we are.

import type { HeaderMap } from '../../../../api/http/header_map.ts';
import type { Cluster } from '../../../../api/upstream/cluster.ts';
import { PEER_METADATA, PEER_METADATA_ID } from './discovery.ts';

/** Which of the exchange's headers the client sent: it gets those back that it knows. */
export interface ExchangeContext {
  requestPeerIdReceived: boolean;
  requestPeerReceived: boolean;
}

export class HeaderPropagation {
  private readonly downstream: boolean;
  private readonly id: string;
  private readonly value: string;
  private readonly skipExternalClusters: boolean;

  /** `value` is the base64 of our own metadata. */
  constructor(downstream: boolean, id: string, value: string, skipExternalClusters: boolean) {
    this.downstream = downstream;
    this.id = id;
    this.value = value;
    this.skipExternalClusters = skipExternalClusters;
  }

  /** `cluster` is where the request goes, when that is known. */
  inject(headers: HeaderMap, context: ExchangeContext, cluster: Cluster | undefined): void {
    if (cluster !== undefined && this.skips(cluster)) return;
    if (!this.downstream || context.requestPeerIdReceived) headers.set(PEER_METADATA_ID, this.id);
    if (!this.downstream || context.requestPeerReceived) headers.set(PEER_METADATA, this.value);
  }

  /** Services outside the mesh learn nothing of it. */
  private skips(cluster: Cluster): boolean {
    const istio = cluster.metadata?.['istio'];
    if (istio?.['disable_mx'] === true) return true;
    return (
      this.skipExternalClusters && (cluster.name === 'PassthroughCluster' || istio?.['external'] === true)
    );
  }
}
