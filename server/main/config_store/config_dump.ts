// The sections of /config_dump out of the store, as envoy.admin.v3 messages. Resources stay wire bytes in an Any: who
// prints them decodes them. Envoy: source/server/admin/config_dump_handler.cc and the dump callbacks of the managers.

import type {
  BootstrapConfigDump,
  ClustersConfigDump,
  EcdsConfigDump,
  ListenersConfigDump,
  RoutesConfigDump,
  SecretsConfigDump,
} from '../../../xds-protos/generated/envoy/admin/v3.ts';
import type { Node } from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import type { Any } from '../../../xds-protos/generated/google/protobuf.ts';
import { encode, type Init, typeUrlOf } from '../../../xds-protos/load.ts';
import { timestampOf } from '../../../xds-protos/well_known.ts';
import type { ConfigDumpKey, ConfigDumpSource, ConfigTracker } from '../admin/context.ts';
import type { ConfigStore } from './config_store.ts';
import { endpointsDump } from './endpoints_dump.ts';
import { inlineRoutes } from './inline_routes.ts';
import { type ResourceKind, type ResourceVersion, TYPE_NAMES, type UpdateFailure } from './resource.ts';

type Matches = (name: string) => boolean;
type DynamicCluster = NonNullable<Init<ClustersConfigDump>['dynamic_warming_clusters']>[number];

/** The sections of /config_dump. `node` is the bootstrap's as control planes get it, `startedAt` in ms. */
export function configDumpSources(store: ConfigStore, node: Node, startedAt: number): ConfigTracker {
  const bootstrap = { ...store.bootstrap, node };
  const dump: Init<BootstrapConfigDump> = { bootstrap, last_updated: timestampOf(startedAt) };
  return new Map<ConfigDumpKey, ConfigDumpSource>([
    ['bootstrap', () => dump],
    ['clusters', (matches) => clustersDump(store, matches)],
    ['ecds', (matches) => ecdsDump(store, matches)],
    ['endpoint', (matches) => endpointsDump(store, matches)],
    ['listeners', (matches) => listenersDump(store, matches)],
    ['route_scopes', () => ({})],
    ['routes', (matches) => routesDump(store, matches)],
    ['secrets', (matches) => secretsDump(store, matches)],
  ]);
}

function any(kind: ResourceKind, bytes: Uint8Array): Any {
  return { type_url: typeUrlOf(TYPE_NAMES[kind]), value: bytes };
}

function stamp({ version, receivedAt }: ResourceVersion) {
  return { version_info: version, last_updated: timestampOf(receivedAt) };
}

function failureState(kind: ResourceKind, failure: UpdateFailure | undefined) {
  if (failure === undefined) return undefined;
  const { bytes, path, reason, at } = failure;
  return {
    failed_configuration: any(kind, bytes),
    last_update_attempt: timestampOf(at),
    details: path === '' ? reason : `${path}: ${reason}`,
  };
}

/** Static clusters, then dynamic ones by state, each sorted by name as Envoy's maps are. */
function clustersDump(store: ConfigStore, matches: Matches): Init<ClustersConfigDump> {
  const records = [...store.clusters.all].filter(({ name }) => matches(name)).sort(byName);
  const statics = records.filter((record) => record.isStatic && record.active !== undefined);
  const dynamics = records.filter((record) => !record.isStatic);
  return {
    version_info: store.clusters.version,
    static_clusters: statics.map(({ active }) => ({
      cluster: any('cluster', active!.bytes),
      last_updated: timestampOf(active!.receivedAt),
    })),
    dynamic_active_clusters: dynamics.flatMap(({ active, failure }) =>
      active === undefined
        ? []
        : [
            {
              ...stamp(active),
              cluster: any('cluster', active.bytes),
              error_state: failureState('cluster', failure),
            },
          ],
    ),
    dynamic_warming_clusters: dynamics.flatMap(({ warming, active, failure }): DynamicCluster[] => {
      if (warming !== undefined) return [{ ...stamp(warming), cluster: any('cluster', warming.bytes) }];
      // Never accepted: shown here, because nowhere else could be read why it is missing.
      if (active === undefined && failure !== undefined) {
        return [{ version_info: failure.version, error_state: failureState('cluster', failure) }];
      }
      return [];
    }),
  };
}

