// A family of stats under one prefix as the main thread sees it: the blocks of all threads that hold it, summed when read.

import type { StatDefinition } from '../../api/stats.ts';
import type { TagSet } from './extracted_tags.ts';
import { BUCKETS_PER_DECADE, ZERO_DECADE } from './histogram_buckets.ts';
import { HistogramStatistics } from './histogram_statistics.ts';
import type { TaggedName } from './messages.ts';

/** One thread's block. */
export interface StatPart {
  readonly values: Float64Array;
  readonly base: number;
}

const NO_PARTS: readonly StatPart[] = Object.freeze([]);

export class StatFamily {
  readonly schemaId: string;
  readonly definitions: readonly StatDefinition[];
  readonly prefix: string;
  readonly tagged: TaggedName | undefined;
  /** Replaced rather than grown: `push` would set aside room for seventeen. */
  #parts: readonly StatPart[] = NO_PARTS;
  /** Its names without tags by offset, and its tags by offset or one for all, once somebody has asked (TagExtractor). */
  names: readonly string[] | undefined = undefined;
  tags: TagSet | readonly TagSet[] | undefined = undefined;
  /** Holders on the main thread that only want the names listed. */
  declarations = 0;
  /** By offset, once a thread has recorded a value. */
  #histograms: Map<number, MergedHistogram> | undefined = undefined;
  /** Added to the sums: what /reset_counters took away, and what threads that ended had counted. */
  #adjustments: Float64Array | undefined = undefined;

  constructor(
    schemaId: string,
    definitions: readonly StatDefinition[],
    prefix: string,
    tagged: TaggedName | undefined,
  ) {
    this.schemaId = schemaId;
    this.definitions = definitions;
    this.prefix = prefix;
    this.tagged = tagged;
  }

  /** The sum over threads; -0 when no thread has written it. */
  value(offset: number): number {
    let sum = -0;
    for (const part of this.#parts) sum += part.values[part.base + offset] as number;
    if (this.#adjustments !== undefined) sum += this.#adjustments[offset] as number;
    return sum;
  }

  used(offset: number): boolean {
    const definition = this.definitions[offset] as StatDefinition;
    if (definition.kind === 'histogram') return (this.histogram(offset)?.cumulative.sampleCount ?? 0) > 0;
    return !Object.is(this.value(offset), -0);
  }

  histogram(offset: number): MergedHistogram | undefined {
    return this.#histograms?.get(offset);
  }

  addHistogram(offset: number, histogram: MergedHistogram): void {
    this.#histograms ??= new Map();
    this.#histograms.set(offset, histogram);
  }

  histograms(): Iterable<MergedHistogram> {
    return this.#histograms?.values() ?? [];
  }

  /** Changes with whatever is counted, set or recorded. */
  mark(offset: number): number {
    const { kind } = this.definitions[offset] as StatDefinition;
    return kind === 'histogram' ? (this.histogram(offset)?.total ?? 0) : this.value(offset);
  }

  /** Of a counter or gauge its value; of a histogram how many values were recorded, as of the last flush. */
  number(offset: number): number {
    const { kind } = this.definitions[offset] as StatDefinition;
    return kind === 'histogram' ? (this.histogram(offset)?.cumulative.sampleCount ?? 0) : this.value(offset);
  }

  resetCounters(): void {
    this.definitions.forEach((definition, offset) => {
      const value = this.value(offset);
      if (definition.kind === 'counter' && value !== 0) this.#adjust(offset, -value);
    });
  }

  /** Has a thread had a block for it? What no thread has is 0. */
  get hasValues(): boolean {
    return this.#parts.length > 0 || this.#adjustments !== undefined;
  }

  /** Does a thread hold it, or has main declared it? */
  get held(): boolean {
    return this.#parts.length > 0 || this.declarations > 0;
  }

  addPart(part: StatPart): void {
    this.#parts = [...this.#parts, part];
  }

  removePart(part: StatPart): void {
    this.#parts = this.#parts.filter((each) => each !== part);
    for (const histogram of this.histograms()) histogram.removePart(part);
  }

  /** A thread ended: what it had counted stays, its share of gauges goes. */
  retirePart(part: StatPart): void {
    this.definitions.forEach((definition, offset) => {
      const value = part.values[part.base + offset] as number;
      if (definition.kind === 'counter' && !Object.is(value, -0)) this.#adjust(offset, value);
    });
    this.#parts = this.#parts.filter((each) => each !== part);
    for (const histogram of this.histograms()) histogram.retirePart(part);
  }

  #adjust(offset: number, by: number): void {
    this.#adjustments ??= new Float64Array(this.definitions.length).fill(-0);
    this.#adjustments[offset] = (this.#adjustments[offset] as number) + by;
  }
}

interface Decade {
  readonly part: StatPart;
  readonly decade: number;
  readonly values: Float64Array;
  readonly base: number;
}

/** A histogram over all threads. What people see is as of the last flush, as in Envoy. */
export class MergedHistogram {
  /** Since the start, and between the last two flushes. */
  cumulative = HistogramStatistics.EMPTY;
  interval = HistogramStatistics.EMPTY;
  #decades: Decade[] = [];
  readonly #retired = new Map<number, number>();
  #counts = new Map<number, number>();
  #flushedTotal = 0;

  addDecade(part: StatPart, decade: number, values: Float64Array, base: number): void {
    this.#decades.push({ part, decade, values, base });
  }

  flush(): void {
    // Most have nothing new, which a sum shows at a tenth of the price.
    const { total } = this;
    if (total === this.#flushedTotal) {
      this.interval = HistogramStatistics.EMPTY;
      return;
    }
    this.#flushedTotal = total;
    const counts = new Map(this.#retired);
    for (const decade of this.#decades) addCounts(counts, decade);
    const added = new Map<number, number>();
    for (const [key, count] of counts) {
      const difference = count - (this.#counts.get(key) ?? 0);
      if (difference > 0) added.set(key, difference);
    }
    if (added.size > 0) this.cumulative = HistogramStatistics.of(counts);
    this.interval = added.size > 0 ? HistogramStatistics.of(added) : HistogramStatistics.EMPTY;
    this.#counts = counts;
  }

  /** How many values were recorded until now. */
  get total(): number {
    let total = 0;
    for (const count of this.#retired.values()) total += count;
    for (const { decade, values, base } of this.#decades) {
      const end = base + bucketsOf(decade);
      for (let slot = base; slot < end; slot++) total += values[slot] as number;
    }
    return total;
  }

  removePart(part: StatPart): void {
    this.#decades = this.#decades.filter((decade) => decade.part !== part);
  }

  retirePart(part: StatPart): void {
    for (const decade of this.#decades) {
      if (decade.part === part) addCounts(this.#retired, decade);
    }
    this.removePart(part);
  }
}

function addCounts(counts: Map<number, number>, { decade, values, base }: Decade): void {
  const firstKey = (decade - ZERO_DECADE) * BUCKETS_PER_DECADE;
  const size = bucketsOf(decade);
  for (let bucket = 0; bucket < size; bucket++) {
    const count = values[base + bucket] as number;
    if (count > 0) counts.set(firstKey + bucket, (counts.get(firstKey + bucket) ?? 0) + count);
  }
}

function bucketsOf(decade: number): number {
  return decade === ZERO_DECADE ? 1 : BUCKETS_PER_DECADE;
}
