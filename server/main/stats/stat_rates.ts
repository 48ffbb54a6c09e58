// How quickly counters grow: values of all of them at two moments, taken when somebody asks and forgotten when nobody does, so
// that a proxy that nobody looks at does without the memory.

import type { Steps } from '../../common/event/steps.ts';
import type { StatAggregator } from '../../common/stats/aggregator.ts';
import type { StatFamily } from '../../common/stats/stat_family.ts';

/** ms: two looks are at least so far apart, or rates would be a matter of luck. */
const MIN_APART_MS = 1_000;
/** ms after the last question until the values are forgotten. */
const KEPT_MS = 60_000;
const FAMILIES_PER_STEP = 256;

interface Look {
  /** As `performance.now()`. */
  readonly at: number;
  /** By offset. Families that no thread writes are not there. */
  readonly values: ReadonlyMap<StatFamily, Float64Array>;
}

/** What happened between two looks. */
interface Growth {
  readonly seconds: number;
  /** By offset, of families of which anything has changed: of ten thousand clusters few have. */
  readonly grown: ReadonlyMap<StatFamily, Float64Array>;
}

export class StatRates {
  readonly #aggregator: StatAggregator;
  #latest: Look | undefined;
  #growth: Growth | undefined;
  #forget: NodeJS.Timeout | undefined;

  constructor(aggregator: StatAggregator) {
    this.#aggregator = aggregator;
  }

  /** Takes the values of now, unless that was done a moment ago. To be called before rates are read. */
  *look(): Steps {
    clearTimeout(this.#forget);
    this.#forget = setTimeout(() => {
      this.#latest = undefined;
      this.#growth = undefined;
    }, KEPT_MS).unref();
    const before = this.#latest;
    const at = performance.now();
    if (before !== undefined && at - before.at < MIN_APART_MS) return;
    const values = new Map<StatFamily, Float64Array>();
    const grown = new Map<StatFamily, Float64Array>();
    let count = 0;
    for (const family of yield* this.#aggregator.sortedFamilies('name')) {
      if (++count % FAMILIES_PER_STEP === 0) yield '';
      if (!family.hasValues) continue;
      const earlier = before?.values.get(family);
      const now = valuesOf(family, earlier);
      values.set(family, now);
      if (now !== earlier)
        grown.set(
          family,
          now.map((value, offset) => value - (earlier?.[offset] ?? 0)),
        );
    }
    this.#latest = { at, values };
    this.#growth = before && { seconds: (at - before.at) / 1000, grown };
  }

  /** Between the two looks; undefined while there was only one. */
  get seconds(): number | undefined {
    return this.#growth?.seconds;
  }

  /** Growth per second between the last two looks, below 0 after a reset; undefined while it is not known. */
  of(family: StatFamily, offset: number): number | undefined {
    if (this.#growth === undefined) return undefined;
    const { grown, seconds } = this.#growth;
    const growth = grown.get(family);
    return growth === undefined ? 0 : (growth[offset] as number) / seconds;
  }

  /** Did anything of it change between the last two looks? */
  changed(family: StatFamily): boolean {
    return this.#growth?.grown.has(family) === true;
  }

  /** Families of which anything changed between the last two looks. */
  get families(): Iterable<StatFamily> {
    return this.#growth?.grown.keys() ?? [];
  }
}

const ratesByAggregator = new WeakMap<StatAggregator, StatRates>();

/** One for all who ask: their questions are each other's looks. */
export function ratesOf(aggregator: StatAggregator): StatRates {
  let rates = ratesByAggregator.get(aggregator);
  if (rates === undefined) ratesByAggregator.set(aggregator, (rates = new StatRates(aggregator)));
  return rates;
}

/** `earlier` itself where they are the same. */
function valuesOf(family: StatFamily, earlier: Float64Array | undefined): Float64Array {
  const { length } = family.definitions;
  let offset = 0;
  if (earlier !== undefined) while (offset < length && family.number(offset) === earlier[offset]) offset++;
  if (offset === length && earlier !== undefined) return earlier;
  return Float64Array.from(family.definitions, (_definition, offset) => family.number(offset));
}
