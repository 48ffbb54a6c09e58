// All statistics of the process, on the main thread: the directory of every thread's blocks. Nothing is copied or named
// until somebody reads. Envoy: source/common/stats/thread_local_store.cc.

import type { StatDefinition, StatSchema } from '../../api/stats.ts';
import { finish, type Steps } from '../event/steps.ts';
import { FamilyOrder, type NameOrder } from './family_order.ts';
import type { StatsChange, StatsMessage, TaggedName } from './messages.ts';
import { RecentLookups } from './recent_lookups.ts';
import { MergedHistogram, StatFamily, type StatPart } from './stat_family.ts';

interface ThreadDirectory {
  readonly chunks: Float64Array[];
  readonly definitions: Map<string, readonly StatDefinition[]>;
  readonly blocks: Map<number, { readonly family: StatFamily; readonly part: StatPart }>;
}

export interface FoundStat {
  readonly family: StatFamily;
  readonly offset: number;
}

export class StatAggregator {
  readonly lookups = new RecentLookups();
  readonly textReadouts = new Map<string, string>();
  readonly #threads = new Map<string, ThreadDirectory>();
  /** By schema id, then prefix. */
  readonly #families = new Map<string, Map<string, StatFamily>>();
  readonly #histograms = new Set<MergedHistogram>();
  readonly #beforeRead = new Set<() => Steps | undefined>();
  readonly #orders = { name: new FamilyOrder('name'), token: new FamilyOrder('token') };
  /** Another one whenever a family has come or gone. */
  #version = 0;
  /** As `performance.now()`. */
  #refreshedAt = Number.NEGATIVE_INFINITY;

  /** Takes in what `thread` published, in the order it did. */
  apply(thread: string, message: StatsMessage): void {
    let directory = this.#threads.get(thread);
    if (directory === undefined) {
      directory = { chunks: [], definitions: new Map(), blocks: new Map() };
      this.#threads.set(thread, directory);
    }
    for (const memory of message.chunks) directory.chunks.push(new Float64Array(memory));
    for (const { id, definitions } of message.schemas) directory.definitions.set(id, definitions);
    for (const change of message.changes) this.#applyChange(directory, change);
  }

  /** The thread ended: its counts stay, its gauges and what only it held go. */
  removeThread(thread: string): void {
    for (const { family, part } of this.#threads.get(thread)?.blocks.values() ?? []) {
      family.retirePart(part);
      this.#dropIfUnheld(family);
    }
    this.#threads.delete(thread);
  }

  /** Lists the names of a family at 0 although no thread has a block for it yet: 10,000 idle clusters need no slots. */
  declare(schema: StatSchema, prefix: string): void {
    this.#family(schema.id, schema.definitions, prefix, undefined).declarations++;
  }

  undeclare(schema: StatSchema, prefix: string): void {
    const family = this.#families.get(schema.id)?.get(prefix);
    if (family === undefined || family.declarations === 0) return;
    family.declarations--;
    this.#dropIfUnheld(family);
  }

  /**
   * `refresh` runs before stats are read: for gauges that are only computed when somebody looks (uptime, memory). What takes
   * longer than a millisecond comes in steps.
   */
  beforeRead(refresh: () => Steps | undefined): void {
    this.#beforeRead.add(refresh);
  }

  /** Every family, after all `beforeRead`, in one go. */
  families(): Iterable<StatFamily> {
    finish(this.refresh());
    return this.#all();
  }

  /** Every family in the order of their prefixes. To be called after `refresh`. */
  sortedFamilies(order: NameOrder): Steps<readonly StatFamily[]> {
    return this.#orders[order].sorted(this.#all(), this.#version);
  }

