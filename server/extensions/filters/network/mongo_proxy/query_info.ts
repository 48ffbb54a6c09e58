// What a query is about: a command, or a collection with a call site and a kind of lookup.
// Envoy: source/extensions/filters/network/mongo_proxy/utility.cc (QueryMessageInfo).

import { type BsonDocument, BsonType } from './bson.ts';
import type { QueryMessage } from './codec.ts';

/** Queries without an `_id` go to all shards, those with a document as `_id` to several. */
export type QueryType = 'primary_key' | 'scatter_get' | 'multi_get';

export interface QueryInfo {
  /** '' for a query of a collection, the `find` command included. */
  readonly command: string;
  readonly collection: string;
  /** `callingFunction` of a JSON comment, or ''. */
  readonly callsite: string;
  /** ms; 0 = not given. */
  readonly maxTimeMs: number;
  readonly type: QueryType;
}

/** Old spellings. */
const ALIASES: Readonly<Record<string, string>> = {
  collstats: 'collStats',
  dbstats: 'dbStats',
  findandmodify: 'findAndModify',
  getlasterror: 'getLastError',
  ismaster: 'isMaster',
};

/** Undefined when the message makes no sense. */
export function queryInfo({ collection, query }: QueryMessage): QueryInfo | undefined {
  if (collection.includes('$cmd')) return commandInfo(query.nested(query.find('$query')) ?? query);
  const dot = collection.indexOf('.');
  if (dot < 0) return undefined;
  const inner = query.nested(query.find('$query'));
  const type = queryType(query);
  return {
    command: '',
    collection: collection.slice(dot + 1),
    callsite: callingFunction(query.string(query.find('$comment', BsonType.String))),
    maxTimeMs: query.integer(query.find('$maxTimeMS') ?? query.find('maxTimeMS')),
    type: type === 'scatter_get' && inner !== undefined ? queryType(inner) : type,
  };
}

function commandInfo(document: BsonDocument): QueryInfo | undefined {
  const first = document.first();
  if (first === undefined) return undefined;
  if (first.key !== 'find') {
    const command = ALIASES[first.key] ?? first.key;
    return { command, collection: '', callsite: '', maxTimeMs: 0, type: 'primary_key' };
  }
  if (first.type !== BsonType.String) return undefined;
  const filter = document.nested(document.find('filter', BsonType.Document));
  return {
    command: '',
    collection: document.string(first),
    callsite: callingFunction(document.string(document.find('comment', BsonType.String))),
    maxTimeMs: 0,
    type: filter === undefined ? 'primary_key' : queryType(filter),
  };
}

function queryType(document: BsonDocument): QueryType {
  const id = document.find('_id');
  if (id === undefined) return 'scatter_get';
  return id.type === BsonType.Document || id.type === BsonType.Array ? 'multi_get' : 'primary_key';
}

function callingFunction(comment: string): string {
  if (comment === '') return '';
  try {
    const json = JSON.parse(comment) as { callingFunction?: unknown } | null;
    return typeof json?.callingFunction === 'string' ? json.callingFunction : '';
  } catch {
    return '';
  }
}
