// The sections of /config_dump out of the store, as envoy.admin.v3 messages. Resources stay wire bytes in an Any: who
// prints them decodes them. Envoy: source/server/admin/config_dump_handler.cc and the dump callbacks of the managers.

import type {
  BootstrapConfigDump,
  ClustersConfigDump,
  EcdsConfigDump,
  ListenersConfigDump,
  RoutesConfigDump,
  ScopedRoutesConfigDump,
  SecretsConfigDump,
} from '../../../xds-protos/generated/envoy/admin/v3.ts';
import type { Node } from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import type { Any } from '../../../xds-protos/generated/google/protobuf.ts';
import { encode, type Init, typeUrlOf } from '../../../xds-protos/load.ts';
import { timestampOf } from '../../../xds-protos/well_known.ts';
import { sortInSteps } from '../../common/event/steps.ts';
import type { ConfigDumpKey, ConfigDumpSource, ConfigTracker } from '../admin/context.ts';
import type { ClusterRecord } from './cluster_store.ts';
import type { ConfigStore } from './config_store.ts';
import { endpointsDump } from './endpoints_dump.ts';
import { inlineRoutes, inlineScopedRoutes } from './inline_routes.ts';
import { type ResourceKind, type ResourceVersion, TYPE_NAMES, type UpdateFailure } from './resource.ts';

const NO_BYTES = new Uint8Array();

type Matches = (name: string) => boolean;

/** A section whose lists are made element by element. */
export type DumpInSteps<Dump> = {
  readonly [Field in keyof Dump]: NonNullable<Dump[Field]> extends readonly (infer Element)[]
    ? Iterable<Element | ''>
    : Dump[Field];
};

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
    ['route_scopes', (matches) => scopedRoutesDump(store, matches)],
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

/** What `elementOf` makes of each; '' where it makes nothing, so that others may have a turn. */
export function* elements<From, Element>(
  all: Iterable<From>,
  elementOf: (each: From) => Element | undefined,
): Iterable<Element | ''> {
  for (const each of all) yield elementOf(each) ?? '';
}

/** The same of clusters in the order of their names, which is that of Envoy's maps. */
export function* clusterElements<Element>(
  store: ConfigStore,
  matches: Matches,
  elementOf: (record: ClusterRecord) => Element | undefined,
): Iterable<Element | ''> {
  const keyed: { readonly key: string; readonly record: ClusterRecord }[] = [];
  for (const record of store.clusters.all) if (matches(record.name)) keyed.push({ key: record.name, record });
  yield* elements(yield* sortInSteps(keyed), ({ record }) => elementOf(record));
}

/** Static clusters, then dynamic ones by state. */
function clustersDump(store: ConfigStore, matches: Matches): DumpInSteps<Init<ClustersConfigDump>> {
  return {
    version_info: store.clusters.version,
    static_clusters: clusterElements(store, matches, ({ isStatic, active }) =>
      isStatic && active !== undefined
        ? { cluster: any('cluster', active.bytes), last_updated: timestampOf(active.receivedAt) }
        : undefined,
    ),
    dynamic_active_clusters: clusterElements(store, matches, ({ isStatic, active, failure }) =>
      isStatic || active === undefined
        ? undefined
        : {
            ...stamp(active),
            cluster: any('cluster', active.bytes),
            error_state: failureState('cluster', failure),
          },
    ),
    dynamic_warming_clusters: clusterElements(store, matches, ({ isStatic, warming, active, failure }) => {
      if (isStatic) return undefined;
      if (warming !== undefined) return { ...stamp(warming), cluster: any('cluster', warming.bytes) };
      // Never accepted: shown here, because nowhere else could be read why it is missing.
      if (active !== undefined || failure === undefined) return undefined;
      return { version_info: failure.version, error_state: failureState('cluster', failure) };
    }),
  };
}

function listenersDump(store: ConfigStore, matches: Matches): DumpInSteps<Init<ListenersConfigDump>> {
  const state = (version: ResourceVersion | undefined) =>
    version === undefined ? undefined : { ...stamp(version), listener: any('listener', version.bytes) };
  return {
    version_info: store.listeners.version,
    static_listeners: elements(store.listeners.all, ({ name, isStatic, active, warming }) => {
      const version = active ?? warming;
      if (!isStatic || version === undefined || !matches(name)) return undefined;
      return { listener: any('listener', version.bytes), last_updated: timestampOf(version.receivedAt) };
    }),
    dynamic_listeners: elements(store.listeners.all, ({ name, isStatic, active, warming, failure }) => {
      if (isStatic || !matches(name)) return undefined;
      return {
        name,
        active_state: state(active),
        warming_state: state(warming),
        error_state: failureState('listener', failure),
      };
    }),
  };
}

/** Routes in the listeners themselves are static to Envoy, and shown from the listeners' messages. */
function routesDump(store: ConfigStore, matches: Matches): DumpInSteps<Init<RoutesConfigDump>> {
  return {
    static_route_configs: inlineRoutes(store, matches),
    dynamic_route_configs: elements(store.routes.all, ({ key, resourceName, active: own, failure }) => {
      if (!matches(resourceName)) return undefined;
      const active = store.withDiscoveredHosts(key) ?? own;
      const error_state = failureState('route', failure);
      if (active !== undefined)
        return { ...stamp(active), route_config: any('route', active.bytes), error_state };
      return failure === undefined ? undefined : { error_state };
    }),
  };
}

/** `name_regex` is about scopes, not about the names that they have together. */
function scopedRoutesDump(store: ConfigStore, matches: Matches): DumpInSteps<Init<ScopedRoutesConfigDump>> {
  return {
    inline_scoped_route_configs: inlineScopedRoutes(store, matches),
    dynamic_scoped_route_configs: elements(
      store.scopedRoutes.all,
      ({ resourceName: name, version, receivedAt, scopes }) => {
        if (receivedAt === 0) return undefined;
        const scoped_route_configs = [...scopes]
          .filter(([scope]) => matches(scope))
          .map(([, { bytes }]) => any('scoped_route', bytes));
        return { name, ...stamp({ bytes: NO_BYTES, version, receivedAt }), scoped_route_configs };
      },
    ),
  };
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
