// Route configurations written into listeners, which Envoy calls static and dumps among the routes.

import type { RoutesConfigDump } from '../../../xds-protos/generated/envoy/admin/v3.ts';
import type { Listener } from '../../../xds-protos/generated/envoy/config/listener/v3.ts';
import type { RouteConfiguration } from '../../../xds-protos/generated/envoy/config/route/v3.ts';
import { decode, encodeAny, type Init, typeNameOf } from '../../../xds-protos/load.ts';
import { timestampOf } from '../../../xds-protos/well_known.ts';
import type { ConfigStore } from './config_store.ts';
import { TYPE_NAMES } from './resource.ts';

const HCM = 'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager' as const;

type StaticRoutes = NonNullable<Init<RoutesConfigDump>['static_route_configs']>[number][];

/** The newest first, as Envoy's list is. */
export function inlineRoutes(store: ConfigStore, matches: (name: string) => boolean): StaticRoutes {
  const found: StaticRoutes = [];
  for (const { active } of store.listeners.all) {
    if (active === undefined) continue;
    for (const route of routesOf(decode(TYPE_NAMES.listener, active.bytes))) {
      if (!matches(route.name)) continue;
      found.push({
        route_config: encodeAny(
          'envoy.config.route.v3.RouteConfiguration',
          route as Init<RouteConfiguration>,
        ),
        last_updated: timestampOf(active.receivedAt),
      });
    }
  }
  return found.reverse();
}

function* routesOf(listener: Listener): Iterable<RouteConfiguration> {
  const chains = [...listener.filter_chains, listener.default_filter_chain];
  for (const chain of chains) {
    for (const { typed_config: config } of chain?.filters ?? []) {
      if (config === undefined || typeNameOf(config.type_url) !== HCM) continue;
      const route = decode(HCM, config.value).route_config;
      if (route !== undefined) yield route;
    }
  }
}
