// A configuration that does not serve here: the resources of a bootstrap or of a /config_dump, as the workers would get them. Hosts
// have the health that is written in their endpoints.

import type { Cluster } from '../../../xds-protos/generated/envoy/config/cluster/v3.ts';
import type { Node, TypedExtensionConfig } from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import type { ClusterLoadAssignment } from '../../../xds-protos/generated/envoy/config/endpoint/v3.ts';
import type { Listener } from '../../../xds-protos/generated/envoy/config/listener/v3.ts';
import type { RouteConfiguration } from '../../../xds-protos/generated/envoy/config/route/v3.ts';
import { encode } from '../../../xds-protos/load.ts';
import { structToJson } from '../../../xds-protos/well_known.ts';
import type { Registry, ServerInfo } from '../../api/registry.ts';
import { HOST_SLOTS, HostSlot } from '../../api/upstream/host.ts';
import { ExtensionRegistry } from '../../common/registry.ts';
import { RuntimeSnapshot } from '../../common/runtime/runtime.ts';
import { BREAKER_SLOTS } from '../../common/upstream/resource_manager.ts';
import { SharedTable } from '../../common/upstream/shared_table.ts';
import { ALL_EXTENSIONS } from '../../extensions/all_extensions.ts';
import type { ResourceUpdate } from '../../messages.ts';
import { edsHealthFlags } from '../config_store/load_assignment.ts';
import { TYPE_NAMES } from '../config_store/resource.ts';
import { SlotAllocator } from '../config_store/slot_allocator.ts';
import type { ConfigurationSource } from './configuration.ts';

export interface Resources {
  readonly node: Node | undefined;
  readonly localClusterName: string;
  readonly listeners: readonly Listener[];
  readonly clusters: readonly Cluster[];
  readonly routes: readonly RouteConfiguration[];
  /** By EDS, by `cluster_name`. */
  readonly endpoints: readonly ClusterLoadAssignment[];
  readonly extensions: readonly TypedExtensionConfig[];
}

export function resourceSource(resources: Resources): ConfigurationSource {
  const hosts = new SlotAllocator('hosts', HOST_SLOTS, [], () => undefined);
  const breakers = new SlotAllocator('circuit_breakers', BREAKER_SLOTS, [], () => undefined);
  const updates = updatesOf(resources, hosts, breakers);
  const registry: Registry = new ExtensionRegistry(ALL_EXTENSIONS);
  return {
    updates: () => updates,
    hosts: hosts.table,
    breakers: breakers.table,
    server: serverOf(resources),
    runtime: new RuntimeSnapshot(),
    registry,
    boundAddresses: () => new Map(),
  };
}

function updatesOf(resources: Resources, hosts: SlotAllocator, breakers: SlotAllocator): ResourceUpdate[] {
  const byName = new Map(resources.endpoints.map((each) => [each.cluster_name, each]));
  const version = '';
  const updates: ResourceUpdate[] = [];
  for (const cluster of resources.clusters) {
    const { name } = cluster;
    const given = byName.get(cluster.eds_cluster_config?.service_name || name) ?? byName.get(name);
    const assignment = addressed(given ?? cluster.load_assignment);
    const bytes = encode(TYPE_NAMES.cluster, cluster);
    updates.push({ kind: 'cluster', name, version, bytes, circuitBreakerSlot: breakers.allocate() });
    if (assignment === undefined) continue;
    const hostSlots = slotsOf(assignment, hosts);
    updates.push({
      kind: 'endpoints',
      name,
      version,
      bytes: encode(TYPE_NAMES.endpoints, assignment),
      hostSlots,
    });
  }
  for (const message of resources.extensions)
    updates.push({
      kind: 'extension',
      name: message.name,
      version,
      bytes: encode('envoy.config.core.v3.TypedExtensionConfig', message),
    });
  for (const message of resources.routes)
    updates.push({ kind: 'route', name: message.name, version, bytes: encode(TYPE_NAMES.route, message) });
  for (const message of resources.listeners)
    updates.push({
      kind: 'listener',
      name: message.name,
      version,
      bytes: encode(TYPE_NAMES.listener, message),
    });
  return updates;
}

function slotsOf(assignment: ClusterLoadAssignment, hosts: SlotAllocator): Int32Array {
  const slots: number[] = [];
  const seen = new Set<string>();
  for (const { lb_endpoints } of assignment.endpoints) {
    for (const endpoint of lb_endpoints) {
      const key = JSON.stringify(endpoint.endpoint?.address);
      if (seen.has(key)) {
        // Envoy takes the first of two with one address.
        slots.push(-1);
        continue;
      }
      seen.add(key);
      const slot = hosts.allocate();
      hosts.table.view(slot)[SharedTable.offset(slot) + HostSlot.HealthFlags] = edsHealthFlags(endpoint);
      slots.push(slot);
    }
  }
  return Int32Array.from(slots);
}

/** Hosts that are given by name have no address before they are resolved: each stands for those that it would have. */
function addressed(assignment: ClusterLoadAssignment | undefined): ClusterLoadAssignment | undefined {
  if (assignment === undefined) return undefined;
  let count = 0;
  const endpoints = assignment.endpoints.map((locality) => ({
    ...locality,
    lb_endpoints: locality.lb_endpoints.map((each) => {
      const socket = each.endpoint?.address?.socket_address;
      if (socket === undefined || /^[\d.]+$|:/.test(socket.address)) return each;
      const address = {
        ...each.endpoint!.address!,
        socket_address: { ...socket, address: unresolved(++count) },
      };
      const hostname = each.endpoint!.hostname || socket.address;
      return { ...each, endpoint: { ...each.endpoint!, hostname, address } };
    }),
  }));
  return { ...assignment, endpoints };
}

/** An address that no host has (RFC 1122 3.2.1.3), another one for each. */
function unresolved(count: number): string {
  return `0.${(count >> 16) & 255}.${(count >> 8) & 255}.${count & 255}`;
}

function serverOf({ node, localClusterName }: Resources): ServerInfo {
  return {
    nodeId: node?.id ?? '',
    nodeCluster: node?.cluster ?? '',
    locality: {
      region: node?.locality?.region ?? '',
      zone: node?.locality?.zone ?? '',
      subZone: node?.locality?.sub_zone ?? '',
    },
    localClusterName,
    defaultTracing: undefined,
    nodeMetadata: node?.metadata === undefined ? {} : structToJson(node.metadata),
    localIp: '127.0.0.1',
    concurrency: 1,
    fileFlushIntervalMs: 0,
    fileFlushMinSizeBytes: 0,
  };
}
