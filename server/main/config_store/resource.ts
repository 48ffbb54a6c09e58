// Words that every part of the configuration store shares: a version of a resource, why an update failed.

import type { ConfigSource } from '../../../xds-protos/generated/envoy/config/core/v3.ts';

export type ResourceKind =
  | 'cluster'
  | 'endpoints'
  | 'listener'
  | 'route'
  | 'virtual_host'
  | 'scoped_route'
  | 'secret'
  | 'extension';

export const TYPE_NAMES = {
  cluster: 'envoy.config.cluster.v3.Cluster',
  endpoints: 'envoy.config.endpoint.v3.ClusterLoadAssignment',
  listener: 'envoy.config.listener.v3.Listener',
  route: 'envoy.config.route.v3.RouteConfiguration',
  virtual_host: 'envoy.config.route.v3.VirtualHost',
  scoped_route: 'envoy.config.route.v3.ScopedRouteConfiguration',
  secret: 'envoy.extensions.transport_sockets.tls.v3.Secret',
  extension: 'envoy.config.core.v3.TypedExtensionConfig',
} as const satisfies Record<ResourceKind, string>;

/** One version of a resource. Decoded forms are not kept: 10,000 clusters would cost hundreds of megabytes. */
export interface ResourceVersion {
  readonly bytes: Uint8Array;
  /** version_info: of the resource (delta) or of its response (SotW); '' for static resources. */
  readonly version: string;
  /** ms since 1970. */
  readonly receivedAt: number;
}

/** Envoy's UpdateFailureState: the last update of a resource that was rejected. */
export interface UpdateFailure {
  readonly bytes: Uint8Array;
  readonly version: string;
  readonly at: number;
  readonly path: string;
  readonly reason: string;
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a === b || (a.length === b.length && Buffer.compare(a, b) === 0);
}

/** Who sends: for people, in the history. */
export function sourceName(source: ConfigSource): string {
  if (source.path_config_source !== undefined) return source.path_config_source.path;
  if (source.path !== undefined) return source.path;
  const service = source.api_config_source?.grpc_services[0];
  return service?.envoy_grpc?.cluster_name ?? service?.google_grpc?.target_uri ?? 'ads';
}
