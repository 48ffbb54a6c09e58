// The resource types of xDS: their order on a stream, their own services, and how one of them names itself.
// https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol (resource types, ordering, wildcards).

import { typeNameOf, typeUrlOf } from '../../../xds-protos/load.ts';
import { BYTES, Reader } from '../../../xds-protos/wire.ts';

export interface ResourceType {
  readonly typeUrl: string;
  /** As in `error_detail`: `Error adding/updating cluster(s) ...`. */
  readonly label: string;
  /** `/package.Service/` and the method's noun: `Stream<noun>`, `Delta<noun>`; undefined where only ADS serves the type. */
  readonly service: string | undefined;
  readonly noun: string;
  /** The path of a REST fetch. */
  readonly restPath: string | undefined;
  /** A state-of-the-world response is the whole state: what is absent is deleted. */
  readonly fullState: boolean;
  /** The field with the name in it. */
  readonly nameField: number;
  /**
   * Virtual hosts: named below the route configuration that they are part of, which gets all that the server sends. Others are asked
   * for one by one, by their aliases. Only incremental xDS can do that.
   */
  readonly namespaces: boolean;
  /** Place among the requests of one flush: a cluster is asked for before what refers to it. */
  readonly order: number;
}

/** Rows: type name, label, service, noun, REST resource. The order of the rows is the order of requests. */
const ROWS: readonly (readonly [string, string, string, string, string])[] = [
  [
    'envoy.config.cluster.v3.Cluster',
    'cluster',
    'cluster.v3.ClusterDiscoveryService',
    'Clusters',
    'clusters',
  ],
  [
    'envoy.config.endpoint.v3.ClusterLoadAssignment',
    'endpoint',
    'endpoint.v3.EndpointDiscoveryService',
    'Endpoints',
    'endpoints',
  ],
  [
    'envoy.config.listener.v3.Listener',
    'listener',
    'listener.v3.ListenerDiscoveryService',
    'Listeners',
    'listeners',
  ],
  [
    'envoy.config.route.v3.RouteConfiguration',
    'route configuration',
    'route.v3.RouteDiscoveryService',
    'Routes',
    'routes',
  ],
  [
    'envoy.config.route.v3.VirtualHost',
    'virtual host',
    'route.v3.VirtualHostDiscoveryService',
    'VirtualHosts',
    'virtual-hosts',
  ],
  [
    'envoy.config.route.v3.ScopedRouteConfiguration',
    'scoped route',
    'route.v3.ScopedRoutesDiscoveryService',
    'ScopedRoutes',
    'scoped-routes',
  ],
  [
    'envoy.extensions.transport_sockets.tls.v3.Secret',
    'secret',
    'secret.v3.SecretDiscoveryService',
    'Secrets',
    'secrets',
  ],
  [
    'envoy.config.core.v3.TypedExtensionConfig',
    'extension configuration',
    'extension.v3.ExtensionConfigDiscoveryService',
    'ExtensionConfigs',
    'extension_configs',
  ],
  ['envoy.service.runtime.v3.Runtime', 'runtime', 'runtime.v3.RuntimeDiscoveryService', 'Runtime', 'runtime'],
];

const FULL_STATE = new Set([
  'envoy.config.cluster.v3.Cluster',
  'envoy.config.listener.v3.Listener',
  'envoy.config.route.v3.ScopedRouteConfiguration',
]);

/** Types without a row, which only ADS serves: Istio's workloads are all that there is, too, and `uid` names them. */
const UNSERVED: Readonly<Record<string, Partial<ResourceType>>> = {
  'istio.workload.Workload': { label: 'workload', fullState: true, nameField: 20 },
};

const TYPES: ReadonlyMap<string, ResourceType> = new Map(
  ROWS.map(([typeName, label, service, noun, rest], order) => [
    typeName,
    Object.freeze({
      typeUrl: typeUrlOf(typeName),
      label,
      service: `/envoy.service.${service}/`,
      noun,
      restPath: `/v3/discovery:${rest}`,
      fullState: FULL_STATE.has(typeName),
      namespaces: typeName === 'envoy.config.route.v3.VirtualHost',
      nameField: 1,
      order,
    }),
  ]),
);

/** `typeUrl` with or without its `type.googleapis.com/`. A type without a row is served by ADS alone, after the others. */
export function resourceType(typeUrl: string): ResourceType {
  const typeName = typeNameOf(typeUrl);
  return (
    TYPES.get(typeName) ?? {
      typeUrl: typeUrlOf(typeName),
      label: typeName,
      service: undefined,
      noun: '',
      restPath: undefined,
      fullState: false,
      namespaces: false,
      nameField: 1,
      order: ROWS.length,
      ...UNSERVED[typeName],
    }
  );
}

/**
 * The name in a resource's bytes: every xDS resource keeps it in one field (Cluster.name, ClusterLoadAssignment.cluster_name, ...),
 * so it is there even when the rest cannot be decoded. Throws DecodeError.
 */
export function resourceName({ nameField }: ResourceType, bytes: Uint8Array): string {
  const nameTag = (nameField << 3) | BYTES;
  const reader = new Reader(bytes);
  let name = '';
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === nameTag) name = reader.string();
    else reader.skip(tag);
  }
  return name;
}