  /** All `beforeRead`, once per answer, unless that was done not more than `maxAgeMs` ago. */
  *refresh(maxAgeMs = 0): Steps {
    const now = performance.now();
    if (maxAgeMs > 0 && now - this.#refreshedAt < maxAgeMs) return;
    for (const refresh of this.#beforeRead) {
      const steps = refresh();
      if (steps !== undefined) yield* steps;
      yield '';
    }
    this.#refreshedAt = now;
  }

  /** Of stats that were made with tags. */
  *taggedFamilies(): Generator<StatFamily> {
    for (const family of this.#all()) if (family.tagged !== undefined) yield family;
  }

  *#all(): Generator<StatFamily> {
    for (const byPrefix of this.#families.values()) yield* byPrefix.values();
  }

  /** To be called every `stats_flush_interval` (5 s): what histograms show is as of the last call. */
  *flushHistograms(): Steps {
    for (const histogram of this.#histograms) {
      histogram.flush();
      yield '';
    }
  }

  *resetCounters(): Steps {
    yield* this.refresh();
    for (const family of this.#all()) {
      family.resetCounters();
      yield '';
    }
  }

  /** One stat of a family's schema, summed over all prefixes but `except`. Does not run what `beforeRead` registered. */
  sum<Name extends string>(schema: StatSchema<Name>, name: Name, except?: string): number {
    let sum = 0;
    for (const family of this.#families.get(schema.id)?.values() ?? []) {
      if (family.prefix === except) continue;
      sum += family.value(schema.offset[name]);
    }
    return sum;
  }

  /** The family of a schema below `prefix`, undefined where nobody holds it. Does not run what `beforeRead` registered. */
  family(schema: StatSchema, prefix: string): StatFamily | undefined {
    return this.#families.get(schema.id)?.get(prefix);
  }

  /** The families of a schema. Does not run what `beforeRead` registered. */
  familiesOf({ id }: StatSchema): Iterable<StatFamily> {
    return this.#families.get(id)?.values() ?? [];
  }

  /** The value of a counter or gauge by its full name, undefined when there is none. */
  value(name: string): number | undefined {
    finish(this.refresh());
    let sum: number | undefined;
    for (const { family, offset } of this.find(name)) sum = (sum ?? 0) + family.value(offset);
    return sum;
  }

  /** The stats of a full name: mostly one, several where families share it. Does not run what `beforeRead` registered. */
  find(name: string): readonly FoundStat[] {
    const found: FoundStat[] = [];
    const prefixes = ['', name];
    for (let dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1))
      prefixes.push(name.slice(0, dot + 1));
    for (const byPrefix of this.#families.values()) {
      for (const prefix of prefixes) {
        const family = byPrefix.get(prefix);
        if (family === undefined) continue;
        const tail = name.slice(prefix.length);
        const offset = family.definitions.findIndex((definition) => definition.name === tail);
        if (offset >= 0) found.push({ family, offset });
      }
    }
    return found;
  }

  #applyChange(directory: ThreadDirectory, change: StatsChange): void {
    switch (change.type) {
      case 'block': {
        this.lookups.add(change.prefix);
        const definitions = directory.definitions.get(change.schema) as readonly StatDefinition[];
        const family = this.#family(change.schema, definitions, change.prefix, change.tagged);
        const part = { values: directory.chunks[change.chunk] as Float64Array, base: change.base };
        family.addPart(part);
        directory.blocks.set(change.block, { family, part });
        return;
      }
      case 'decade': {
        const block = directory.blocks.get(change.block);
        if (block === undefined) return;
        let histogram = block.family.histogram(change.offset);
        if (histogram === undefined) {
          histogram = new MergedHistogram();
          block.family.addHistogram(change.offset, histogram);
          this.#histograms.add(histogram);
        }
        histogram.addDecade(
          block.part,
          change.decade,
          directory.chunks[change.chunk] as Float64Array,
          change.base,
        );
        return;
      }
      case 'release': {
        const block = directory.blocks.get(change.block);
        if (block === undefined) return;
        directory.blocks.delete(change.block);
        block.family.removePart(block.part);
        this.#dropIfUnheld(block.family);
        return;
      }
      case 'text':
        if (change.value === undefined) this.textReadouts.delete(change.name);
        else this.textReadouts.set(change.name, change.value);
    }
  }

  #family(
    schemaId: string,
    definitions: readonly StatDefinition[],
    prefix: string,
    tagged: TaggedName | undefined,
  ): StatFamily {
    let byPrefix = this.#families.get(schemaId);
    if (byPrefix === undefined) {
      byPrefix = new Map();
      this.#families.set(schemaId, byPrefix);
    }
    let family = byPrefix.get(prefix);
    if (family === undefined) {
      family = new StatFamily(schemaId, definitions, prefix, tagged);
      byPrefix.set(prefix, family);
      this.#version++;
    }
    return family;
  }

  #dropIfUnheld(family: StatFamily): void {
    if (family.held) return;
    for (const histogram of family.histograms()) this.#histograms.delete(histogram);
    const byPrefix = this.#families.get(family.schemaId);
    if (byPrefix?.get(family.prefix) !== family) return;
    byPrefix.delete(family.prefix);
    this.#version++;
  }
}
