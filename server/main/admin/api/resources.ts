// /api/resources: what is configured, of every kind and in every state, a page at a time; and one of them in full.

import type { Json } from '../../../../xds-protos/json.ts';
import { inTurns, type Steps } from '../../../common/event/steps.ts';
import { type ResourceKind, TYPE_NAMES } from '../../config_store/resource.ts';
import { type Difference, diffRedacted } from '../../config_store/resource_diff.ts';
import type { AdminContext, ResourceStatus } from '../context.ts';
import { redactedJson } from '../large_json.ts';
import { type ApiEndpoint, ApiError, type ApiParam, type Schema } from './endpoint.ts';
import { listParams, pageInSteps, pageSchema } from './listing.ts';

export const KINDS = Object.keys(TYPE_NAMES) as ResourceKind[];
const STATES = ['active', 'warming', 'rejected'] as const;
type State = (typeof STATES)[number];

const KIND: Schema = { type: 'string', enum: KINDS };
const TIME: Schema = { type: 'integer', description: 'ms since 1970' };

const REJECTION: Schema = {
  type: 'object',
  description: 'The last update that was refused; gone once a good one comes',
  required: ['path', 'reason', 'version', 'at'],
  additionalProperties: false,
  properties: {
    path: { type: 'string', description: 'The field, as clusters[0].name; empty where it is the whole' },
    reason: { type: 'string' },
    version: { type: 'string' },
    at: TIME,
  },
};

const SUMMARY = {
  kind: KIND,
  name: { type: 'string' },
  state: {
    type: 'string',
    enum: STATES,
    description:
      'rejected: nothing serves, and what came was refused. An active one may have a rejection, too',
  },
  static: { type: 'boolean', description: 'From the bootstrap' },
  version: { type: 'string', description: 'Of what serves, or else of what warms' },
  updated_at: TIME,
  size_bytes: { type: 'integer', description: 'Of the protobuf message' },
  warming: { type: 'boolean', description: 'A newer version waits for what it needs' },
  rejection: REJECTION,
} as const satisfies Record<string, Schema>;
const REQUIRED = ['kind', 'name', 'state', 'static', 'version', 'updated_at', 'size_bytes', 'warming'];

export const RESOURCE_SCHEMAS: Readonly<Record<string, Schema>> = {
  Resource: { type: 'object', required: REQUIRED, additionalProperties: false, properties: SUMMARY },
  ResourceDetail: {
    type: 'object',
    required: REQUIRED,
    additionalProperties: false,
    properties: {
      ...SUMMARY,
      resource: { type: 'object', description: 'What serves, as proto3 JSON without secrets' },
      warming_resource: { type: 'object', description: 'What warms' },
      rejected_resource: { type: 'object', description: 'What was refused, where it could be read' },
      warming_changes: {
        type: 'array',
        description: 'From what serves to what warms',
        items: { $ref: '#/components/schemas/Change' },
      },
      rejected_changes: {
        type: 'array',
        description: 'From what serves to what was refused, where it could be read',
        items: { $ref: '#/components/schemas/Change' },
      },
    },
  },
};

const optionalKind: ApiParam = { name: 'kind', in: 'query', description: 'Only of this kind', schema: KIND };

export const RESOURCE_ENDPOINTS: readonly ApiEndpoint[] = [
  {
    path: '/api/resources',
    summary: 'Configured resources with their states',
    params: [
      optionalKind,
      {
        name: 'state',
        in: 'query',
        description: 'Only in this state',
        schema: { type: 'string', enum: STATES },
      },
      ...listParams(['name', 'updated_at', 'size_bytes']),
    ],
    response: pageSchema({ $ref: '#/components/schemas/Resource' }),
    handle: async (params, context) => {
      const state = params.text('state');
      const kind = params.text('kind') as ResourceKind | undefined;
      const page = await inTurns(pageInSteps(summaries(context, kind, state), params, sortKey));
      return { json: { ...page, items: page.items.map(summaryJson) } };
    },
  },
  {
    path: '/api/resources/{kind}/{name}',
    summary: 'One resource with its configuration',
    params: [
      { name: 'kind', in: 'path', description: 'Its kind', schema: KIND },
      { name: 'name', in: 'path', description: 'Its name, percent-encoded', schema: { type: 'string' } },
    ],
    response: { $ref: '#/components/schemas/ResourceDetail' },
    handle: async (params, context) => {
      const kind = params.text('kind') as ResourceKind;
      const name = params.text('name') as string;
      for (const status of context.resources.all(kind)) {
        if (status.name === name) return { json: await inTurns(detailJson(status)) };
      }
      throw new ApiError(404, `no ${kind} '${name}'`);
    },
  },
];

