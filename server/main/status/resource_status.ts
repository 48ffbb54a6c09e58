// Every resource of the store in one form, for the admin's JSON: what serves, what warms, what was refused last.

import { encode } from '../../../xds-protos/load.ts';
import type { ResourceStatus, ResourceView } from '../admin/context.ts';
import type { ConfigStore } from '../config_store/config_store.ts';
import type { CollectionRecord } from '../config_store/discovered_collection.ts';
import { type ResourceKind, type ResourceVersion, TYPE_NAMES } from '../config_store/resource.ts';
import type { WatchedResources } from '../config_store/watched_resources.ts';

export function resourceView(store: ConfigStore): ResourceView {
  const sources: Readonly<Record<ResourceKind, () => Iterable<ResourceStatus>>> = {
    listener: () => collected('listener', store.listeners.all),
    route: () => watched('route', store.routes),
    virtual_host: () => virtualHosts(store),
    scoped_route: () => scopes(store),
    cluster: () => collected('cluster', store.clusters.all),
    endpoints: () => watched('endpoints', store.assignments),
    secret: () => secrets(store),
    extension: () => watched('extension', store.extensions),
  };
  return {
    *all(kind) {
      if (kind !== undefined) yield* sources[kind]();
      else for (const source of Object.values(sources)) yield* source();
    },
  };
}

function* collected(
  kind: 'listener' | 'cluster',
  records: Iterable<CollectionRecord<ResourceVersion>>,
): Generator<ResourceStatus> {
  for (const { name, isStatic, active, warming, failure } of records) {
    yield { kind, name, isStatic, active, warming, failure };
  }
}

/** One that several sources are asked for is there several times. */
function* watched(kind: ResourceKind, resources: WatchedResources): Generator<ResourceStatus> {
  for (const { resourceName: name, active, failure } of resources.all) {
    yield { kind, name, isStatic: false, active, warming: undefined, failure };
  }
}

function* scopes(store: ConfigStore): Generator<ResourceStatus> {
  const kind = 'scoped_route';
  for (const { scopes, failure } of store.scopedRoutes.all) {
    for (const [name, active] of scopes) {
      const refused = failure?.name === name ? failure : undefined;
      yield { kind, name, isStatic: false, active, warming: undefined, failure: refused };
    }
    if (failure === undefined || scopes.has(failure.name)) continue;
    yield { kind, name: failure.name, isStatic: false, active: undefined, warming: undefined, failure };
  }
}

function* virtualHosts(store: ConfigStore): Generator<ResourceStatus> {
  const kind = 'virtual_host';
  for (const [, { hosts, failure }] of store.virtualHosts()) {
    for (const [name, active] of hosts) {
      const refused = failure?.name === name ? failure : undefined;
      yield { kind, name, isStatic: false, active, warming: undefined, failure: refused };
    }
    if (failure === undefined || hosts.has(failure.name)) continue;
    yield { kind, name: failure.name, isStatic: false, active: undefined, warming: undefined, failure };
  }
}

function* secrets(store: ConfigStore): Generator<ResourceStatus> {
  for (const { name, message, receivedAt } of store.secrets.static) {
    const active = { bytes: encode(TYPE_NAMES.secret, message), version: '', receivedAt };
    yield { kind: 'secret', name, isStatic: true, active, warming: undefined, failure: undefined };
  }
  yield* watched('secret', store.sdsSecrets);
}
