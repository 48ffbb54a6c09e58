// Search, order and pages of lists: the same parameters everywhere, and done here, so that a browser need not hold ten
// thousand clusters.

import { finish, type Steps, sortInSteps } from '../../../common/event/steps.ts';
import type { ApiParam, ApiParams, Schema } from './endpoint.ts';

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 1000;
const ITEMS_PER_STEP = 256;

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
  return finish(pageInSteps(all, params, field));
}

/** As above, of more than some ten thousand. '' among them is for others to have a turn. */
export function* pageInSteps<Item extends { readonly name: string }>(
  all: Iterable<Item | ''>,
  params: ApiParams,
  field: (item: Item, name: string) => string | number,
): Steps<Page<Item>> {
  const search = params.text('search')?.toLowerCase() ?? '';
  const sort = params.text('sort') as string;
  const direction = sort.startsWith('-') ? 'descending' : 'ascending';
  const by = direction === 'descending' ? sort.slice(1) : sort;
  const keyed: { readonly key: string | number; readonly item: Item }[] = [];
  let count = 0;
  for (const item of all) {
    if (item === '' || ++count % ITEMS_PER_STEP === 0) yield '';
    if (item === '') continue;
    if (item.name.toLowerCase().includes(search)) keyed.push({ key: field(item, by), item });
  }
  const found = yield* sortInSteps(keyed, direction);
  const offset = params.integer('offset');
  const page = found.slice(offset, offset + params.integer('limit'));
  return { total: found.length, offset, items: page.map(({ item }) => item) };
}
