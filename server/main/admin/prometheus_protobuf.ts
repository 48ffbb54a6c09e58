// Prometheus' protobuf format: a stream of io.prometheus.client.MetricFamily, each behind its length. Made as text of one
// character a byte, which costs less than buffers, and is sent as latin1.
// Envoy: source/server/admin/prometheus_stats.cc. https://prometheus.io/docs/instrumenting/exposition_formats

import type { StatTag } from '../../api/stats.ts';
import type { StatAggregator } from '../../common/stats/aggregator.ts';
import type { TagSet } from '../../common/stats/extracted_tags.ts';
import { HistogramStatistics, SUPPORTED_QUANTILES } from '../../common/stats/histogram_statistics.ts';
import type { ListedStat } from '../../common/stats/stat_list.ts';
import type { StatsSettings } from '../../common/stats/stats_config.ts';
import { type NativeHistogram, nativeHistogram } from './native_histogram.ts';
import { PrometheusMetrics, tagSetOf } from './prometheus_metrics.ts';
import { metricName, sanitize } from './prometheus_names.ts';
import { acceptedTextReadouts, type StatsQuery } from './stats_query.ts';

export const PROTOBUF_TYPE =
  'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited';

/** Numbers of MetricType. */
const COUNTER = 0;
const GAUGE = 1;
const SUMMARY = 2;
const HISTOGRAM = 4;

/** What of Metric says the value: its field with its message. */
type ValueOf = (stat: ListedStat) => string;

export function* prometheusProtobuf(
  aggregator: StatAggregator,
  settings: StatsSettings,
  query: StatsQuery,
): Generator<string> {
  const metrics = yield* PrometheusMetrics.gather(aggregator, settings.tags, query);
  yield* familiesOf(metrics, 'counter', COUNTER, ({ value }) => message(3, double(1, value)));
  yield* familiesOf(metrics, 'gauge', GAUGE, ({ value }) => message(2, double(1, value)));
  if (query.textReadouts) yield* textReadoutFamilies(aggregator, settings, query);
  const { histograms, nativeHistogramMaxBuckets } = query;
  if (histograms === 'summary') yield* familiesOf(metrics, 'histogram', SUMMARY, summary);
  else if (histograms === 'prometheusnative') {
    yield* familiesOf(metrics, 'histogram', HISTOGRAM, (stat) =>
      native(nativeHistogram(cumulativeOf(stat), nativeHistogramMaxBuckets)),
    );
  } else yield* familiesOf(metrics, 'histogram', HISTOGRAM, (stat) => classic(stat, settings));
}

function* familiesOf(
  metrics: PrometheusMetrics,
  kind: 'counter' | 'gauge' | 'histogram',
  type: number,
  valueField: ValueOf,
): Generator<string> {
  for (const metric of yield* metrics.ofKind(kind)) {
    const name = metricName(metric.name);
    if (name === undefined) continue;
    const entries: string[] = [];
    let length = 0;
    for (const stat of metrics.statsOf(metric)) {
      if (stat === '') {
        yield '';
        continue;
      }
      const entry = message(4, labelBytesOf(tagSetOf(stat)) + valueField(stat));
      length += entry.length;
      entries.push(entry);
    }
    if (entries.length > 0) yield* family(name, type, entries, length);
  }
}

function* textReadoutFamilies(
  aggregator: StatAggregator,
  { tags: producer }: StatsSettings,
  query: StatsQuery,
): Generator<string> {
  const byName = new Map<string, string[]>();
  for (const [full, value] of acceptedTextReadouts(aggregator, query)) {
    yield '';
    const { name, tags } = producer.produce(full);
    const metric = metricName(name);
    if (metric === undefined) continue;
    const labels = labelBytes([...tags, { name: 'text_value', value }]);
    const entry = message(4, labels + message(2, double(1, 0)));
    const entries = byName.get(metric);
    if (entries === undefined) byName.set(metric, [entry]);
    else entries.push(entry);
  }
  for (const [name, entries] of [...byName].sort(([a], [b]) => (a < b ? -1 : 1))) {
    yield* family(
      name,
      GAUGE,
      entries,
      entries.reduce((length, entry) => length + entry.length, 0),
    );
  }
}

