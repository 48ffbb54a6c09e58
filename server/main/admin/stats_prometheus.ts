// Prometheus' text format: stats grouped by their names without tags, the tags as labels.
// Envoy: source/server/admin/prometheus_stats.cc. https://prometheus.io/docs/instrumenting/exposition_formats

import type { StatKind, StatTag } from '../../api/stats.ts';
import type { StatAggregator } from '../../common/stats/aggregator.ts';
import { stripCustomNamespace } from '../../common/stats/custom_stat_namespaces.ts';
import { HistogramStatistics, SUPPORTED_QUANTILES } from '../../common/stats/histogram_statistics.ts';
import type { TaggedName } from '../../common/stats/messages.ts';
import { type ListedStat, listStats } from '../../common/stats/stat_list.ts';
import type { StatsSettings } from '../../common/stats/stats_config.ts';
import { formatValue } from './stat_numbers.ts';
import { acceptedTextReadouts, type StatsQuery } from './stats_query.ts';

export function* prometheusStats(
  aggregator: StatAggregator,
  settings: StatsSettings,
  query: StatsQuery,
): Generator<string> {
  const families = [...aggregator.families()];
  const list = (kind: StatKind): Generator<ListedStat> =>
    listStats(families, { ...query, order: 'token', kinds: new Set([kind]) });
  const summary = query.histograms === 'summary';
  const tagged = (stat: ListedStat): TaggedName => stat.family.tagged ?? settings.tags.produce(stat.name);

  yield* metrics(list('counter'), 'counter', tagged, valueLine);
  yield* metrics(list('gauge'), 'gauge', tagged, valueLine);
  if (query.textReadouts) yield* textReadoutMetrics(aggregator, settings, query);
  yield* metrics(list('histogram'), summary ? 'summary' : 'histogram', tagged, (metric, labels, stat) => {
    const histogram = stat.family.histogram(stat.offset);
    if (summary) return summaryLines(metric, labels, histogram?.interval ?? HistogramStatistics.EMPTY);
    return bucketLines(
      metric,
      labels,
      histogram?.cumulative ?? HistogramStatistics.EMPTY,
      settings.buckets(stat.name),
    );
  });
}

/** A metric's stats with their labels, in the order of their lines. */
interface Metric<Stat> {
  readonly stats: Stat[];
  readonly labels: string[];
}

/** All lines of a metric together under one TYPE line; `stats` come in the order of their lines. */
function* metrics<Stat>(
  stats: Iterable<Stat>,
  type: string,
  tagged: (stat: Stat) => TaggedName,
  lines: (metric: string, labels: string, stat: Stat) => string,
): Generator<string> {
  const byName = new Map<string, Metric<Stat>>();
  // Neighbours are of the same cluster and share one text: a million of their own would take a hundred megabytes.
  let labels = '';
  let labelled: readonly StatTag[] = [];
  for (const stat of stats) {
    const { name, tags } = tagged(stat);
    if (!equalTags(tags, labelled)) labels = labelsOf(tags);
    labelled = tags;
    const metric = byName.get(name);
    if (metric === undefined) byName.set(name, { stats: [stat], labels: [labels] });
    else {
      metric.stats.push(stat);
      metric.labels.push(labels);
    }
    // Nothing to send yet, but the sender may give others a turn.
    yield '';
  }
  const keyed = [...byName].map(([name, metric]) => ({ key: name.replaceAll('.', '\0'), name, metric }));
  keyed.sort((a, b) => (a.key < b.key ? -1 : 1));
  for (const { name, metric } of keyed) {
    const shown = metricName(name);
    if (shown === undefined) continue;
    yield `# TYPE ${shown} ${type}\n`;
    for (const [i, stat] of metric.stats.entries()) yield lines(shown, metric.labels[i] as string, stat);
  }
}

function* textReadoutMetrics(
  aggregator: StatAggregator,
  settings: StatsSettings,
  query: StatsQuery,
): Generator<string> {
  const withText = ([name, value]: [string, string]): TaggedName => {
    const produced = settings.tags.produce(name);
    return { name: produced.name, tags: [...produced.tags, { name: 'text_value', value }] };
  };
  yield* metrics(acceptedTextReadouts(aggregator, query), 'gauge', withText, (metric, labels) => {
    return `${metric}{${labels}} 0\n`;
  });
}

function valueLine(metric: string, labels: string, stat: ListedStat): string {
  return `${metric}{${labels}} ${formatValue(stat.value)}\n`;
}

function summaryLines(metric: string, labels: string, statistics: HistogramStatistics): string {
  const values = statistics.quantiles();
  const start = `${metric}{${labels}${labels === '' ? '' : ','}quantile="`;
  let lines = '';
  SUPPORTED_QUANTILES.forEach((quantile, i) => {
    const value = values[i] as number;
    lines += `${start}${quantile}"} ${Number.isNaN(value) ? 'nan' : exactDecimal(value)}\n`;
  });
  return lines + sumAndCount(metric, labels, statistics);
}

function bucketLines(
  metric: string,
  labels: string,
  statistics: HistogramStatistics,
  bounds: readonly number[],
): string {
  const start = `${metric}_bucket{${labels}${labels === '' ? '' : ','}le="`;
  const counts = statistics.cumulativeCounts(bounds);
  let lines = '';
  bounds.forEach((bound, i) => {
    lines += `${start}${exactDecimal(bound)}"} ${counts[i]}\n`;
  });
  return `${lines}${start}+Inf"} ${statistics.sampleCount}\n${sumAndCount(metric, labels, statistics)}`;
}

function sumAndCount(metric: string, labels: string, statistics: HistogramStatistics): string {
  return (
    `${metric}_sum{${labels}} ${exactDecimal(statistics.sampleSum)}\n` +
    `${metric}_count{${labels}} ${statistics.sampleCount}\n`
  );
}

/** Up to 32 significant digits and no exponent, as Envoy prints doubles here. */
function exactDecimal(value: number): string {
  if (Number.isInteger(value)) return String(value);
  return value.toPrecision(32).replace(/0+$/, '');
}

function metricName(name: string): string | undefined {
  const custom = stripCustomNamespace(name);
  if (custom === undefined) return `envoy_${sanitize(name)}`;
  const metric = sanitize(custom);
  return metric === '' || /^\d/.test(metric) ? undefined : metric;
}

function labelsOf(tags: readonly StatTag[]): string {
  let labels = '';
  for (const { name, value } of tags) {
    labels += `${labels === '' ? '' : ','}${sanitize(name)}="${escapeValue(value)}"`;
  }
  return labels;
}

function equalTags(a: readonly StatTag[], b: readonly StatTag[]): boolean {
  return (
    a.length === b.length && a.every(({ name, value }, i) => name === b[i]?.name && value === b[i].value)
  );
}

function sanitize(name: string): string {
  return name.replace(/[^a-zA-Z0-9_]/g, '_');
}

function escapeValue(value: string): string {
  return /[\\"\n]/.test(value)
    ? value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
    : value;
}
