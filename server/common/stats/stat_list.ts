// Lists stats in order of their names without sorting them all: families are sorted by prefix, those below one prefix are a
// group, and groups of the same families (a thousand clusters) have the same order inside. A name is only made when its turn
// is there, so that a million stats need neither a million strings at once nor a pause.

import type { StatDefinition, StatKind } from '../../api/stats.ts';
import { type Steps, sortInSteps } from '../event/steps.ts';
import type { StatAggregator } from './aggregator.ts';
import { keyFor, type NameOrder } from './family_order.ts';
import type { StatFamily } from './stat_family.ts';

/** A stat. Where two families have a stat of the same name, it stands for both. */
export class ListedStat {
  readonly family: StatFamily;
  readonly offset: number;
  /** Sum over threads and families of a counter or gauge. */
  value: number;

  constructor(family: StatFamily, offset: number, value: number) {
    this.family = family;
    this.offset = offset;
    this.value = value;
  }

  /** Made on each call: a million kept names would need more memory than the stats. */
  get name(): string {
    return this.family.prefix + this.definition.name;
  }

  get definition(): StatDefinition {
    return this.family.definitions[this.offset] as StatDefinition;
  }
}

export interface StatFilter {
  readonly kinds: ReadonlySet<StatKind>;
  readonly usedOnly: boolean;
  /** False leaves a stat out. Undefined: all names are accepted. */
  readonly accepts: ((name: string) => boolean) | undefined;
  /** Without dots; in every name that is accepted. '' when there is no such text. */
  readonly requiredText?: string;
}

export interface ListOptions extends StatFilter {
  readonly order: NameOrder;
}

/** Where a group has its next stat. */
export interface Place {
  /** The family, counted within the group. */
  readonly index: number;
  readonly offset: number;
  /** The same for stats of the same name, and for no other. */
  readonly rank: number;
}

/** The stats that `options` asks for, in order, and '' wherever others may have a turn. To be called after `aggregator.refresh`. */
export function* listStats(aggregator: StatAggregator, options: ListOptions): Generator<ListedStat | ''> {
  const sorted = yield* aggregator.sortedFamilies(options.order);
  const places = new GroupPlaces(options);
  const concerns = concernedBy(options);
  for (const group of groupsOf(sorted)) {
    yield '';
    const families = group.filter(concerns);
    if (families.length > 0) yield* listGroup(families, yield* places.of(families, rootOf(group)), options);
  }
}

/** Neighbours whose prefixes begin with that of the first. All their names are together in the order of names. */
export function* groupsOf(sorted: readonly StatFamily[]): Generator<readonly StatFamily[]> {
  for (let start = 0; start < sorted.length; ) {
    const root = (sorted[start] as StatFamily).prefix;
    let end = start + 1;
    while (end < sorted.length && (sorted[end] as StatFamily).prefix.startsWith(root)) end++;
    yield sorted.slice(start, end);
    start = end;
  }
}

/** The length of the prefix that all of a group begin with: of its first, which a filter may leave out. */
export function rootOf(group: readonly StatFamily[]): number {
  return (group[0] as StatFamily).prefix.length;
}

/** Leaves out families that by their schema and prefix can have nothing to list. */
export function concernedBy({ kinds, requiredText = '' }: StatFilter): (family: StatFamily) => boolean {
  const bySchema = new Map<string, { readonly kind: boolean; readonly text: boolean }>();
  return ({ schemaId, definitions, prefix }) => {
    let has = bySchema.get(schemaId);
    if (has === undefined) {
      const listed = definitions.filter(({ kind }) => kinds.has(kind));
      has = { kind: listed.length > 0, text: listed.some(({ name }) => name.includes(requiredText)) };
      bySchema.set(schemaId, has);
    }
    // Prefix and name meet at a dot, if both are there: a text without dots is in the one or in the other.
    return has.kind && (has.text || prefix.includes(requiredText));
  };
}

/** Does the filter take the stat? Its kind is the caller's to look at. */
export function isListed(family: StatFamily, offset: number, { usedOnly, accepts }: StatFilter): boolean {
  const { name, unlisted } = family.definitions[offset] as StatDefinition;
  if ((usedOnly || unlisted === true) && !family.used(offset)) return false;
  return accepts === undefined || accepts(family.prefix + name);
}

/** The stats of a group at `places`. */
export function* listGroup(
  families: readonly StatFamily[],
  places: readonly Place[],
  options: StatFilter,
): Generator<ListedStat> {
  let last: ListedStat | undefined;
  let lastRank = -1;
  for (const { index, offset, rank } of places) {
    const family = families[index] as StatFamily;
    if (!isListed(family, offset, options)) continue;
    const { kind } = family.definitions[offset] as StatDefinition;
    const value = kind === 'histogram' ? 0 : family.value(offset);
    if (last !== undefined && rank === lastRank) {
      last.value += value;
      continue;
    }
    if (last !== undefined) yield last;
    last = new ListedStat(family, offset, value);
    lastRank = rank;
  }
  if (last !== undefined) yield last;
}

/** The order inside groups, remembered by what families they are made of. */
export class GroupPlaces {
  readonly #kinds: ReadonlySet<StatKind>;
  readonly #keyOf: (name: string) => string;
  readonly #bySignature = new Map<string, readonly Place[]>();

  constructor({ kinds, order }: Pick<ListOptions, 'kinds' | 'order'>) {
    this.#kinds = kinds;
    this.#keyOf = keyFor(order);
  }

  /** `root`: of the whole group that `families` are some of. */
  *of(families: readonly StatFamily[], root: number): Steps<readonly Place[]> {
    let signature = '';
    for (const { schemaId, prefix } of families) signature += `${schemaId} ${prefix.slice(root)}\n`;
    let places = this.#bySignature.get(signature);
    if (places === undefined) {
      places = yield* this.#sort(families, root);
      this.#bySignature.set(signature, places);
    }
    return places;
  }

  *#sort(families: readonly StatFamily[], root: number): Steps<readonly Place[]> {
    const keyed: { readonly key: string; readonly index: number; readonly offset: number }[] = [];
    for (const [index, { definitions, prefix }] of families.entries()) {
      const below = prefix.slice(root);
      definitions.forEach(({ name, kind }, offset) => {
        if (this.#kinds.has(kind)) keyed.push({ key: this.#keyOf(below + name), index, offset });
      });
      yield '';
    }
    const places: Place[] = [];
    let rank = 0;
    let before: string | undefined;
    for (const { key, index, offset } of yield* sortInSteps(keyed)) {
      if (key !== before) rank++;
      places.push({ index, offset, rank });
      before = key;
    }
    return places;
  }
}
