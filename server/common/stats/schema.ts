// Declares a family of stats: the names below one prefix and what each is. One literal per family, so a stat's name can
// be found with grep and its offset in a block is known when the module is loaded.
// Follows https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/statistics

import type { StatDefinition, StatSchema } from '../../api/stats.ts';

/** A stat of the compact literal: its kind and, for histograms, the unit of its values. `:unlisted`: not shown before it was written. */
export type CompactStatDefinition =
  | 'counter'
  | 'gauge'
  | 'counter:unlisted'
  | 'gauge:unlisted'
  | `histogram:${NonNullable<StatDefinition['unit']>}`
  | `histogram:${NonNullable<StatDefinition['unit']>}:unlisted`;

/**
 * Makes the schema of a family. `id` is unique and the same in every thread.
 * @example statSchema('tcp', { downstream_cx_total: 'counter', downstream_cx_active: 'gauge', length: 'histogram:ms' })
 */
export function statSchema<Name extends string>(
  id: string,
  compact: Readonly<Record<Name, CompactStatDefinition>>,
): StatSchema<Name> {
  const names = Object.keys(compact) as Name[];
  const offset = {} as Record<Name, number>;
  const definitions = names.map((name, index): StatDefinition => {
    offset[name] = index;
    return expand(name, compact[name]);
  });
  // The copy matters: an object that grew a property at a time is a hash table to V8, and every `offset.name` a lookup in it.
  return Object.freeze({ id, definitions: Object.freeze(definitions), offset: Object.freeze({ ...offset }) });
}

function expand(name: string, compact: CompactStatDefinition): StatDefinition {
  const unlisted = compact.endsWith(':unlisted');
  const [kind, unit] = compact.split(':');
  if (kind === 'histogram')
    return { name, kind, unit: unit as NonNullable<StatDefinition['unit']>, unlisted };
  return { name, kind: kind as 'counter' | 'gauge', unlisted };
}
