// Lists stats in order of their names without sorting them all: families are sorted by prefix, and a name is only
// made when its turn is near, so that a million stats need neither a million strings at once nor a long pause.

import type { StatDefinition, StatKind } from '../../api/stats.ts';
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
    return this.family.prefix + (this.family.definitions[this.offset] as StatDefinition).name;
  }
}

export interface ListOptions {
  readonly kinds: ReadonlySet<StatKind>;
  readonly usedOnly: boolean;
  /** False leaves a stat out. */
  readonly accepts: (name: string) => boolean;
  /** Without dots; in every name that is accepted. '' when there is no such text. */
  readonly requiredText?: string;
  /** `name`: by the characters of the name. `token`: by its parts between dots, the order of the Prometheus answer. */
  readonly order: 'name' | 'token';
}

interface Pending {
  readonly key: string;
  readonly stat: ListedStat;
}

/** The stats that `options` asks for, in order. */
export function* listStats(families: Iterable<StatFamily>, options: ListOptions): Generator<ListedStat> {
  const keyOf = options.order === 'name' ? (name: string) => name : tokenKey;
  const concerned: { readonly key: string; readonly family: StatFamily }[] = [];
  for (const family of concernedFamilies(families, options)) {
    concerned.push({ key: keyOf(family.prefix), family });
  }
  concerned.sort(byKey);
  let pending: Pending[] = [];
  for (const { key, family } of concerned) {
    // Every name of this family and of those to come sorts at or after its prefix.
    let ready = 0;
    while (ready < pending.length && (pending[ready] as Pending).key < key) ready++;
    if (ready > 0) {
      yield* mergeEqualNames(pending, ready);
      pending = pending.slice(ready);
    }
    if (addStats(pending, family, options, keyOf)) pending.sort(byKey);
  }
  yield* mergeEqualNames(pending, pending.length);
}

/** Leaves out those that by their schema and prefix can have nothing to list. */
function* concernedFamilies(
  families: Iterable<StatFamily>,
  { kinds, requiredText = '' }: ListOptions,
): Generator<StatFamily> {
  const bySchema = new Map<readonly StatDefinition[], { readonly kind: boolean; readonly text: boolean }>();
  for (const family of families) {
    const { definitions, prefix } = family;
    let has = bySchema.get(definitions);
    if (has === undefined) {
      const listed = definitions.filter(({ kind }) => kinds.has(kind));
      has = { kind: listed.length > 0, text: listed.some(({ name }) => name.includes(requiredText)) };
      bySchema.set(definitions, has);
    }
    // Prefix and name meet at a dot, if both are there: a text without dots is in the one or in the other.
    if (has.kind && (has.text || prefix.includes(requiredText))) yield family;
  }
}

function addStats(
  pending: Pending[],
  family: StatFamily,
  options: ListOptions,
  keyOf: (name: string) => string,
): boolean {
  const before = pending.length;
  const { definitions, prefix } = family;
  for (let offset = 0; offset < definitions.length; offset++) {
    const { name: tail, kind, unlisted } = definitions[offset] as StatDefinition;
    if (!options.kinds.has(kind)) continue;
    if ((options.usedOnly || unlisted === true) && !family.used(offset)) continue;
    const name = prefix + tail;
    if (!options.accepts(name)) continue;
    const value = kind === 'histogram' ? 0 : family.value(offset);
    pending.push({ key: keyOf(name), stat: new ListedStat(family, offset, value) });
  }
  return pending.length > before;
}

function* mergeEqualNames(sorted: readonly Pending[], end: number): Generator<ListedStat> {
  for (let i = 0; i < end; i++) {
    const { key, stat } = sorted[i] as Pending;
    for (let next = sorted[i + 1]; i + 1 < end && next?.key === key; next = sorted[++i + 1]) {
      stat.value += next.stat.value;
    }
    yield stat;
  }
}

/** NUL sorts before every character of a name. */
function tokenKey(name: string): string {
  return name.replaceAll('.', '\0');
}

function byKey(a: { readonly key: string }, b: { readonly key: string }): number {
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
}
