// A host that a request is told to go to, past the balancer (stateful session).
// Envoy: HostUtility::selectOverrideHost of source/common/upstream/host_utility.cc.

import type { HealthStatusSet } from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import type { OverrideHost } from '../../api/upstream/cluster.ts';
import { HealthStatus } from '../../api/upstream/host.ts';
import type { Host } from './host.ts';
import type { PrioritySet } from './priority_set.ts';

/** Source: Cluster.CommonLbConfig.override_host_status. */
const DEFAULT_STATUSES: readonly (keyof typeof HealthStatus)[] = ['UNKNOWN', 'HEALTHY', 'DEGRADED'];

/** The statuses that such a host may have, as bits `1 << HealthStatus`. */
export function overrideHostStatuses(config: HealthStatusSet | undefined): number {
  let statuses = 0;
  for (const status of config?.statuses ?? DEFAULT_STATUSES)
    statuses |= 1 << HealthStatus[status as keyof typeof HealthStatus];
  return statuses;
}

/** Undefined when it is not there, or not in one of `statuses`. */
export function selectOverrideHost(
  hosts: PrioritySet,
  { address }: OverrideHost,
  statuses: number,
): Host | undefined {
  const host = hosts.hostAt(address);
  return host !== undefined && (statuses & (1 << host.healthStatus)) !== 0 ? host : undefined;
}

/** The status of an answer to a request that no host was found for. */
export function statusWithoutHost(hosts: PrioritySet, override: OverrideHost | undefined): number {
  if (override?.strict !== true || hosts.hostAt(override.address) !== undefined) return 503;
  return override.notFoundStatus;
}
