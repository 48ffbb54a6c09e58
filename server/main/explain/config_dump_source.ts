// Reads the /config_dump of any Envoy for questions about it. What this build does not know (extensions of others, access logs, which
// decide nothing) is left out instead of being refused: whoever asks wants an answer about the rest.
// Envoy: api/envoy/admin/v3/config_dump.proto.

import type { TypeMap } from '../../../xds-protos/generated/type_map.ts';
import { fromJson } from '../../../xds-protos/json.ts';
import { hasType, typeNameOf } from '../../../xds-protos/load.ts';
import { ConfigError } from '../../api/config_error.ts';
import type { ConfigurationSource } from './configuration.ts';
import { type Resources, resourceSource } from './resource_source.ts';

type JsonObject = { readonly [field: string]: unknown };

/** Throws ConfigError for what is no /config_dump. */
export function configDumpSource(json: unknown): ConfigurationSource {
  const configs = (json as JsonObject | null)?.configs;
  if (!Array.isArray(configs)) throw new ConfigError('configs', 'this is no /config_dump');
  const sections = new Map<string, JsonObject>();
  for (const config of configs as JsonObject[])
    sections.set(typeNameOf(String(config['@type'])).split('.').at(-1) as string, config);
  const bootstrap = sections.get('BootstrapConfigDump')?.bootstrap as JsonObject | undefined;
  const resources: Resources = {
    node: one('envoy.config.core.v3.Node', bootstrap?.node),
    localClusterName: String(
      (bootstrap?.cluster_manager as JsonObject | undefined)?.local_cluster_name ?? '',
    ),
    listeners: [
      ...all(
        'envoy.config.listener.v3.Listener',
        sections,
        'ListenersConfigDump',
        'static_listeners',
        'listener',
      ),
      ...all(
        'envoy.config.listener.v3.Listener',
        sections,
        'ListenersConfigDump',
        'dynamic_listeners',
        'active_state',
        'listener',
      ),
    ],
    clusters: [
      ...all('envoy.config.cluster.v3.Cluster', sections, 'ClustersConfigDump', 'static_clusters', 'cluster'),
      ...all(
        'envoy.config.cluster.v3.Cluster',
        sections,
        'ClustersConfigDump',
        'dynamic_active_clusters',
        'cluster',
      ),
    ],
    routes: all(
      'envoy.config.route.v3.RouteConfiguration',
      sections,
      'RoutesConfigDump',
      'dynamic_route_configs',
      'route_config',
    ),
    endpoints: [
      ...all(
        'envoy.config.endpoint.v3.ClusterLoadAssignment',
        sections,
        'EndpointsConfigDump',
        'static_endpoint_configs',
        'endpoint_config',
      ),
      ...all(
        'envoy.config.endpoint.v3.ClusterLoadAssignment',
        sections,
        'EndpointsConfigDump',
        'dynamic_endpoint_configs',
        'endpoint_config',
      ),
    ],
    extensions: all(
      'envoy.config.core.v3.TypedExtensionConfig',
      sections,
      'EcdsConfigDump',
      'ecds_filters',
      'ecds_filter',
    ),
  };
  return resourceSource(resources);
}

/** The messages of a list of a section; `path` leads from an element to its message. */
function all<K extends keyof TypeMap>(
  type: K,
  sections: ReadonlyMap<string, JsonObject>,
  section: string,
  list: string,
  ...path: string[]
): TypeMap[K][] {
  const elements = (sections.get(section)?.[list] ?? []) as JsonObject[];
  return elements.flatMap((element) => {
    const json = path.reduce<unknown>((at, field) => (at as JsonObject | undefined)?.[field], element);
    const message = one(type, json);
    return message === undefined ? [] : [message];
  });
}

function one<K extends keyof TypeMap>(type: K, json: unknown): TypeMap[K] | undefined {
  if (typeof json !== 'object' || json === null) return undefined;
  const { '@type': _, ...fields } = leniently(json) as JsonObject;
  return fromJson(type, fields, { unknownFields: [] });
}

/** Without access logs and extensions of types that are not known; HTTP filters may be missing. */
function leniently(json: unknown): unknown {
  if (Array.isArray(json)) return json.map(leniently);
  if (typeof json !== 'object' || json === null) return json;
  const result: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(json)) {
    if (field === 'access_log' || field === 'session_ticket_keys') continue;
    if (field === 'typed_config' && !isKnown(value)) continue;
    if (field === 'common_tls_context') result[field] = withoutCertificates(leniently(value) as JsonObject);
    else if (field === 'http_filters' && Array.isArray(value)) {
      // The last one, the router, ends the chain.
      result[field] = value.map((filter, i) => ({
        ...(leniently(filter) as JsonObject),
        is_optional: i < value.length - 1,
      }));
    } else result[field] = leniently(value);
  }
  return result;
}

/**
 * Keys are left out of a dump, and files are another machine's; which certificate is shown decides nothing that is explained. So each
 * is one that would come by its name.
 */
function withoutCertificates(context: JsonObject): JsonObject {
  const { tls_certificates, validation_context, combined_validation_context: combined, ...rest } = context;
  const { default_validation_context: _, ...bySds } = (combined ?? {}) as JsonObject;
  return {
    ...rest,
    ...(Array.isArray(tls_certificates) &&
      tls_certificates.length > 0 && { tls_certificate_sds_secret_configs: [{ name: 'inline' }] }),
    ...(validation_context !== undefined && { validation_context_sds_secret_config: { name: 'inline' } }),
    ...(combined !== undefined && bySds),
  };
}

function isKnown(any: unknown): boolean {
  return hasType(typeNameOf(String((any as JsonObject | null)?.['@type'])));
}
