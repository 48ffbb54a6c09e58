// The EndpointsConfigDump: the hosts each cluster has now, with their health as the shared table says.
// Envoy: source/server/admin/config_dump_handler.cc, dumpEndpointConfigs.

import type { EndpointsConfigDump } from '../../../xds-protos/generated/envoy/admin/v3.ts';
import type {
  ClusterLoadAssignment,
  LbEndpoint,
  LocalityLbEndpoints,
} from '../../../xds-protos/generated/envoy/config/endpoint/v3.ts';
import { decode, encodeAny, type Init } from '../../../xds-protos/load.ts';
import { HostSlot } from '../../api/upstream/host.ts';
import { coarseHealth } from '../../common/upstream/host.ts';
import { endpointOf } from '../../common/upstream/load_assignment.ts';
import { SharedTable } from '../../common/upstream/shared_table.ts';
import type { ClusterRecord } from './cluster_store.ts';
import { clusterElements, type DumpInSteps } from './config_dump.ts';
import type { ConfigStore } from './config_store.ts';
import { TYPE_NAMES } from './resource.ts';

/** Source: ClusterLoadAssignment.Policy.overprovisioning_factor. */
const DEFAULT_OVERPROVISIONING_FACTOR = 140;

export function endpointsDump(
  store: ConfigStore,
  matches: (name: string) => boolean,
): DumpInSteps<Init<EndpointsConfigDump>> {
  const endpoints = (isStatic: boolean) =>
    clusterElements(store, matches, (record) => {
      if (record.active === undefined || record.isStatic !== isStatic) return undefined;
      const message = clusterEndpoints(store.hostSlots.table, record);
      return { endpoint_config: encodeAny('envoy.config.endpoint.v3.ClusterLoadAssignment', message) };
    });
  return { static_endpoint_configs: endpoints(true), dynamic_endpoint_configs: endpoints(false) };
}

/** The load assignment a cluster works with; undefined for one without (ORIGINAL_DST). */
export function currentAssignment(record: ClusterRecord): ClusterLoadAssignment | undefined {
  if (record.endpointBytes !== undefined) return decode(TYPE_NAMES.endpoints, record.endpointBytes);
  return record.active && decode(TYPE_NAMES.cluster, record.active.bytes).load_assignment;
}

function clusterEndpoints(table: SharedTable, record: ClusterRecord): Init<ClusterLoadAssignment> {
  const assignment = currentAssignment(record);
  let host = 0;
  const endpoints = (assignment?.endpoints ?? []).map((locality) =>
    localityEndpoints(locality, (lbEndpoint) => {
      const slot = record.hostSlots[host++];
      const flags = slot === undefined ? 0 : healthFlags(table, slot);
      return hostDump(assignment!, lbEndpoint, flags);
    }),
  );
  const factor = assignment?.policy?.overprovisioning_factor?.value ?? DEFAULT_OVERPROVISIONING_FACTOR;
  return {
    // Of EDS, the name of the service.
    cluster_name: record.endpointBytes === undefined ? record.name : assignment!.cluster_name,
    endpoints: endpoints.filter(({ lb_endpoints }) => lb_endpoints.length > 0),
    policy: { overprovisioning_factor: { value: factor } },
  };
}

function localityEndpoints(
  { locality, lb_endpoints, priority, load_balancing_weight: weight }: LocalityLbEndpoints,
  dump: (lbEndpoint: LbEndpoint) => Init<LbEndpoint>,
) {
  return {
    locality: locality ?? {},
    lb_endpoints: lb_endpoints.map(dump),
    priority,
    load_balancing_weight: { value: weight?.value ?? 0 },
  };
}

function hostDump(
  assignment: ClusterLoadAssignment,
  lbEndpoint: LbEndpoint,
  flags: number,
): Init<LbEndpoint> {
  const endpoint = endpointOf(assignment, lbEndpoint);
  return {
    endpoint: {
      address: endpoint?.address,
      health_check_config: endpoint?.health_check_config ?? {},
      hostname: endpoint?.hostname,
    } as Init<LbEndpoint['endpoint']>,
    health_status: coarseHealth(flags).toUpperCase() as LbEndpoint['health_status'],
    metadata: lbEndpoint.metadata as Init<LbEndpoint['metadata']>,
    load_balancing_weight: { value: lbEndpoint.load_balancing_weight?.value ?? 1 },
  };
}

function healthFlags(table: SharedTable, slot: number): number {
  const at = SharedTable.offset(slot) + HostSlot.HealthFlags;
  return Atomics.load(table.view(slot), at);
}
