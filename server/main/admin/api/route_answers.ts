// The answers of /api/routes.

import type { Json } from '../../../../xds-protos/json.ts';
import { type RouteRow, routeTables } from '../../explain/route_table.ts';
import type { AdminContext } from '../context.ts';
import type { ApiParams, ApiResult } from './endpoint.ts';
import { pageOf } from './listing.ts';

interface Found {
  readonly row: RouteRow;
  /** What a search looks at. */
  readonly name: string;
  readonly order: number;
  /** Those in match trees are not counted. */
  readonly hits: number | undefined;
}

export async function listRoutes(params: ApiParams, context: AdminContext): Promise<ApiResult> {
  const tables = await routeTables(await context.configuration());
  const hitsOf = await context.routeHits();
  const [config, host, shadowed] = ['route_config', 'virtual_host', 'shadowed'].map((name) =>
    params.text(name),
  );
  const found: Found[] = [];
  let order = 0;
  for (const { owner, name: table, rows } of tables) {
    const counts = hitsOf(owner, table);
    let place = 0;
    for (const row of rows) {
      const hits = row.place === undefined ? (counts?.[place++] ?? 0) : undefined;
      order++;
      if (config !== undefined && row.route_config !== config) continue;
      if (host !== undefined && row.virtual_host !== host) continue;
      if (shadowed !== undefined && (row.shadowed_by !== undefined) !== (shadowed === 'true')) continue;
      found.push({ row, name: searchedText(row), order, hits });
    }
  }
  const page = pageOf(found, params, (each, by) =>
    by === 'order' ? each.order : by === 'hits' ? (each.hits ?? -1) : each.row[by as 'name' | 'match'],
  );
  return {
    json: {
      ...page,
      items: page.items.map(
        ({ row, hits }) => ({ ...row, ...(hits !== undefined && { hits }) }) as unknown as Json,
      ),
    },
  };
}

/** Its name has its place. */
function searchedText({ name, route, domains, match, action }: RouteRow): string {
  return [name, route, ...domains, match, action].join(' ');
}
