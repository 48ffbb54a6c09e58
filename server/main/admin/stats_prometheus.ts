// Prometheus' text format: stats grouped by their names without tags, the tags as labels.
// Envoy: source/server/admin/prometheus_stats.cc. https://prometheus.io/docs/instrumenting/exposition_formats

import type { StatTag } from '../../api/stats.ts';
import { sortInSteps } from '../../common/event/steps.ts';
import type { StatAggregator } from '../../common/stats/aggregator.ts';
import type { TagSet } from '../../common/stats/extracted_tags.ts';
import { tokenKey } from '../../common/stats/family_order.ts';
import { HistogramStatistics, SUPPORTED_QUANTILES } from '../../common/stats/histogram_statistics.ts';
import type { ListedStat } from '../../common/stats/stat_list.ts';
import type { StatsSettings } from '../../common/stats/stats_config.ts';
import { PrometheusMetrics, tagSetOf } from './prometheus_metrics.ts';
import { metricName, sanitize } from './prometheus_names.ts';
import { formatValue } from './stat_numbers.ts';
import { acceptedTextReadouts, type StatsQuery } from './stats_query.ts';

/** Lines are gathered into pieces of about this size. */
const PIECE_CHARS = 16 * 1024;

type Lines = (labels: string, stat: ListedStat) => string;

export function* prometheusStats(
  aggregator: StatAggregator,
  settings: StatsSettings,
  query: StatsQuery,
): Generator<string> {
  const metrics = yield* PrometheusMetrics.gather(aggregator, settings.tags, query);
  yield* metricsOfKind(metrics, 'counter', 'counter', valueLines);
  yield* metricsOfKind(metrics, 'gauge', 'gauge', valueLines);
  if (query.textReadouts) yield* textReadoutMetrics(aggregator, settings, query);
  if (query.histograms === 'summary') yield* metricsOfKind(metrics, 'histogram', 'summary', summaryLines);
  else yield* metricsOfKind(metrics, 'histogram', 'histogram', (metric) => bucketLines(metric, settings));
}

/** All lines of a metric together under one TYPE line. */
function* metricsOfKind(
  metrics: PrometheusMetrics,
  kind: 'counter' | 'gauge' | 'histogram',
  type: string,
  linesOf: (metric: string) => Lines,
): Generator<string> {
  for (const metric of yield* metrics.ofKind(kind)) {
    const name = metricName(metric.name);
    if (name === undefined) continue;
    const lines = linesOf(name);
    let piece = '';
    let head = `# TYPE ${name} ${type}\n`;
    for (const stat of metrics.statsOf(metric)) {
      if (stat === '') {
        yield '';
        continue;
      }
      piece += head + lines(labelTextOf(tagSetOf(stat)), stat);
      head = '';
      if (piece.length < PIECE_CHARS) continue;
      yield piece;
      piece = '';
    }
    if (piece !== '') yield piece;
  }
}

function* textReadoutMetrics(
  aggregator: StatAggregator,
  { tags: producer }: StatsSettings,
  query: StatsQuery,
): Generator<string> {
  const byName = new Map<string, string>();
  for (const [name, value] of acceptedTextReadouts(aggregator, query)) {
    const { name: shortName, tags } = producer.produce(name);
    const metric = metricName(shortName);
    if (metric === undefined) continue;
    const labels = labelsOf([...tags, { name: 'text_value', value }]);
    const before = byName.get(shortName) ?? `# TYPE ${metric} gauge\n`;
    byName.set(shortName, `${before}${metric}{${labels}} 0\n`);
    yield '';
  }
  const inOrder = [...byName].map(([name, lines]) => ({ key: tokenKey(name), lines }));
  for (const { lines } of yield* sortInSteps(inOrder)) yield lines;
}

function valueLines(metric: string): Lines {
  const start = `${metric}{`;
  return (labels, { value }) => `${start}${labels}} ${formatValue(value)}\n`;
}

function summaryLines(metric: string): Lines {
  return (labels, { family, offset }) => {
    const statistics = family.histogram(offset)?.interval ?? HistogramStatistics.EMPTY;
    const values = statistics.quantiles();
    const start = `${metric}{${labels}${labels === '' ? '' : ','}quantile="`;
    let lines = '';
    SUPPORTED_QUANTILES.forEach((quantile, i) => {
      const value = values[i] as number;
      lines += `${start}${quantile}"} ${Number.isNaN(value) ? 'nan' : exactDecimal(value)}\n`;
    });
    return lines + sumAndCount(metric, labels, statistics);
  };
}

function bucketLines(metric: string, settings: StatsSettings): Lines {
  const name = `${metric}_bucket{`;
  const texts = new Map<readonly number[], readonly string[]>();
  return (labels, stat) => {
    const statistics = stat.family.histogram(stat.offset)?.cumulative ?? HistogramStatistics.EMPTY;
    const bounds = settings.buckets(stat.name);
    let ends = texts.get(bounds);
    if (ends === undefined)
      texts.set(bounds, (ends = bounds.map((bound) => `le="${exactDecimal(bound)}"} `)));
    const start = `${name}${labels}${labels === '' ? '' : ','}`;
    const counts = statistics.cumulativeCounts(bounds);
    let lines = '';
    for (let i = 0; i < ends.length; i++) lines += `${start}${ends[i]}${counts[i]}\n`;
    return `${lines}${start}le="+Inf"} ${statistics.sampleCount}\n${sumAndCount(metric, labels, statistics)}`;
  };
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

function labelTextOf(tags: TagSet): string {
  return (tags.text ??= labelsOf(tags.tags));
}

function labelsOf(tags: readonly StatTag[]): string {
  let labels = '';
  for (const { name, value } of tags) {
    labels += `${labels === '' ? '' : ','}${sanitize(name)}="${escapeValue(value)}"`;
  }
  return labels;
}

function escapeValue(value: string): string {
  return /[\\"\n]/.test(value)
    ? value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
    : value;
}
