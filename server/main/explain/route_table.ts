// All routes in force, one after the other: those by RDS, and those that listeners have inside. Where one can never be reached, it
// says which other takes its requests. Made when somebody asks, and kept while the configuration stays the same.

import { createRequire } from 'node:module';
import type { Listener } from '../../../xds-protos/generated/envoy/config/listener/v3.ts';
import type { Route, RouteConfiguration } from '../../../xds-protos/generated/envoy/config/route/v3.ts';
import type { HttpConnectionManager } from '../../../xds-protos/generated/envoy/extensions/filters/network/http_connection_manager/v3.ts';
import { decodeAny, typeNameOf } from '../../../xds-protos/load.ts';
import { at } from '../../api/config_error.ts';
import { inTurns, type Steps } from '../../common/event/steps.ts';
import { shadowedRoutes } from '../../common/router/shadowed_routes.ts';
import type { CompiledConfiguration } from './configuration.ts';
import { actionText, matchText, type RouteTarget, targetsOf } from './route_text.ts';

const require = createRequire(import.meta.url);

export interface RouteRow {
  /** `route_config/virtual_host/index`, or with its `place` in the end. */
  readonly name: string;
  readonly route_config: string;
  /** '' unless it is part of one. */
  readonly listener: string;
  readonly virtual_host: string;
  readonly domains: readonly string[];
  readonly index: number;
  /** Of a route in the match tree of the virtual host: where, from the virtual host on. `index` is in its own list, then. */
  readonly place?: string;
  /** Its name, or ''. */
  readonly route: string;
  readonly match: string;
  readonly action: string;
  readonly clusters: readonly RouteTarget[];
  readonly shadowed_by?: { readonly index: number; readonly name: string; readonly reason: string };
}

/** One route configuration. */
export interface RouteTable {
  /** As in RouteHits. */
  readonly owner: string;
  readonly name: string;
  readonly rows: readonly RouteRow[];
  /** What a search looks at in each, in lower case: who types asks again and again. */
  readonly searched: readonly string[];
}

const MANAGER = 'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';

/** In the order in which they are configured. */
export async function routeTables(configuration: CompiledConfiguration): Promise<readonly RouteTable[]> {
  configuration.refresh();
  const parts: Promise<readonly RouteTable[]>[] = [];
  for (const { name, key, read } of configuration.routeSources)
    parts.push(configuration.memo(key, () => gathered([read()], `route ${name}`, '')));
  for (const { name, bytes, message } of configuration.listeners)
    parts.push(
      configuration.memo(bytes, () =>
        gathered(inlineRoutes(message, configuration), `listener ${name}`, name),
      ),
    );
  return (await Promise.all(parts)).flat();
}

async function gathered(
  messages: Iterable<RouteConfiguration>,
  owner: string,
  listener: string,
): Promise<readonly RouteTable[]> {
  const tables: RouteTable[] = [];
  for (const message of messages) {
    const rows: RouteRow[] = [];
    const searched: string[] = [];
    tables.push({ owner, name: message.name, rows, searched });
    await inTurns(collect(rowsOf(message, listener), rows, searched));
  }
  return tables;
}

/** Its name has its place. */
function searchedText({ name, route, domains, match, action }: RouteRow): string {
  return [name, route, ...domains, match, action].join(' ');
}

/** Of the connection managers of a listener, each once. */
function* inlineRoutes(
  { filter_chains: chains, default_filter_chain: last }: Listener,
  configuration: CompiledConfiguration,
): Generator<RouteConfiguration> {
  const seen = new Set<string>();
  for (const { filters } of last === undefined ? chains : [...chains, last]) {
    const typed = filters.at(-1)?.typed_config;
    if (typed === undefined || typeNameOf(typed.type_url) !== MANAGER) continue;
    const { route_config: routes } = decodeAny(typed).message as unknown as HttpConnectionManager;
    if (routes === undefined || seen.has(routes.name)) continue;
    seen.add(routes.name);
    // With discovered virtual hosts, workers get it apart.
    if (!configuration.hasDiscoveredHosts(routes)) yield routes;
  }
}

function* collect(all: Iterable<RouteRow | ''>, rows: RouteRow[], searched: string[]): Steps {
  for (const row of all) {
    yield '';
    if (row === '') continue;
    rows.push(row);
    searched.push(searchedText(row).toLowerCase());
  }
}

/** Rows, and '' wherever others may have a turn. */
function* rowsOf(message: RouteConfiguration, listener: string): Generator<RouteRow | ''> {
  for (const host of message.virtual_hosts) {
    const { name: virtual_host, domains, routes, matcher } = host;
    const common = { route_config: message.name, listener, virtual_host, domains };
    yield* rowsOfList(routes, common);
    if (matcher === undefined) continue;
    const { routesInTree } = require('./match_tree_routes.ts') as typeof import('./match_tree_routes.ts');
    for (const { place, routes: inside } of routesInTree(matcher)) yield* rowsOfList(inside, common, place);
  }
}

type CommonOfRows = Pick<RouteRow, 'route_config' | 'listener' | 'virtual_host' | 'domains'>;

/** Routes of which the first that matches is taken. */
function* rowsOfList(
  routes: readonly Route[],
  common: CommonOfRows,
  tree?: string,
): Generator<RouteRow | ''> {
  const shadows = yield* shadowedRoutes(routes);
  for (const [index, route] of routes.entries()) {
    const shadow = shadows.get(index);
    const place = tree && at(tree, index);
    yield {
      name: `${common.route_config}/${common.virtual_host}/${place ?? index}`,
      ...common,
      index,
      ...(place !== undefined && { place }),
      route: route.name,
      match: matchText(route.match),
      action: actionText(route),
      clusters: targetsOf(route),
      ...(shadow !== undefined && { shadowed_by: { ...shadow, name: routes[shadow.index]?.name ?? '' } }),
    };
  }
}
