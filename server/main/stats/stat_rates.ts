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

export class StatRates {
  readonly #aggregator: StatAggregator;
  #before: Look | undefined;
  #latest: Look | undefined;
  #forget: NodeJS.Timeout | undefined;

  constructor(aggregator: StatAggregator) {
    this.#aggregator = aggregator;
  }

  /** Takes the values of now, unless that was done a moment ago. To be called before rates are read. */
  *look(): Steps {
    clearTimeout(this.#forget);
    this.#forget = setTimeout(() => {
      this.#before = undefined;
      this.#latest = undefined;
    }, KEPT_MS).unref();
    if (this.#latest !== undefined && performance.now() - this.#latest.at < MIN_APART_MS) return;
    const at = performance.now();
    const values = new Map<StatFamily, Float64Array>();
    let count = 0;
    for (const family of yield* this.#aggregator.sortedFamilies('name')) {
      if (++count % FAMILIES_PER_STEP === 0) yield '';
      if (family.hasValues) values.set(family, valuesOf(family));
    }
    this.#before = this.#latest;
    this.#latest = { at, values };
  }

  /** Between the two looks; undefined while there was only one. */
  get seconds(): number | undefined {
    if (this.#before === undefined || this.#latest === undefined) return undefined;
    return (this.#latest.at - this.#before.at) / 1000;
  }

  /** Growth per second between the last two looks, below 0 after a reset; undefined while it is not known. */
  of(family: StatFamily, offset: number): number | undefined {
    const { seconds } = this;
    if (seconds === undefined) return undefined;
    const latest = this.#latest?.values.get(family);
    if (latest === undefined) return 0;
    const before = this.#before?.values.get(family)?.[offset] ?? 0;
    return ((latest[offset] as number) - before) / seconds;
  }

  /** Families that had values at the last look. */
  get families(): Iterable<StatFamily> {
    return this.#latest?.values.keys() ?? [];
  }
}

const ratesByAggregator = new WeakMap<StatAggregator, StatRates>();

/** One for all who ask: their questions are each other's looks. */
export function ratesOf(aggregator: StatAggregator): StatRates {
  let rates = ratesByAggregator.get(aggregator);
  if (rates === undefined) ratesByAggregator.set(aggregator, (rates = new StatRates(aggregator)));
  return rates;
}

function valuesOf(family: StatFamily): Float64Array {
  return Float64Array.from(family.definitions, (_definition, offset) => family.number(offset));
}