function listenersDump(store: ConfigStore, matches: Matches): Init<ListenersConfigDump> {
  const records = [...store.listeners.all].filter(({ name }) => matches(name));
  const state = (version: ResourceVersion | undefined) =>
    version === undefined ? undefined : { ...stamp(version), listener: any('listener', version.bytes) };
  return {
    version_info: store.listeners.version,
    static_listeners: records.flatMap(({ isStatic, active, warming }) => {
      const version = active ?? warming;
      if (!isStatic || version === undefined) return [];
      return [{ listener: any('listener', version.bytes), last_updated: timestampOf(version.receivedAt) }];
    }),
    dynamic_listeners: records
      .filter(({ isStatic }) => !isStatic)
      .map(({ name, active, warming, failure }) => ({
        name,
        active_state: state(active),
        warming_state: state(warming),
        error_state: failureState('listener', failure),
      })),
  };
}

/** Routes in the listeners themselves are static to Envoy, and shown from the listeners' messages. */
function routesDump(store: ConfigStore, matches: Matches): Init<RoutesConfigDump> {
  const dynamic_route_configs: NonNullable<Init<RoutesConfigDump>['dynamic_route_configs']>[number][] = [];
  for (const { resourceName, active, failure } of store.routes.all) {
    if (!matches(resourceName)) continue;
    if (active !== undefined) {
      const error_state = failureState('route', failure);
      dynamic_route_configs.push({ ...stamp(active), route_config: any('route', active.bytes), error_state });
    } else if (failure !== undefined) {
      dynamic_route_configs.push({ error_state: failureState('route', failure) });
    }
  }
  return { static_route_configs: inlineRoutes(store, matches), dynamic_route_configs };
}

/** Secrets with what they hold; the private parts are taken out where the dump is printed. */
function secretsDump(store: ConfigStore, matches: Matches): Init<SecretsConfigDump> {
  const active: NonNullable<Init<SecretsConfigDump>['dynamic_active_secrets']>[number][] = [];
  const warming: NonNullable<Init<SecretsConfigDump>['dynamic_warming_secrets']>[number][] = [];
  for (const { key, resourceName: name, active: version, failure } of store.sdsSecrets.all) {
    if (!matches(name)) continue;
    const error_state = failureState('secret', failure);
    const serving = store.secrets.servingOf(key);
    if (version === undefined || serving === undefined) {
      const secret = any('secret', encode(TYPE_NAMES.secret, { name }));
      warming.push({ name, version_info: 'uninitialized', secret, error_state });
    } else {
      active.push({ name, ...stamp(version), secret: any('secret', serving.bytes), error_state });
    }
  }
  return {
    static_secrets: store.secrets.static
      .filter(({ name }) => matches(name))
      .map(({ name, message, receivedAt }) => ({
        name,
        last_updated: timestampOf(receivedAt),
        secret: any('secret', encode(TYPE_NAMES.secret, message)),
      })),
    dynamic_active_secrets: active,
    dynamic_warming_secrets: warming,
  };
}

function ecdsDump(store: ConfigStore, matches: Matches): Init<EcdsConfigDump> {
  const ecds_filters: NonNullable<Init<EcdsConfigDump>['ecds_filters']>[number][] = [];
  for (const { resourceName, active, failure } of store.extensions.all) {
    if (!matches(resourceName) || active === undefined) continue;
    const error_state = failureState('extension', failure);
    ecds_filters.push({ ...stamp(active), ecds_filter: any('extension', active.bytes), error_state });
  }
  return { ecds_filters };
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
