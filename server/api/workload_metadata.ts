// Who a peer is, by its address. Istio: extensions/common/workload_discovery (WorkloadMetadataProvider).

import type { Address, FilterStateObject } from './stream_info.ts';

export interface WorkloadMetadataProvider {
  /** The workload at an IP address, whatever its port; undefined for one that is not known and for Unix sockets. */
  getMetadata(address: Address): FilterStateObject | undefined;
}
