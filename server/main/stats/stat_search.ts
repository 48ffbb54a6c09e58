// Finds stats by a part of their names among a million of them. Names are prefix and tail: whether the text is in a tail is
// known of the schema, so that of each family only the prefix is looked at, and a page of names is all that is ever made.

import type { StatKind } from '../../api/stats.ts';
import type { Steps } from '../../common/event/steps.ts';
import type { StatAggregator } from '../../common/stats/aggregator.ts';
import type { StatFamily } from '../../common/stats/stat_family.ts';
import {
  GroupPlaces,
  groupsOf,
  type ListedStat,
  listGroup,
  rootOf,
  type StatFilter,
} from '../../common/stats/stat_list.ts';

const FAMILIES_PER_STEP = 64;

/** A number to sort by. */
export interface StatNumber {
  readonly of: (stat: ListedStat) => number;
  /** Is it 0 for all stats of the family? True is said only of those of which that is known at once. */
  readonly isZero: (family: StatFamily) => boolean;
}

export interface StatSearchQuery {
  /** In lower case; '' is in every name. */
  readonly text: string;
  readonly kinds: ReadonlySet<StatKind>;
  readonly usedOnly: boolean;
  /** Of the bootstrap's stats_matcher. */
  readonly accepts: StatFilter['accepts'];
  readonly offset: number;
  readonly limit: number;
  /** Undefined: by name. */
  readonly sortBy: StatNumber | undefined;
  readonly descending: boolean;
}

export interface FoundStats {
  readonly total: number;
  readonly stats: readonly ListedStat[];
}

/** The page that `query` asks for. To be called after `aggregator.refresh`. */
export function* searchStats(aggregator: StatAggregator, query: StatSearchQuery): Steps<FoundStats> {
  const { sortBy } = query;
  const names = new NameSearch(query);
  const filter: StatFilter = { ...query, accepts: names.accepts };
  const places = new GroupPlaces({ ...filter, order: 'name' });
  const page = sortBy === undefined ? new PageByName(query) : new PageByNumber(query, sortBy);
  let seen = 0;
  for (const group of allGroups(yield* aggregator.sortedFamilies('name'))) {
    seen += group.length;
    if (seen >= FAMILIES_PER_STEP) {
      seen = 0;
      yield '';
    }
    const families = worthListing(group, query, names, page);
    const count = names.countIn(families);
    if (count === 0 || (count !== undefined && page.skip(count))) continue;
    for (const stat of listGroup(families, yield* places.of(families, rootOf(group)), filter)) page.add(stat);
  }
  return page.result();
}

/** Of each order of families, while it is the one that is kept: who types asks again and again. */
const groupsByOrder = new WeakMap<readonly StatFamily[], readonly (readonly StatFamily[])[]>();

function allGroups(sorted: readonly StatFamily[]): readonly (readonly StatFamily[])[] {
  let groups = groupsByOrder.get(sorted);
  if (groups === undefined) groupsByOrder.set(sorted, (groups = [...groupsOf(sorted)]));
  return groups;
}

/** What a schema has of the wanted kinds. */
interface SchemaTails {
  /** Some are only listed once they are used, and may then be another family's, too. */
  readonly hasUnlisted: boolean;
  /** Offsets of all. */
  readonly all: readonly number[];
  /** Offsets of those with the text in the tail. */
  readonly matching: readonly number[];
  /** Beginnings of the text, in the prefix of a stat, after which it goes on in a tail. */
  readonly heads: readonly string[];
}

class NameSearch {
  readonly accepts: StatFilter['accepts'];
  readonly #query: StatSearchQuery;
  readonly #bySchema = new Map<string, SchemaTails>();

  constructor(query: StatSearchQuery) {
    const { text, accepts } = query;
    this.#query = query;
    this.accepts =
      text === ''
        ? accepts
        : (name) => name.toLowerCase().includes(text) && (accepts === undefined || accepts(name));
  }

  /** How many stats of the families are asked for; undefined where only their names tell. */
  countIn(families: readonly StatFamily[]): number | undefined {
    let total = 0;
    for (const family of families) {
      const count = this.#countOf(family);
      if (count === undefined) return undefined;
      total += count;
    }
    return total === 0 || this.#query.accepts === undefined ? total : undefined;
  }

