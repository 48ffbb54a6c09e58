// The answers of /api/routes.

import type { Json } from '../../../../xds-protos/json.ts';
import { type RouteRow, routeTable } from '../../explain/route_table.ts';
import type { AdminContext } from '../context.ts';
import type { ApiParams, ApiResult } from './endpoint.ts';
import { pageOf } from './listing.ts';

export async function listRoutes(params: ApiParams, context: AdminContext): Promise<ApiResult> {
  const all = await routeTable(await context.configuration());
  const [config, host, shadowed] = ['route_config', 'virtual_host', 'shadowed'].map((name) =>
    params.text(name),
  );
  const found: { readonly row: RouteRow; readonly name: string; readonly order: number }[] = [];
  for (const [order, row] of all.entries()) {
    if (config !== undefined && row.route_config !== config) continue;
    if (host !== undefined && row.virtual_host !== host) continue;
    if (shadowed !== undefined && (row.shadowed_by !== undefined) !== (shadowed === 'true')) continue;
    found.push({ row, name: searchedText(row), order });
  }
  const page = pageOf(found, params, ({ row, order }, by) =>
    by === 'order' ? order : row[by as 'name' | 'match'],
  );
  return { json: { ...page, items: page.items.map(({ row }) => row as unknown as Json) } };
}

function searchedText({ name, route, domains, match, action }: RouteRow): string {
  return [name, route, ...domains, match, action].join(' ');
}
