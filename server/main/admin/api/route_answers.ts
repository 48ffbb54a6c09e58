// The answers of /api/routes.

import type { Json } from '../../../../xds-protos/json.ts';
import { inTurns, type Steps } from '../../../common/event/steps.ts';
import { type RouteRow, type RouteTable, routeTables } from '../../explain/route_table.ts';
import type { AdminContext } from '../context.ts';
import type { ApiParams, ApiResult } from './endpoint.ts';
import { type Page, pageInSteps } from './listing.ts';

const ROWS_PER_STEP = 64;

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
  const found = matching(tables, params, await context.routeHits());
  const inOrder = params.text('sort') === 'order';
  const page = await inTurns(inOrder ? pageInOrder(found, params) : pageInSteps(found, params, sortKey));
  return {
    json: {
      ...page,
      items: page.items.map(
        ({ row, hits }) => ({ ...row, ...(hits !== undefined && { hits }) }) as unknown as Json,
      ),
    },
  };
}

/** The rows that the parameters are for, and '' wherever others may have a turn. */
function* matching(
  tables: readonly RouteTable[],
  params: ApiParams,
  hitsOf: Awaited<ReturnType<AdminContext['routeHits']>>,
): Generator<Found | ''> {
  const [config, host, shadowed] = ['route_config', 'virtual_host', 'shadowed'].map((name) =>
    params.text(name),
  );
  const search = params.text('search')?.toLowerCase() ?? '';
  let order = 0;
  for (const { owner, name: table, rows, searched } of tables) {
    const counts = hitsOf(owner, table);
    let counted = 0;
    for (const [place, row] of rows.entries()) {
      const hits = row.place === undefined ? (counts?.[counted++] ?? 0) : undefined;
      if (++order % ROWS_PER_STEP === 0) yield '';
      if (config !== undefined && row.route_config !== config) continue;
      if (host !== undefined && row.virtual_host !== host) continue;
      if (shadowed !== undefined && (row.shadowed_by !== undefined) !== (shadowed === 'true')) continue;
      const name = searched[place] as string;
      if (name.includes(search)) yield { row, name, order, hits };
    }
  }
}

/** Of fifty thousand that come in their order, only those of the page are kept. */
function* pageInOrder(found: Iterable<Found | ''>, params: ApiParams): Steps<Page<Found>> {
  const [offset, limit] = [params.integer('offset'), params.integer('limit')];
  const items: Found[] = [];
  let total = 0;
  for (const each of found) {
    if (each === '') {
      yield each;
      continue;
    }
    if (total >= offset && items.length < limit) items.push(each);
    total++;
  }
  return { total, offset, items };
}

function sortKey(each: Found, by: string): string | number {
  if (by === 'order') return each.order;
  return by === 'hits' ? (each.hits ?? -1) : each.row[by as 'name' | 'match'];
}
