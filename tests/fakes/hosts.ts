// Hosts of a cluster for unit tests.

import { HOST_SLOTS, HostHealthFlag, HostSlot } from '../../server/api/upstream/host.ts';
import { ipAddress } from '../../server/common/network/address.ts';
import { Host, type HostHealth, type HostOptions } from '../../server/common/upstream/host.ts';

const EDS_FLAGS = {
  healthy: 0,
  degraded: HostHealthFlag.DegradedEdsHealth,
  unhealthy: HostHealthFlag.FailedEdsHealth,
};

/** A host at 10.0.0.`n`, healthy and of weight 1 unless said otherwise. */
export function host(
  n: number,
  { health, ...options }: Partial<HostOptions> & { health?: HostHealth } = {},
): Host {
  const table = new Int32Array(HOST_SLOTS);
  table[HostSlot.HealthFlags] = EDS_FLAGS[health ?? 'healthy'];
  return new Host({
    address: ipAddress(`10.0.${n >> 8}.${n & 255}`, 80),
    hostname: '',
    locality: { region: '', zone: '', subZone: '' },
    priority: 0,
    weight: 1,
    localityWeight: 0,
    metadata: undefined,
    clusterName: 'c',
    transportSocket: undefined,
    table,
    held: new Int32Array(HOST_SLOTS),
    slot: 0,
    slotNumber: -1,
    ...options,
  });
}

/** A hundred hosts of a priority, of which so many are healthy and so many degraded. */
export function hundredHosts(priority: number, healthy: number, degraded = 0): Host[] {
  return Array.from({ length: 100 }, (_, i) =>
    host(priority * 100 + i, {
      priority,
      health: i < healthy ? 'healthy' : i < healthy + degraded ? 'degraded' : 'unhealthy',
    }),
  );
}
