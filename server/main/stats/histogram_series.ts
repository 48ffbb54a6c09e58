// The last 15 minutes of histograms that people look at: which values were recorded between one sample and the next. A histogram
// is sampled from the first question on, for as long as somebody asks every 15 minutes. Loaded with that question.

import type { StatAggregator } from '../../common/stats/aggregator.ts';
import { HTTP_STATS } from '../../common/stats/families/http.ts';
import { HistogramStatistics } from '../../common/stats/histogram_statistics.ts';
import type { StatFamily } from '../../common/stats/stat_family.ts';
import { SAMPLES, type StatSeries } from './stat_series.ts';

/** How long requests of clients took, over all connection managers. */
const REQUEST_TIMES = 'http.downstream_rq_time';
/** The admin port's own requests are nobody's traffic. */
const ADMIN = 'http.admin.';
const MAX_WATCHED = 64;

export interface HistogramColumn {
  /** When it ended, ms since 1970. */
  readonly at: number;
  /** How many values were recorded since the column before, by bucket. */
  readonly counts: readonly number[];
}

interface Sample {
  readonly at: number;
  /** Since the start, up to each bound. */
  readonly below: readonly number[];
}

interface Watched {
  readonly bounds: readonly number[];
  readonly samples: Sample[];
  /** The number of the sample before which somebody asked last. */
  askedAt: number;
}

export class HistogramSeries {
  readonly #aggregator: StatAggregator;
  /** By the full name of the stat. */
  readonly #watched = new Map<string, Watched>();
  #taken = 0;

  constructor(aggregator: StatAggregator, series: StatSeries) {
    this.#aggregator = aggregator;
    series.observe((at) => this.#sample(at));
  }

  /**
   * What `name` recorded, the oldest first; the first column comes with the second sample. `bounds`: of its buckets, ascending.
   * Undefined when there is no such histogram, or when too many are watched.
   */
  columns(name: string, bounds: readonly number[], now: number): HistogramColumn[] | undefined {
    let watched = this.#watched.get(name);
    if (watched === undefined) {
      const below = this.#below(name, bounds);
      if (below === undefined || this.#watched.size >= MAX_WATCHED) return undefined;
      watched = { bounds, samples: [{ at: now, below }], askedAt: 0 };
      this.#watched.set(name, watched);
    }
    watched.askedAt = this.#taken;
    const { samples } = watched;
    return samples
      .slice(1)
      .map(({ at, below }, index) => ({ at, counts: between(samples[index] as Sample, below) }));
  }

  #sample(at: number): void {
    this.#taken++;
    for (const [name, { bounds, samples, askedAt }] of this.#watched) {
      const below = this.#below(name, bounds);
      if (below === undefined || this.#taken - askedAt > SAMPLES) {
        this.#watched.delete(name);
        continue;
      }
      samples.push({ at, below });
      if (samples.length > SAMPLES + 1) samples.shift();
    }
  }

  #below(name: string, bounds: readonly number[]): number[] | undefined {
    const found = name === REQUEST_TIMES ? this.#requestTimes() : this.#histograms(name);
    return found && HistogramStatistics.merged(found).cumulativeCounts(bounds);
  }

  #histograms(name: string): HistogramStatistics[] | undefined {
    const found = this.#aggregator
      .find(name)
      .filter(({ family, offset }) => family.definitions[offset]?.kind === 'histogram');
    if (found.length === 0) return undefined;
    return found.map(({ family, offset }) => cumulative(family, offset));
  }

  #requestTimes(): HistogramStatistics[] {
    const families = [...this.#aggregator.familiesOf(HTTP_STATS)].filter(({ prefix }) => prefix !== ADMIN);
    return families.map((family) => cumulative(family, HTTP_STATS.offset.downstream_rq_time));
  }
}

function cumulative(family: StatFamily, offset: number): HistogramStatistics {
  return family.histogram(offset)?.cumulative ?? HistogramStatistics.EMPTY;
}

function between({ below: before }: Sample, after: readonly number[]): number[] {
  const grown = after.map((count, bucket) => count - (before[bucket] as number));
  return grown.map((count, bucket) => Math.max(0, count - (grown[bucket - 1] ?? 0)));
}

const byStatSeries = new WeakMap<StatSeries, HistogramSeries>();

/** One for all who ask. */
export function histogramSeriesOf(aggregator: StatAggregator, series: StatSeries): HistogramSeries {
  let histograms = byStatSeries.get(series);
  if (histograms === undefined)
    byStatSeries.set(series, (histograms = new HistogramSeries(aggregator, series)));
  return histograms;
}
