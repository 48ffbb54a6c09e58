// Handles of Istio's metrics by their labels: building names and tags is done once per combination, a request costs one lookup.

import type { Counter, Histogram, StatStore, StatTag } from '../../../../api/stats.ts';
import type { MetricOverrides } from './metric_overrides.ts';

/** Envoy prints names below this namespace without it in /stats/prometheus. */
const NAMESPACE = 'istiocustom.istio_';

/** All metrics of one combination of labels, made when first used. */
export class MetricHandles {
  private readonly stats: StatStore;
  private readonly overrides: MetricOverrides;
  private readonly tags: readonly StatTag[];
  private readonly values: readonly string[];
  private readonly counters = new Map<string, Counter | undefined>();
  private readonly histograms = new Map<string, Histogram | undefined>();
  private evictions: number;

  constructor(
    stats: StatStore,
    overrides: MetricOverrides,
    tags: readonly StatTag[],
    values: readonly string[],
  ) {
    this.stats = stats;
    this.overrides = overrides;
    this.tags = tags;
    this.values = values;
    this.evictions = stats.evictions;
  }

  /** `metric` without the prefix `istio_`. */
  add(metric: string, amount: number): void {
    if (this.evictions !== this.stats.evictions) this.forget();
    let counter = this.counters.get(metric);
    if (counter === undefined && !this.counters.has(metric)) {
      counter = this.overrides.isDropped(metric)
        ? undefined
        : this.stats.counter(NAMESPACE + metric, this.overrides.tagsOf(metric, this.tags, this.values));
      this.counters.set(metric, counter);
    }
    counter?.add(amount);
  }

  record(metric: string, unit: 'ms' | 'bytes', value: number): void {
    if (this.evictions !== this.stats.evictions) this.forget();
    let histogram = this.histograms.get(metric);
    if (histogram === undefined && !this.histograms.has(metric)) {
      histogram = this.overrides.isDropped(metric)
        ? undefined
        : this.stats.histogram(
            NAMESPACE + metric,
            unit,
            this.overrides.tagsOf(metric, this.tags, this.values),
          );
      this.histograms.set(metric, histogram);
    }
    histogram?.record(value);
  }

  /** Some may have been taken away. */
  private forget(): void {
    this.evictions = this.stats.evictions;
    this.counters.clear();
    this.histograms.clear();
  }

  /** Counts the user's own metrics; values that are no whole number count as 0, as in Istio's proxy. */
  recordCustom(): void {
    for (const { name, kind, value } of this.overrides.custom) {
      const amount = /^\d+$/.test(this.values[value]) ? Number(this.values[value]) : 0;
      const tags = this.overrides.tagsOf(name, [], this.values);
      if (kind === 'counter') this.stats.counter(NAMESPACE + name, tags).add(amount);
      else if (kind === 'gauge') this.stats.gauge(NAMESPACE + name, tags).set(amount);
      else this.stats.histogram(NAMESPACE + name, 'bytes', tags).record(amount);
    }
  }
}

/** The handles of one filter configuration. */
export class IstioMetrics {
  readonly overrides: MetricOverrides;
  private readonly stats: StatStore;
  private readonly byKey = new Map<string, MetricHandles>();
  private evictions: number;

  constructor(stats: StatStore, overrides: MetricOverrides) {
    this.evictions = stats.evictions;
    this.stats = stats;
    this.overrides = overrides;
  }

  /** `values` are what `overrides.evaluate` gave. `key` and `values` together identify the labels; `tags` makes them when new. */
  handles(key: string, values: readonly string[], tags: () => readonly StatTag[]): MetricHandles {
    if (this.evictions !== this.stats.evictions) {
      this.evictions = this.stats.evictions;
      this.byKey.clear();
    }
    const wholeKey = values.length === 0 ? key : `${key}\n${values.join('\n')}`;
    let handles = this.byKey.get(wholeKey);
    if (handles === undefined) {
      handles = new MetricHandles(this.stats, this.overrides, tags(), values);
      this.byKey.set(wholeKey, handles);
    }
    return handles;
  }
}
