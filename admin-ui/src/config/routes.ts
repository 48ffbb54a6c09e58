// A route configuration taken apart: which requests go where.

import type { JsonObject } from '../api/types.ts';
import { list, object, text } from './json.ts';

/** A config.route.v3.RouteConfiguration. */
export type RouteConfig = JsonObject;

export interface WeightedCluster {
  readonly name: string;
  readonly weight: number;
}

/** Of a config.route.v3.Route, where it forwards. */
export function clustersOf(route: JsonObject): WeightedCluster[] {
  const action = object(route['route']);
  if (action['cluster'] !== undefined) return [{ name: text(action['cluster']), weight: 100 }];
  return list(object(action['weighted_clusters'])['clusters']).map(({ name, weight }) => ({
    name: text(name),
    weight: Number(weight ?? 0),
  }));
}

export function clustersOfRoutes(config: RouteConfig): string[] {
  const names = list(config['virtual_hosts']).flatMap((host) =>
    list(host['routes']).flatMap((route) => clustersOf(route).map(({ name }) => name)),
  );
  return [...new Set(names)];
}