function* summaries(
  { resources }: AdminContext,
  kind: ResourceKind | undefined,
  state: string | undefined,
): Generator<ResourceStatus> {
  for (const status of resources.all(kind)) {
    if (state === undefined || stateOf(status) === state) yield status;
  }
}

function stateOf({ active, warming, failure }: ResourceStatus): State {
  if (active !== undefined) return 'active';
  return warming === undefined && failure !== undefined ? 'rejected' : 'warming';
}

function sortKey(status: ResourceStatus, by: string): string | number {
  const version = status.active ?? status.warming;
  if (by === 'updated_at') return version?.receivedAt ?? status.failure?.at ?? 0;
  if (by === 'size_bytes') return version?.bytes.length ?? status.failure?.bytes.length ?? 0;
  return status.name;
}

/** A resource without its configuration. */
export function summaryJson(status: ResourceStatus): { [key: string]: Json } {
  const { kind, name, isStatic, active, warming, failure } = status;
  const version = active ?? warming;
  return {
    kind,
    name,
    state: stateOf(status),
    static: isStatic,
    version: version?.version ?? '',
    updated_at: sortKey(status, 'updated_at'),
    size_bytes: sortKey(status, 'size_bytes'),
    warming: active !== undefined && warming !== undefined,
    ...(failure !== undefined && {
      rejection: { path: failure.path, reason: failure.reason, version: failure.version, at: failure.at },
    }),
  };
}

function* detailJson(status: ResourceStatus): Steps<Json> {
  const { kind, active, warming, failure } = status;
  return {
    ...summaryJson(status),
    ...(yield* shown('resource', kind, active?.bytes)),
    ...(yield* shown('warming_resource', kind, warming?.bytes)),
    ...(yield* shown('rejected_resource', kind, failure?.bytes)),
    ...changed('warming_changes', kind, active?.bytes, warming?.bytes),
    ...changed('rejected_changes', kind, active?.bytes, failure?.bytes),
  };
}

function changed(
  field: string,
  kind: ResourceKind,
  before: Uint8Array | undefined,
  after: Uint8Array | undefined,
): { [key: string]: Json } | undefined {
  if (before === undefined || after === undefined) return undefined;
  return changesJson(field, () => diffRedacted(TYPE_NAMES[kind], before, after));
}

/** What `diff` finds as the schema Change has it; undefined where it finds nothing to compare, or what cannot be read. */
export function changesJson(
  field: string,
  diff: () => readonly Difference[] | undefined,
): { [key: string]: Json } | undefined {
  let differences: readonly Difference[] | undefined;
  try {
    differences = diff();
  } catch {
    // What was refused may be no such message at all; its rejection says so.
  }
  return differences && { [field]: differences.map(changeJson) };
}

function changeJson({ path, before, after }: Difference): Json {
  return { path, ...(before !== undefined && { before }), ...(after !== undefined && { after }) };
}

function* shown(
  field: string,
  kind: ResourceKind,
  bytes: Uint8Array | undefined,
): Steps<{ [key: string]: Json } | undefined> {
  const json = bytes && (yield* resourceJson(kind, bytes));
  return json === undefined ? undefined : { [field]: json };
}

/** A resource as proto3 JSON, without its secrets; undefined when it cannot be read. */
export function* resourceJson(kind: ResourceKind, bytes: Uint8Array): Steps<Json | undefined> {
  try {
    return yield* redactedJson(TYPE_NAMES[kind], bytes);
  } catch {
    // What was refused may be no such message at all; its rejection says so.
    return undefined;
  }
}
