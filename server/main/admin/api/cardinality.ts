// /stats/cardinality: which groups of stats have the most members, and which of their tags makes them so many: what to look at
// when a scrape becomes large.

import type { StatAggregator } from '../../../common/stats/aggregator.ts';
import type { StatFamily } from '../../../common/stats/stat_family.ts';
import type { TagProducer } from '../../../common/stats/tag_producer.ts';
import type { ApiEndpoint, Schema } from './endpoint.ts';

/** ms after which others get a turn of the event loop. */
const TURN_MS = 10;
/** How often the clock is looked at. */
const FAMILIES_PER_CLOCK = 64;
const MAX_GROUPS = 1000;

export const CARDINALITY_SCHEMAS: Readonly<Record<string, Schema>> = {
  StatGroup: {
    type: 'object',
    required: ['name', 'prefixes', 'stats', 'tags', 'example'],
    additionalProperties: false,
    properties: {
      name: { type: 'string', description: 'What is left of the names without their tags' },
      prefixes: {
        type: 'integer',
        description: 'How many there are: clusters, listeners, combinations of labels',
      },
      stats: { type: 'integer', description: 'Of all of them; histograms count as one each' },
      tags: {
        type: 'object',
        description: 'How many values each tag has: the largest is what makes the group large',
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
      const groups = [...(await groupsOf(stats, statsSettings.tags)).values()].sort(
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
  readonly example: string;
  prefixes: number;
  stats: number;
  readonly tags: Map<string, Set<string>>;
}

async function groupsOf(stats: StatAggregator, tags: TagProducer): Promise<Map<string, Group>> {
  const groups = new Map<string, Group>();
  let count = 0;
  let turnStart = performance.now();
  for (const family of [...stats.families()]) {
    if (++count % FAMILIES_PER_CLOCK === 0 && performance.now() - turnStart > TURN_MS) {
      await new Promise(setImmediate);
      turnStart = performance.now();
    }
    add(groups, family, tags);
  }
  return groups;
}

function add(groups: Map<string, Group>, family: StatFamily, producer: TagProducer): void {
  const { prefix, definitions } = family;
  const { name, tags } = family.tagged ?? producer.produce(prefix);
  const key = `${family.schemaId} ${name}`;
  let group = groups.get(key);
  if (group === undefined) {
    group = { name, example: prefix, prefixes: 0, stats: 0, tags: new Map() };
    groups.set(key, group);
  }
  group.prefixes++;
  definitions.forEach(({ unlisted }, offset) => {
    if (unlisted !== true || family.used(offset)) group.stats++;
  });
  for (const tag of tags) {
    const values = group.tags.get(tag.name);
    if (values === undefined) group.tags.set(tag.name, new Set([tag.value]));
    else values.add(tag.value);
  }
}

function groupJson({ name, prefixes, stats, tags, example }: Group) {
  const byCount = [...tags].map(([tag, values]) => [tag, values.size] as const).sort((a, b) => b[1] - a[1]);
  return { name, prefixes, stats, tags: Object.fromEntries(byCount), example };
}
