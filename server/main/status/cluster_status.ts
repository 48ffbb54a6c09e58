// What /clusters shows, out of the store: limits from the cluster's message, hosts from the endpoints that serve, live
// numbers where the workers write them. Made cluster by cluster while the answer is sent.

import type { Cluster } from '../../../xds-protos/generated/envoy/config/cluster/v3.ts';
import { decode } from '../../../xds-protos/load.ts';
import { DEFAULT_PRIORITY, HIGH_PRIORITY } from '../../api/upstream/cluster.ts';
import { clusterDiscovery } from '../../common/upstream/cluster_discovery.ts';
import { compileLoadAssignment } from '../../common/upstream/load_assignment.ts';
import { SharedTable } from '../../common/upstream/shared_table.ts';
import type { ClusterStatus, HostStatus } from '../admin/context.ts';
import type { ClusterRecord } from '../config_store/cluster_store.ts';
import type { ConfigStore } from '../config_store/config_store.ts';
import { currentAssignment } from '../config_store/endpoints_dump.ts';
import { TYPE_NAMES } from '../config_store/resource.ts';
import type { OwnHost, WorkerHosts } from './worker_hosts.ts';

const NO_LOCALITY = { region: '', zone: '', subZone: '' };

/** Active clusters without hosts that all threads know: workers may have found some. */
export function clustersOfOwnHosts(store: ConfigStore): string[] {
  const names: string[] = [];
  for (const { name, active, hosts } of store.clusters.all)
    if (active !== undefined && hosts.size === 0) names.push(name);
  return names;
}

/** The active clusters, those that `wanted` says true to. `workerHosts`: of clustersOfOwnHosts. */
export function* clusterStatuses(
  store: ConfigStore,
  wanted: (name: string, observabilityName: string) => boolean = () => true,
  workerHosts?: WorkerHosts,
): Generator<ClusterStatus> {
  for (const record of store.clusters.all) {
    if (record.active === undefined || !wanted(record.name, record.active.statName)) continue;
    const message = decode(TYPE_NAMES.cluster, record.active.bytes);
    yield {
      name: record.name,
      observabilityName: message.alt_stat_name || record.name,
      edsServiceName: clusterDiscovery(message, '').type === 'EDS' ? serviceName(message) : '',
      addedViaApi: !record.isStatic,
      defaultPriority: store.clusters.breakers(record, record.active, DEFAULT_PRIORITY),
      highPriority: store.clusters.breakers(record, record.active, HIGH_PRIORITY),
      outlier: outlierStatus(record),
      hosts:
        record.hosts.size === 0
          ? ownHostStatuses(record.name, workerHosts?.own(record.name) ?? [])
          : hostStatuses(store.hostSlots.table, record),
    };
  }
}

/** Of hosts that workers have found by themselves. They are neither checked nor ejected. */
function* ownHostStatuses(clusterName: string, hosts: Iterable<OwnHost>): Generator<HostStatus> {
  for (const { address, hostname, numbers } of hosts) {
    const place = { locality: NO_LOCALITY, priority: 0, weight: 1, metadata: undefined };
    yield {
      description: { address, hostname, ...place, clusterName, table: numbers, slot: 0 },
      pendingRequests: 0,
      canary: false,
      edsHealthStatus: 'HEALTHY',
      successRate: -1,
      localOriginSuccessRate: -1,
    };
  }
}

function outlierStatus({ outliers }: ClusterRecord): ClusterStatus['outlier'] {
  if (outliers === undefined) return undefined;
  const { external, local } = outliers.detector.rates;
  return {
    successRateAverage: external.average,
    successRateEjectionThreshold: external.threshold,
    localOriginSuccessRateAverage: local.average,
    localOriginSuccessRateEjectionThreshold: local.threshold,
  };
}

function serviceName({ name, eds_cluster_config: eds }: Cluster): string {
  return eds?.service_name || name;
}

function* hostStatuses(table: SharedTable, record: ClusterRecord): Generator<HostStatus> {
  const assignment = currentAssignment(record);
  const statuses = (assignment?.endpoints ?? []).flatMap((locality) =>
    locality.lb_endpoints.map((endpoint) => endpoint.health_status),
  );
  const { endpoints } = compileLoadAssignment(assignment, '');
  for (const [index, endpoint] of endpoints.entries()) {
    const slot = record.hostSlots[index];
    // The endpoints of a version that is about to be published have no slots yet.
    if (slot === undefined) return;
    const monitor = record.outliers?.detector.monitor(slot);
    const { address, hostname, locality, weight, metadata } = endpoint;
    yield {
      description: {
        address,
        hostname,
        locality,
        priority: locality.priority,
        weight,
        metadata,
        clusterName: record.name,
        table: table.view(slot),
        slot: SharedTable.offset(slot),
      },
      pendingRequests: 0,
      canary: metadata?.['envoy.lb']?.['canary'] === true,
      edsHealthStatus: edsHealthStatus(statuses[index] as string),
      successRate: monitor?.successRate.external ?? -1,
      localOriginSuccessRate: monitor?.successRate.local ?? -1,
    };
  }
}

/** Envoy shows a host that EDS says nothing of as healthy. */
function edsHealthStatus(status: string): string {
  return status === 'UNKNOWN' ? 'HEALTHY' : status;
}
