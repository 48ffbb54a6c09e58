// /stats/cardinality: which groups of stats have the most members, and which of their tags makes them so many: what to look at
// when a scrape becomes large.

import { inTurns, type Steps } from '../../../common/event/steps.ts';
import type { StatAggregator } from '../../../common/stats/aggregator.ts';
import type { StatFamily } from '../../../common/stats/stat_family.ts';
import type { TagProducer } from '../../../common/stats/tag_producer.ts';
import type { ApiEndpoint, Schema } from './endpoint.ts';

/** Of the values of a group's tags, those with the most stats. */
const LARGEST_VALUES = 3;
const MAX_GROUPS = 1000;

export const CARDINALITY_SCHEMAS: Readonly<Record<string, Schema>> = {
  StatGroup: {
    type: 'object',
    required: ['name', 'family', 'prefixes', 'stats', 'tags', 'largest', 'example'],
    additionalProperties: false,
    properties: {
      name: { type: 'string', description: 'What is left of the names without their tags' },
      family: {
        type: 'string',
        description:
          'What makes them: the family of stats (`cluster_traffic`), or the kind of stats that are made one by one',
      },
      prefixes: {
        type: 'integer',
        description: 'How many there are: clusters, listeners, combinations of labels',
      },
      stats: { type: 'integer', description: 'Of all of them; histograms count as one each' },
      tags: {
        type: 'object',
        description: 'How many values each tag has: the largest is what makes the group large',
      },
      largest: {
        type: 'array',
        description: 'The values of tags that have the most of these stats: which cluster, which user',
        items: {
          type: 'object',
          required: ['tag', 'value', 'stats'],
          additionalProperties: false,
          properties: { tag: { type: 'string' }, value: { type: 'string' }, stats: { type: 'integer' } },
        },
      },
      example: { type: 'string', description: 'One of its members' },
    },
  },
};

export const CARDINALITY_ENDPOINTS: readonly ApiEndpoint[] = [
  {
    path: '/stats/cardinality',
    summary: 'The largest groups of stats, and the tags that make them large',
    params: [
      {
        name: 'limit',
        in: 'query',
        description: 'How many groups at most',
        schema: { type: 'integer', minimum: 1, maximum: MAX_GROUPS, default: 20 },
      },
    ],
    response: {
      type: 'object',
      required: ['stats', 'prefixes', 'groups'],
      additionalProperties: false,
      properties: {
        stats: { type: 'integer' },
        prefixes: { type: 'integer' },
        groups: { type: 'array', items: { $ref: '#/components/schemas/StatGroup' } },
      },
    },
    handle: async (params, { stats, statsSettings }) => {
      const groups = [...(await inTurns(groupsOf(stats, statsSettings.tags))).values()].sort(
        (a, b) => b.stats - a.stats,
      );
      const sum = (field: 'stats' | 'prefixes'): number =>
        groups.reduce((total, each) => total + each[field], 0);
      return {
        json: {
          stats: sum('stats'),
          prefixes: sum('prefixes'),
          groups: groups.slice(0, params.integer('limit')).map(groupJson),
        },
      };
    },
  },
];

interface Group {
  readonly name: string;
  readonly family: string;
  readonly example: string;
  prefixes: number;
  stats: number;
  /** How many stats each value of each tag has. */
  readonly tags: Map<string, Map<string, number>>;
}

function* groupsOf(stats: StatAggregator, tags: TagProducer): Steps<Map<string, Group>> {
  const groups = new Map<string, Group>();
  yield* stats.refresh();
  for (const family of yield* stats.sortedFamilies('token')) {
    add(groups, family, tags);
    yield '';
  }
  return groups;
}

function add(groups: Map<string, Group>, family: StatFamily, producer: TagProducer): void {
  const { prefix, definitions, schemaId } = family;
  const { name, tags } = family.tagged ?? producer.produce(prefix);
  const key = `${schemaId} ${name}`;
  let group = groups.get(key);
  if (group === undefined) {
    group = { name, family: schemaId, example: prefix, prefixes: 0, stats: 0, tags: new Map() };
    groups.set(key, group);
  }
  let listed = 0;
  for (let offset = 0; offset < definitions.length; offset++) {
    if (definitions[offset]?.unlisted !== true || family.used(offset)) listed++;
  }
  group.prefixes++;
  group.stats += listed;
  for (const tag of tags) {
    let values = group.tags.get(tag.name);
    if (values === undefined) group.tags.set(tag.name, (values = new Map()));
    values.set(tag.value, (values.get(tag.value) ?? 0) + listed);
  }
}

function groupJson({ tags, ...group }: Group) {
  const byCount = [...tags].map(([tag, values]) => [tag, values.size] as const).sort((a, b) => b[1] - a[1]);
  return { ...group, tags: Object.fromEntries(byCount), largest: largestOf(tags) };
}

function largestOf(tags: Group['tags']): { tag: string; value: string; stats: number }[] {
  const largest: { tag: string; value: string; stats: number }[] = [];
  for (const [tag, values] of tags) {
    for (const [value, stats] of values) {
      if (largest.length === LARGEST_VALUES && stats <= largest[LARGEST_VALUES - 1]!.stats) continue;
      largest.push({ tag, value, stats });
      largest.sort((a, b) => b.stats - a.stats);
      largest.length = Math.min(largest.length, LARGEST_VALUES);
    }
  }
  return largest;
}