  #countOf(family: StatFamily): number | undefined {
    const { usedOnly, text } = this.#query;
    const { schemaId, definitions, prefix } = family;
    let schema = this.#bySchema.get(schemaId);
    if (schema === undefined) this.#bySchema.set(schemaId, (schema = this.#tailsOf(definitions)));
    if (schema.all.length === 0 || (usedOnly && !family.hasValues)) return 0;
    const lower = prefix.toLowerCase();
    const isInPrefix = lower.includes(text);
    if (!isInPrefix && schema.heads.some((head) => lower.endsWith(head))) return undefined;
    const offsets = isInPrefix ? schema.all : schema.matching;
    if (offsets.length > 0 && schema.hasUnlisted) return undefined;
    if (!usedOnly) return offsets.length;
    let used = 0;
    for (const offset of offsets) if (family.used(offset)) used++;
    return used;
  }

  #tailsOf(definitions: StatFamily['definitions']): SchemaTails {
    const { text, kinds } = this.#query;
    const tails = definitions.map(({ name }) => name.toLowerCase());
    const all = [...definitions.keys()].filter((offset) => kinds.has(definitions[offset]!.kind));
    const heads: string[] = [];
    for (let length = 1; length < text.length; length++) {
      const rest = text.slice(length);
      if (all.some((offset) => tails[offset]!.startsWith(rest))) heads.push(text.slice(0, length));
    }
    return {
      hasUnlisted: all.some((offset) => definitions[offset]!.unlisted === true),
      all,
      matching: all.filter((offset) => tails[offset]!.includes(text)),
      heads,
    };
  }
}

/** Of most families of ten thousand clusters the number that is sorted by is 0, and then they are counted only. */
function worthListing(
  group: readonly StatFamily[],
  { usedOnly, sortBy }: StatSearchQuery,
  names: NameSearch,
  page: PageByName | PageByNumber,
): readonly StatFamily[] {
  const listed = usedOnly ? group.filter(({ hasValues }) => hasValues) : group;
  if (sortBy === undefined || !page.zeroIsOut) return listed;
  const silent = listed.filter(sortBy.isZero);
  const others = listed.filter((family) => !sortBy.isZero(family));
  const count = names.countIn(silent);
  if (count === undefined || others.some((family) => sharesNames(family, silent))) return listed;
  page.count(count);
  return others;
}

/** Is one of its stats that are listed once they are used also one of the others'? Names that are always listed are nobody else's. */
function sharesNames({ prefix, definitions }: StatFamily, others: readonly StatFamily[]): boolean {
  return definitions.some(({ name, unlisted }) => {
    if (unlisted !== true) return false;
    const full = prefix + name;
    return others.some((other) => {
      if (!full.startsWith(other.prefix)) return false;
      const tail = full.slice(other.prefix.length);
      return other.definitions.some((definition) => definition.name === tail);
    });
  });
}

/** In the order in which stats come. */
class PageByName {
  readonly #query: StatSearchQuery;
  #total = 0;
  readonly #stats: ListedStat[] = [];

  constructor(query: StatSearchQuery) {
    this.#query = query;
  }

  /** All numbers have their place in the order of names. */
  readonly zeroIsOut = false;

  count(stats: number): void {
    this.#total += stats;
  }

  /** Counts stats of which the page has none; false when it may have some. */
  skip(count: number): boolean {
    const { offset, limit } = this.#query;
    if (this.#total < offset + limit && this.#total + count > offset) return false;
    this.count(count);
    return true;
  }

  add(stat: ListedStat): void {
    const { offset, limit } = this.#query;
    if (this.#total >= offset && this.#total < offset + limit) this.#stats.push(stat);
    this.#total++;
  }

  result(): FoundStats {
    return { total: this.#total, stats: this.#stats };
  }
}

interface Ranked {
  readonly stat: ListedStat;
  readonly number: number;
}

/** The largest or smallest; equal ones in the order in which they come. */
class PageByNumber {
  readonly #query: StatSearchQuery;
  readonly #numberOf: (stat: ListedStat) => number;
  readonly #wanted: number;
  #total = 0;
  /** Up to twice as many as are wanted, then the worse half goes. */
  #best: Ranked[] = [];
  #worst = Number.NEGATIVE_INFINITY;

  constructor(query: StatSearchQuery, sortBy: StatNumber) {
    this.#query = query;
    const sign = query.descending ? 1 : -1;
    this.#numberOf = (stat) => sign * sortBy.of(stat);
    this.#wanted = query.offset + query.limit;
  }

  skip(): boolean {
    return false;
  }

  /** Can what is 0 be on the page no more? */
  get zeroIsOut(): boolean {
    if (this.#best.length < this.#wanted) return false;
    this.#truncate();
    return this.#worst >= 0;
  }

  count(stats: number): void {
    this.#total += stats;
  }

  add(stat: ListedStat): void {
    this.#total++;
    const number = this.#numberOf(stat);
    if (this.#best.length >= this.#wanted && number <= this.#worst) return;
    this.#best.push({ stat, number });
    if (this.#best.length >= 2 * this.#wanted) this.#truncate();
  }

  result(): FoundStats {
    this.#truncate();
    return { total: this.#total, stats: this.#best.slice(this.#query.offset).map(({ stat }) => stat) };
  }

  #truncate(): void {
    if (this.#best.length === this.#wanted && this.#worst !== Number.NEGATIVE_INFINITY) return;
    this.#best = this.#best.sort((a, b) => b.number - a.number).slice(0, this.#wanted);
    if (this.#best.length === this.#wanted) this.#worst = this.#best.at(-1)!.number;
  }
}
