// The metrics of a scrape: stats of the same name without tags, in the order of their names. Families of one schema and the
// same names are columns that are in order already, so that nothing is gathered or sorted stat by stat but where several
// columns make one metric. Envoy: source/server/admin/prometheus_stats.cc.

import type { StatKind } from '../../api/stats.ts';
import { type Steps, sortInSteps } from '../../common/event/steps.ts';
import type { StatAggregator } from '../../common/stats/aggregator.ts';
import { TagExtractor, TagSet } from '../../common/stats/extracted_tags.ts';
import { tokenKey } from '../../common/stats/family_order.ts';
import type { StatFamily } from '../../common/stats/stat_family.ts';
import { concernedBy, isListed, ListedStat, type StatFilter } from '../../common/stats/stat_list.ts';
import type { TagProducer } from '../../common/stats/tag_producer.ts';

const FAMILIES_PER_STEP = 64;

export interface Metric {
  readonly name: string;
  readonly key: string;
  readonly columns: readonly Column[];
}

/** The stat at `offset` of each family. */
interface Column {
  readonly offset: number;
  readonly rows: Rows;
}

/** Families of one schema and the same names without tags. */
interface Rows {
  readonly names: readonly string[];
  /** In the order of their prefixes. */
  readonly families: StatFamily[];
  /** A prefix begins with the one before: names of the two may alternate. */
  nested: boolean;
}

export class PrometheusMetrics {
  readonly #rows: readonly Rows[];
  readonly #filter: StatFilter;

  private constructor(rows: readonly Rows[], filter: StatFilter) {
    this.#rows = rows;
    this.#filter = filter;
  }

  /** All that the filter lets through. */
  static *gather(
    aggregator: StatAggregator,
    producer: TagProducer,
    filter: StatFilter,
  ): Steps<PrometheusMetrics> {
    yield* aggregator.refresh();
    const extractor = extractorOf(producer);
    const concerns = concernedBy(filter);
    const rowsByNames = new Map<readonly string[], Rows>();
    let count = 0;
    for (const family of yield* aggregator.sortedFamilies('token')) {
      if (++count % FAMILIES_PER_STEP === 0) yield '';
      if (!concerns(family)) continue;
      const names = extractor.namesOf(family);
      const rows = rowsByNames.get(names);
      if (rows === undefined) rowsByNames.set(names, { names, families: [family], nested: false });
      else add(rows, family);
    }
    return new PrometheusMetrics([...rowsByNames.values()], filter);
  }

  /** The metrics of a kind, in order. */
  *ofKind(kind: StatKind): Steps<readonly Metric[]> {
    const byName = new Map<string, Metric & { readonly columns: Column[] }>();
    for (const rows of this.#rows) {
      const { definitions } = rows.families[0] as StatFamily;
      for (const [offset, definition] of definitions.entries()) {
        if (definition.kind !== kind) continue;
        const name = rows.names[offset] as string;
        const metric = byName.get(name);
        if (metric === undefined)
          byName.set(name, { name, key: tokenKey(name), columns: [{ offset, rows }] });
        else metric.columns.push({ offset, rows });
      }
      yield '';
    }
    return yield* sortInSteps([...byName.values()]);
  }

  /** The stats of a metric, in order, and '' wherever others may have a turn. */
  *statsOf({ columns }: Metric): Generator<ListedStat | ''> {
    const [first] = columns as [Column];
    if (columns.length === 1 && !first.rows.nested) {
      yield* this.#column(first);
      return;
    }
    const keyed: { readonly key: string; readonly stat: ListedStat }[] = [];
    for (const column of columns) {
      for (const stat of this.#column(column)) {
        if (stat === '') yield stat;
        else keyed.push({ key: tokenKey(stat.name), stat });
      }
    }
    yield* mergeEqualNames(yield* sortInSteps(keyed));
  }

  *#column({ offset, rows: { families } }: Column): Generator<ListedStat | ''> {
    let count = 0;
    for (const family of families) {
      if (++count % FAMILIES_PER_STEP === 0) yield '';
      if (!isListed(family, offset, this.#filter)) continue;
      const isHistogram = family.definitions[offset]?.kind === 'histogram';
      yield new ListedStat(family, offset, isHistogram ? 0 : family.value(offset));
    }
  }
}

/** Of a stat of a family that PrometheusMetrics gathered. */
export function tagSetOf({ family: { tags }, offset }: ListedStat): TagSet {
  return tags instanceof TagSet ? tags : (tags?.[offset] as TagSet);
}

/** What it knows is kept for the next scrape. */
const extractors = new WeakMap<TagProducer, TagExtractor>();

function extractorOf(producer: TagProducer): TagExtractor {
  let extractor = extractors.get(producer);
  if (extractor === undefined) extractors.set(producer, (extractor = new TagExtractor(producer)));
  return extractor;
}

function add(rows: Rows, family: StatFamily): void {
  const before = rows.families.at(-1) as StatFamily;
  // A stat with a name of its own is its prefix: the order of prefixes is that of names.
  if (family.prefix.startsWith(before.prefix) && family.definitions[0]?.name !== '') rows.nested = true;
  rows.families.push(family);
}

function* mergeEqualNames(
  sorted: readonly { readonly key: string; readonly stat: ListedStat }[],
): Generator<ListedStat> {
  for (let i = 0; i < sorted.length; i++) {
    const { key, stat } = sorted[i]!;
    for (let next = sorted[i + 1]; next?.key === key; next = sorted[++i + 1]) stat.value += next.stat.value;
    yield stat;
  }
}
