// Search, order and pages of lists: the same parameters everywhere, and done here, so that a browser need not hold ten
// thousand clusters.

import type { ApiParam, ApiParams, Schema } from './endpoint.ts';

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 1000;

/** `sortable`: fields to sort by, the first by default; a `-` before one turns the order around. */
export function listParams(sortable: readonly string[], defaultSort = sortable[0] as string): ApiParam[] {
  const orders = sortable.flatMap((field) => [field, `-${field}`]);
  const query = (name: string, description: string, schema: Schema): ApiParam => ({ name, in: 'query', description, schema }); // biome-ignore format: short
  return [
    query('search', 'Text that the name contains, in whatever case', { type: 'string' }),
    query('sort', 'The order', { type: 'string', enum: orders, default: defaultSort }),
    query('offset', 'How many to leave out', { type: 'integer', minimum: 0, default: 0 }),
    query('limit', 'How many at most', { type: 'integer', minimum: 1, maximum: MAX_LIMIT, default: DEFAULT_LIMIT }),
  ]; // biome-ignore format: a table
}

/** The answer's schema: a page of `item`. */
export function pageSchema(item: Schema): Schema {
  return {
    type: 'object',
    required: ['total', 'offset', 'items'],
    additionalProperties: false,
    properties: {
      total: { type: 'integer', description: 'How many there are on all pages' },
      offset: { type: 'integer' },
      items: { type: 'array', items: item },
    },
  };
}

export interface Page<Item> {
  readonly total: number;
  readonly offset: number;
  readonly items: readonly Item[];
}

/** The page that `params` (of `listParams`) ask for. `field` gives what an item is sorted by. */
export function pageOf<Item extends { readonly name: string }>(
  all: Iterable<Item>,
  params: ApiParams,
  field: (item: Item, name: string) => string | number,
): Page<Item> {
  const search = params.text('search')?.toLowerCase() ?? '';
  const found: Item[] = [];
  for (const item of all) if (item.name.toLowerCase().includes(search)) found.push(item);
  const sort = params.text('sort') as string;
  const descending = sort.startsWith('-');
  const by = descending ? sort.slice(1) : sort;
  found.sort((a, b) => {
    const [x, y] = [field(a, by), field(b, by)];
    const order = x < y ? -1 : x > y ? 1 : 0;
    return descending ? -order : order;
  });
  const offset = params.integer('offset');
  return { total: found.length, offset, items: found.slice(offset, offset + params.integer('limit')) };
}
