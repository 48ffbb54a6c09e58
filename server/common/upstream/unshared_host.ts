// Hosts that one worker has found by itself, by a destination or a name: no other thread knows them or counts on them.

import type { Address } from '../../api/stream_info.ts';
import { HOST_SLOTS } from '../../api/upstream/host.ts';
import type { ClusterConfig } from './cluster_config.ts';
import { Host } from './host.ts';

const NO_LOCALITY = { region: '', zone: '', subZone: '' };
/** What this thread holds of its own table: it goes with the thread. */
const NOBODY_ASKS = new Int32Array(HOST_SLOTS);

export function unsharedHost(
  { name, transportSockets }: ClusterConfig,
  address: Address,
  hostname: string,
  otherIps?: readonly string[],
): Host {
  return new Host({
    address,
    ...(otherIps && { otherIps }),
    hostname,
    locality: NO_LOCALITY,
    priority: 0,
    weight: 1,
    localityWeight: 0,
    metadata: undefined,
    clusterName: name,
    transportSocket: transportSockets.resolve(undefined, undefined),
    table: new Int32Array(HOST_SLOTS),
    held: NOBODY_ASKS,
    slot: 0,
    slotNumber: -1,
  });
}
