// /api/history: every version of every resource that came, taken or refused, and what each changed; /api/events: the same as
// it happens.

import type { Json } from '../../../../xds-protos/json.ts';
import { inTurns, type Steps } from '../../../common/event/steps.ts';
import type { HistoryEntry, ResourceHistory } from '../../config_store/history.ts';
import { type ApiEndpoint, ApiError, type Schema } from './endpoint.ts';
import { eventStream } from './event_stream.ts';
import { listParams, pageInSteps, pageSchema } from './listing.ts';
import { changesJson, KINDS, resourceJson } from './resources.ts';

/** Of those that happened while nobody listened, the latest: a reader that was away for longer asks /api/history. */
const MAX_MISSED_EVENTS = 500;

const VERDICTS = ['accepted', 'rejected', 'removed'] as const;

const ENTRY = {
  id: { type: 'integer', description: 'Counts all entries since the start' },
  kind: { type: 'string', enum: KINDS },
  name: { type: 'string' },
  version: { type: 'string' },
  source: { type: 'string', description: 'Who sent it: ads, a path, a cluster' },
  at: { type: 'integer', description: 'ms since 1970' },
  verdict: { type: 'string', enum: VERDICTS },
  path: { type: 'string', description: 'Of a rejected one: the field' },
  reason: { type: 'string', description: 'Of a rejected one: why' },
} as const satisfies Record<string, Schema>;
const REQUIRED = ['id', 'kind', 'name', 'version', 'source', 'at', 'verdict'];

export const HISTORY_SCHEMAS: Readonly<Record<string, Schema>> = {
  HistoryEntry: { type: 'object', required: REQUIRED, additionalProperties: false, properties: ENTRY },
  HistoryDetail: {
    type: 'object',
    required: REQUIRED,
    additionalProperties: false,
    properties: {
      ...ENTRY,
      changes: {
        type: 'array',
        description:
          'Against the version that was asked for, or the last one before it that was accepted; absent where there is none or one of the two cannot be read. Of secrets it is said that they changed, not what they are',
        items: { $ref: '#/components/schemas/Change' },
      },
      resource: { type: 'object', description: 'As proto3 JSON without secrets, where it could be read' },
    },
  },
  Change: {
    type: 'object',
    required: ['path'],
    additionalProperties: false,
    properties: {
      path: { type: 'string', description: 'Elements with a name are given by it: virtual_hosts[reviews]' },
      before: { description: 'Absent when the field was added' },
      after: { description: 'Absent when the field was removed' },
    },
  },
};

export const HISTORY_ENDPOINTS: readonly ApiEndpoint[] = [
  {
    path: '/api/history',
    summary: 'Versions of resources that came, the latest first',
    params: [
      { name: 'kind', in: 'query', description: 'Only of this kind', schema: ENTRY.kind },
      { name: 'name', in: 'query', description: 'Only of this name', schema: { type: 'string' } },
      { name: 'verdict', in: 'query', description: 'Only with this verdict', schema: ENTRY.verdict },
      ...listParams(['id', 'name'], '-id'),
    ],
    response: pageSchema({ $ref: '#/components/schemas/HistoryEntry' }),
    handle: async (params, { history }) => {
      const [kind, name, verdict] = ['kind', 'name', 'verdict'].map((each) => params.text(each));
      const wanted = [...history.all()].filter(
        (entry) =>
          (kind === undefined || entry.kind === kind) &&
          (name === undefined || entry.name === name) &&
          (verdict === undefined || verdictOf(entry) === verdict),
      );
      const sortKey = (entry: HistoryEntry, by: string) => (by === 'name' ? entry.name : entry.id);
      const page = await inTurns(pageInSteps(wanted, params, sortKey));
      return { json: { ...page, items: page.items.map(entryJson) } };
    },
  },
  {
    path: '/api/history/{id}',
    summary: 'One version, with what it changed',
    params: [
      { name: 'id', in: 'path', description: 'Of the entry', schema: { type: 'integer', minimum: 1 } },
      {
        name: 'against',
        in: 'query',
        description: 'The id of another version of the resource: what changed from that one to this one',
        schema: { type: 'integer', minimum: 1 },
      },
    ],
    response: { $ref: '#/components/schemas/HistoryDetail' },
    handle: async (params, { history }) => {
      const entry = entryOf(params.integer('id'), history);
      if (params.text('against') === undefined)
        return { json: await inTurns(detailJson(entry, history, undefined)) };
      const against = entryOf(params.integer('against'), history);
      if (against.kind !== entry.kind || against.name !== entry.name)
        throw new ApiError(400, `entry ${against.id} is of ${against.kind} '${against.name}'`);
      return { json: await inTurns(detailJson(entry, history, against)) };
    },
  },
  {
    path: '/api/events',
    summary:
      'A stream of server-sent events, `config` with an entry of the history each, as they happen; with the header Last-Event-ID it begins after that one',
    params: [],
    response: undefined,
    handle: (_params, { history }, _body, { message }) => ({
      events: eventStream((push) => {
        const tell = (entry: HistoryEntry): void =>
          push({ event: 'config', id: entry.id, data: JSON.stringify(entryJson(entry)) });
        const last = Number(message.headers['last-event-id'] ?? Number.NaN);
        const missed = [...history.all()].filter(({ id }) => id > last).sort((a, b) => a.id - b.id);
        for (const entry of missed.slice(-MAX_MISSED_EVENTS)) tell(entry);
        return history.observe(tell);
      }),
    }),
  },
];

function verdictOf({ bytes, error }: HistoryEntry): (typeof VERDICTS)[number] {
  if (bytes === undefined) return 'removed';
  return error === undefined ? 'accepted' : 'rejected';
}

/** An entry without its configuration. */
export function entryJson(entry: HistoryEntry): { [key: string]: Json } {
  const { id, kind, name, version, source, at, error } = entry;
  return { id, kind, name, version, source, at, verdict: verdictOf(entry), ...error };
}

/** Throws ApiError. */
function entryOf(id: number, history: ResourceHistory): HistoryEntry {
  const entry = history.get(id);
  if (entry === undefined) throw new ApiError(404, `no entry ${id}, or none any more`);
  return entry;
}

function* detailJson(
  entry: HistoryEntry,
  history: ResourceHistory,
  against: HistoryEntry | undefined,
): Steps<Json> {
  const resource = entry.bytes && (yield* resourceJson(entry.kind, entry.bytes));
  return {
    ...entryJson(entry),
    ...changesJson('changes', () => history.diff(entry, against)),
    ...(resource !== undefined && { resource }),
  };
}
