// What /api/connections answers: the first rows of each worker, merged. Loaded with the first question.

import type { Json } from '../../../../xds-protos/json.ts';
import {
  type ConnectionQuery,
  type ConnectionRow,
  type ConnectionSort,
  compareRows,
} from '../../../common/network/connection_table.ts';
import type { AdminContext } from '../context.ts';
import { MAX_ROWS } from './connections.ts';
import { ApiError, type ApiParams, type ApiResult } from './endpoint.ts';

export async function listConnections(params: ApiParams, { connections }: AdminContext): Promise<ApiResult> {
  const offset = params.integer('offset');
  const end = Math.min(offset + params.integer('limit'), MAX_ROWS);
  const sort = params.text('sort') as string;
  const descending = sort.startsWith('-');
  const query: ConnectionQuery = {
    listener: params.text('listener') ?? '',
    protocol: params.text('protocol') ?? '',
    search: params.text('search')?.toLowerCase() ?? '',
    sort: (descending ? sort.slice(1) : sort) as ConnectionSort,
    descending,
    limit: end,
  };
  const pages = [...(await connections.list(query)).values()];
  const total = pages.reduce((sum, page) => sum + page.total, 0);
  const rows = pages.flatMap((page) => page.rows);
  rows.sort((a, b) => (descending ? compareRows(b, a, query.sort) : compareRows(a, b, query.sort)));
  const items = rows.slice(offset, end).map(rowJson);
  return { json: { total, offset, items, truncated: total > MAX_ROWS } };
}

export async function drainConnection(params: ApiParams, { connections }: AdminContext): Promise<ApiResult> {
  const id = params.integer('id');
  const answers = [...(await connections.drain(id)).values()];
  if (!answers.includes(true)) throw new ApiError(404, `no connection ${id}`);
  return { json: { id, draining: true } };
}

function rowJson({ tls, ...row }: ConnectionRow): Json {
  return tls === null ? row : { ...row, tls: { ...tls, peer_uris: [...tls.peer_uris] } };
}
