// The routes of configurations as rules, as /api/routes has them: for a /config_dump file, where no proxy is asked.

import type { JsonObject, ResourceDetail, RouteRow } from '../api/types.ts';
import { list, object, text, texts } from './json.ts';
import { listenerParts } from './listener.ts';
import { routeMatch } from './matchers.ts';
import { clustersOf, type RouteConfig } from './routes.ts';

/** Of route configurations, and of those that are part of listeners. */
export function routeRows(resources: readonly ResourceDetail[]): RouteRow[] {
  return resources.flatMap(({ kind, name, resource = {} }) => {
    if (kind === 'route') return rowsOf(resource, '');
    if (kind !== 'listener') return [];
    const inline = listenerParts(resource).chains.map(({ http }) => http?.inline);
    return inline.flatMap((config) => (config === undefined ? [] : rowsOf(config, name)));
  });
}

function rowsOf(config: RouteConfig, listener: string): RouteRow[] {
  const configName = text(config['name']);
  return list(config['virtual_hosts']).flatMap((host) =>
    list(host['routes']).map((route, index) => ({
      name: `${configName}/${text(host['name'])}/${index}`,
      route_config: configName,
      listener,
      virtual_host: text(host['name']),
      domains: texts(host['domains']),
      index,
      route: text(route['name']),
      match: routeMatch(object(route['match'])),
      action: actionOf(route),
      clusters: clustersOf(route),
    })),
  );
}

function actionOf(route: JsonObject): string {
  const clusters = clustersOf(route);
  if (clusters.length === 1) return `to ${clusters[0]!.name}`;
  if (clusters.length > 1)
    return `to ${clusters.map(({ name, weight }) => `${name} (${weight})`).join(', ')}`;
  const header = text(object(route['route'])['cluster_header']);
  if (header !== '') return `to the cluster in the header ${header}`;
  if (route['direct_response'] !== undefined)
    return `answer ${text(object(route['direct_response'])['status'])}`;
  const redirect = object(route['redirect']);
  const to =
    text(redirect['path_redirect']) || text(redirect['host_redirect']) || text(redirect['prefix_rewrite']);
  return route['redirect'] === undefined
    ? 'something else'
    : `redirect ${to === '' ? '' : `to ${to}`}`.trim();
}
