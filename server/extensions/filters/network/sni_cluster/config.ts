// envoy.filters.network.sni_cluster: tcp_proxy goes to the cluster that the client's SNI names.
// Envoy: source/extensions/filters/network/sni_cluster/sni_cluster.cc.

import type { SniCluster } from '../../../../../xds-protos/generated/envoy/extensions/filters/network/sni_cluster/v3.ts';
import {
  type NetworkFilter,
  type NetworkFilterConfig,
  NetworkFilterStatus,
  type ReadFilterCallbacks,
} from '../../../../api/network/filter.ts';
import type { NetworkFilterFactory } from '../../../../api/registry.ts';
import { StringAccessor } from '../../../../common/stream_info/filter_state.ts';

/** TcpProxy::PerConnectionCluster::key(). */
const PER_CONNECTION_CLUSTER = 'envoy.tcp_proxy.cluster';

class SniClusterFilter implements NetworkFilter {
  #callbacks: ReadFilterCallbacks | undefined = undefined;

  initializeReadFilterCallbacks(callbacks: ReadFilterCallbacks): void {
    this.#callbacks = callbacks;
  }

  onNewConnection(): NetworkFilterStatus {
    const { requestedServerName, filterState } = this.#callbacks!.connection.info;
    if (requestedServerName !== '')
      filterState.set(PER_CONNECTION_CLUSTER, new StringAccessor(requestedServerName));
    return NetworkFilterStatus.Continue;
  }
}

const CONFIG: NetworkFilterConfig = { isTerminal: false, createFilter: () => new SniClusterFilter() };

export const sniClusterFactory: NetworkFilterFactory<SniCluster> = {
  compile: () => CONFIG,
};
