// envoy.filters.http.peer_metadata, which istiod sends as a TypedStruct. Istio: source/extensions/filters/http/peer_metadata.

import type {
  Config,
  Config_DiscoveryMethod,
  Config_PropagationMethod,
} from '../../../../../xds-protos/generated/io/istio/http/peer_metadata.ts';
import { at, ConfigError } from '../../../../api/config_error.ts';
import type { FactoryContext, HttpFilterFactory } from '../../../../api/registry.ts';
import { workloadFromMetadata } from '../../../../common/istio/workload_metadata.ts';
import { latin1Of } from '../../../../common/matcher/latin1.ts';
import {
  baggageDiscovery,
  type DiscoveryMethod,
  downstreamWorkloadDiscovery,
  headerDiscovery,
  PeerCache,
  upstreamWorkloadDiscovery,
} from './discovery.ts';
import { type PeerMetadataConfig, PeerMetadataFilter } from './peer_metadata.ts';
import { HeaderPropagation } from './propagation.ts';

export const peerMetadataFactory: HttpFilterFactory<Config> = {
  compile(config, context, path) {
    const filterConfig: PeerMetadataConfig = Object.freeze({
      downstreamDiscovery: compileDiscovery(config, 'downstream_discovery', context, path),
      upstreamDiscovery: compileDiscovery(config, 'upstream_discovery', context, path),
      downstreamPropagation: compilePropagation(config, 'downstream_propagation', context, path),
      upstreamPropagation: compilePropagation(config, 'upstream_propagation', context, path),
      sharedWithUpstream: config.shared_with_upstream,
    });
    return Object.freeze({ isTerminal: false, createFilter: () => new PeerMetadataFilter(filterConfig) });
  },
};

function compileDiscovery(
  config: Config,
  side: 'downstream_discovery' | 'upstream_discovery',
  { server, workloads }: FactoryContext,
  path: string,
): readonly DiscoveryMethod[] {
  const cache = new PeerCache(config.additional_labels);
  return config[side].map((method: Config_DiscoveryMethod, i) => {
    if (method.istio_headers !== undefined) return headerDiscovery(cache);
    if (method.workload_discovery !== undefined) {
      if (side === 'upstream_discovery') return upstreamWorkloadDiscovery(workloads);
      const network = server.nodeMetadata['NETWORK'];
      return downstreamWorkloadDiscovery(workloads, typeof network === 'string' ? network : '');
    }
    if (method.baggage !== undefined && side === 'downstream_discovery') return baggageDiscovery;
    throw new ConfigError(at(at(path, side), i), 'unsupported peer metadata discovery method');
  });
}

function compilePropagation(
  config: Config,
  side: 'downstream_propagation' | 'upstream_propagation',
  context: FactoryContext,
  path: string,
): readonly HeaderPropagation[] {
  const { nodeId, nodeMetadata, locality } = context.server;
  return config[side].map((method: Config_PropagationMethod, i) => {
    if (method.istio_headers === undefined) {
      throw new ConfigError(at(at(path, side), i), 'unsupported peer metadata propagation method');
    }
    const workload = workloadFromMetadata(nodeMetadata, config.additional_labels, locality);
    const value = Buffer.from(workload.toStructBytes()).toString('base64');
    const downstream = side === 'downstream_propagation';
    return new HeaderPropagation(
      downstream,
      latin1Of(nodeId),
      value,
      method.istio_headers.skip_external_clusters,
    );
  });
}