function* family(name: string, type: number, entries: readonly string[], length: number): Generator<string> {
  const head = message(1, name) + varintField(3, type);
  yield varint(head.length + length) + head;
  yield* entries;
}

function cumulativeOf({ family: owner, offset }: ListedStat): HistogramStatistics {
  return owner.histogram(offset)?.cumulative ?? HistogramStatistics.EMPTY;
}

function summary({ family: owner, offset }: ListedStat): string {
  const statistics = owner.histogram(offset)?.interval ?? HistogramStatistics.EMPTY;
  const values = statistics.quantiles();
  let content = varintField(1, statistics.sampleCount) + double(2, statistics.sampleSum);
  SUPPORTED_QUANTILES.forEach((quantile, i) => {
    content += message(3, double(1, quantile) + double(2, values[i] as number));
  });
  return message(4, content);
}

function classic(stat: ListedStat, settings: StatsSettings): string {
  const statistics = cumulativeOf(stat);
  const bounds = settings.buckets(stat.name);
  const counts = statistics.cumulativeCounts(bounds);
  let content = varintField(1, statistics.sampleCount) + double(2, statistics.sampleSum);
  bounds.forEach((bound, i) => {
    content += message(3, varintField(1, counts[i] as number) + double(2, bound));
  });
  return message(7, content);
}

function native({ count, sum, schema, zeroThreshold, zeroCount, spans }: NativeHistogram): string {
  let content = count === 0 ? '' : varintField(1, count) + double(2, sum);
  content += varintField(5, zigzag(schema));
  if (count > 0) content += double(6, zeroThreshold);
  content += varintField(7, zeroCount);
  for (const { offset, counts } of spans) {
    content += message(12, varintField(1, zigzag(offset)) + varintField(2, counts.length));
  }
  let before = 0;
  for (const { counts } of spans) {
    for (const each of counts) {
      content += varintField(13, zigzag(each - before));
      before = each;
    }
  }
  return message(7, content);
}

function labelBytesOf(tags: TagSet): string {
  return (tags.bytes ??= labelBytes(tags.tags));
}

function labelBytes(tags: readonly StatTag[]): string {
  let bytes = '';
  for (const { name, value } of tags) {
    bytes += message(1, message(1, sanitize(name)) + message(2, Buffer.from(value).toString('latin1')));
  }
  return bytes;
}

// ---- https://protobuf.dev/programming-guides/encoding

/** A message or text in a field: its length, and its bytes. */
function message(field: number, content: string): string {
  return String.fromCharCode((field << 3) | 2) + varint(content.length) + content;
}

function varintField(field: number, value: number): string {
  return String.fromCharCode(field << 3) + varint(value);
}

/** `value` is a whole number, not negative. */
function varint(value: number): string {
  if (value < 0x80) return String.fromCharCode(value);
  let bytes = '';
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes += String.fromCharCode((rest % 0x80) | 0x80);
  return bytes + String.fromCharCode(rest);
}

function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value;
}

const NUMBER = new Float64Array(1);
const NUMBER_BYTES = Buffer.from(NUMBER.buffer);
const ZERO = '\0'.repeat(NUMBER_BYTES.length);
/** Of the many that there are, the one that Envoy writes. */
const NAN = `${'\xff'.repeat(7)}\x7f`;

function double(field: number, value: number): string {
  return String.fromCharCode((field << 3) | 1) + doubleBytes(value);
}

/** Little-endian, as is every processor that node has builds for. */
function doubleBytes(value: number): string {
  if (value === 0) return ZERO;
  if (Number.isNaN(value)) return NAN;
  NUMBER[0] = value;
  return NUMBER_BYTES.toString('latin1');
}
