// Route configurations written into listeners, which Envoy calls static and dumps among the routes.

import type {
  RoutesConfigDump,
  ScopedRoutesConfigDump,
} from '../../../xds-protos/generated/envoy/admin/v3.ts';
import type { Listener } from '../../../xds-protos/generated/envoy/config/listener/v3.ts';
import type {
  RouteConfiguration,
  ScopedRouteConfiguration,
} from '../../../xds-protos/generated/envoy/config/route/v3.ts';
import type { HttpConnectionManager } from '../../../xds-protos/generated/envoy/extensions/filters/network/http_connection_manager/v3.ts';
import { decode, encodeAny, type Init, typeNameOf, typeUrlOf } from '../../../xds-protos/load.ts';
import { timestampOf } from '../../../xds-protos/well_known.ts';
import { inlineRoutesKey } from '../../common/config/resource_key.ts';
import type { ConfigStore } from './config_store.ts';
import { TYPE_NAMES } from './resource.ts';

const HCM = 'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager' as const;

type InlineScopes = NonNullable<Init<ScopedRoutesConfigDump>['inline_scoped_route_configs']>[number][];
type StaticRoutes = NonNullable<Init<RoutesConfigDump>['static_route_configs']>[number][];

/** The newest first, as Envoy's list is. */
export function inlineRoutes(store: ConfigStore, matches: (name: string) => boolean): StaticRoutes {
  const found: StaticRoutes = [];
  for (const { active } of store.listeners.all) {
    if (active === undefined) continue;
    for (const { route_config: route } of managersOf(decode(TYPE_NAMES.listener, active.bytes))) {
      if (route === undefined || !matches(route.name)) continue;
      const discovered = route.vhds && store.withDiscoveredHosts(inlineRoutesKey(route));
      found.push({
        route_config:
          discovered === undefined
            ? encodeAny(TYPE_NAMES.route, route as Init<RouteConfiguration>)
            : { type_url: typeUrlOf(TYPE_NAMES.route), value: discovered.bytes },
        last_updated: timestampOf(active.receivedAt),
      });
    }
  }
  return found.reverse();
}

/** The same of `scoped_routes` with a list, in their order, as Envoy's is. */
export function inlineScopedRoutes(store: ConfigStore, matches: (name: string) => boolean): InlineScopes {
  const found: InlineScopes = [];
  for (const { active } of store.listeners.all) {
    if (active === undefined) continue;
    for (const { scoped_routes: scoped } of managersOf(decode(TYPE_NAMES.listener, active.bytes))) {
      const list = scoped?.scoped_route_configurations_list;
      if (scoped === undefined || list === undefined) continue;
      found.push({
        name: scoped.name,
        scoped_route_configs: list.scoped_route_configurations
          .filter((scope) => matches(scope.name))
          .map((scope) => encodeAny(TYPE_NAMES.scoped_route, scope as Init<ScopedRouteConfiguration>)),
        last_updated: timestampOf(active.receivedAt),
      });
    }
  }
  return found;
}

function* managersOf(listener: Listener): Iterable<HttpConnectionManager> {
  const chains = [...listener.filter_chains, listener.default_filter_chain];
  for (const chain of chains) {
    for (const { typed_config: config } of chain?.filters ?? []) {
      if (config !== undefined && typeNameOf(config.type_url) === HCM) yield decode(HCM, config.value);
    }
  }
}
