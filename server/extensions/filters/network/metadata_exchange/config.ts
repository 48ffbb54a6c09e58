// envoy.filters.network.metadata_exchange, which istiod sends as a TypedStruct: in listeners and, for outbound clusters,
// in Cluster.filters. Istio: source/extensions/filters/network/metadata_exchange/config.cc.

import type { MetadataExchange } from '../../../../../xds-protos/generated/envoy/tcp/metadataexchange/config.ts';
import type { NetworkFilterFactory } from '../../../../api/registry.ts';
import {
  DOWNSTREAM_PEER,
  UPSTREAM_PEER,
  workloadFromMetadata,
} from '../../../../common/istio/workload_metadata.ts';
import { encodeNodeMetadata } from './initial_header.ts';
import { METADATA_EXCHANGE_STATS, MetadataExchangeFilter } from './metadata_exchange.ts';

export const metadataExchangeFactory: NetworkFilterFactory<MetadataExchange> = {
  compile(config, { server, stats, listener, workloads }) {
    const workload = workloadFromMetadata(server.nodeMetadata, config.additional_labels);
    const filterConfig = Object.freeze({
      protocol: config.protocol,
      // Without a listener it is a cluster's filter.
      peerKey: listener === undefined ? UPSTREAM_PEER : DOWNSTREAM_PEER,
      message: encodeNodeMetadata(workload, server.nodeId),
      additionalLabels: config.additional_labels,
      workloads: config.enable_discovery ? workloads : undefined,
      stats: stats.block(METADATA_EXCHANGE_STATS, 'metadata_exchange.'),
    });
    return Object.freeze({ isTerminal: false, createFilter: () => new MetadataExchangeFilter(filterConfig) });
  },
};
