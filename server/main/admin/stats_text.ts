// /stats as lines: text readouts, then counters and gauges, then histograms, each in order of their names.
// Envoy: source/server/admin/stats_render.cc.

import type { StatAggregator } from '../../common/stats/aggregator.ts';
import {
  type HistogramBucket,
  type HistogramStatistics,
  SUPPORTED_QUANTILES,
} from '../../common/stats/histogram_statistics.ts';
import type { MergedHistogram } from '../../common/stats/stat_family.ts';
import { type ListedStat, listStats } from '../../common/stats/stat_list.ts';
import type { StatsSettings } from '../../common/stats/stats_config.ts';
import { escapeHtml } from './html.ts';
import { disjoint, formatValue } from './stat_numbers.ts';
import { acceptedTextReadouts, type StatsQuery } from './stats_query.ts';

const SCALARS = new Set(['counter', 'gauge'] as const);
const HISTOGRAMS = new Set(['histogram'] as const);

export function* textStats(
  aggregator: StatAggregator,
  settings: StatsSettings,
  query: StatsQuery,
): Generator<string> {
  yield* aggregator.refresh();
  for (const [name, value] of acceptedTextReadouts(aggregator, query))
    yield `${name}: "${escapeHtml(value)}"\n`;
  const options = { ...query, order: 'name' } as const;
  for (const stat of listStats(aggregator, { ...options, kinds: SCALARS.intersection(query.kinds) })) {
    yield stat === '' ? '' : `${stat.name}: ${formatValue(stat.value)}\n`;
  }
  for (const stat of listStats(aggregator, { ...options, kinds: HISTOGRAMS.intersection(query.kinds) })) {
    yield stat === '' ? '' : histogramLine(stat, settings, query);
  }
}

function histogramLine(
  { name, family, offset }: ListedStat,
  settings: StatsSettings,
  query: StatsQuery,
): string {
  return `${name}:${histogramText(family.histogram(offset), settings.buckets(name), query)}\n`;
}

function histogramText(
  histogram: MergedHistogram | undefined,
  bounds: readonly number[],
  query: StatsQuery,
): string {
  if (histogram === undefined || histogram.cumulative.sampleCount === 0) return ' No recorded values';
  const { interval, cumulative } = histogram;
  switch (query.histograms) {
    case 'cumulative':
      return ` ${bucketText(bounds, interval.cumulativeCounts(bounds), cumulative.cumulativeCounts(bounds))}`;
    case 'disjoint':
      return ` ${bucketText(bounds, disjoint(interval.cumulativeCounts(bounds)), disjoint(cumulative.cumulativeCounts(bounds)))}`;
    case 'detailed':
      return (
        `\n  totals=${detailText(cumulative.buckets)}\n  intervals=${detailText(interval.buckets)}` +
        `\n  summary=${summaryText(interval, cumulative)}`
      );
    default:
      return ` ${summaryText(interval, cumulative)}`;
  }
}

function summaryText(interval: HistogramStatistics, cumulative: HistogramStatistics): string {
  const intervals = interval.quantiles();
  const totals = cumulative.quantiles();
  return SUPPORTED_QUANTILES.map((quantile, i) => {
    return `P${formatGeneral(quantile * 100)}(${nanText(intervals[i])},${nanText(totals[i])})`;
  }).join(' ');
}

function bucketText(
  bounds: readonly number[],
  intervals: readonly number[],
  totals: readonly number[],
): string {
  return bounds.map((bound, i) => `B${formatGeneral(bound)}(${intervals[i]},${totals[i]})`).join(' ');
}

function detailText(buckets: readonly HistogramBucket[]): string {
  return buckets
    .map(({ low, width, count }) => `${formatGeneral(low)},${formatGeneral(width)}:${count}`)
    .join(', ');
}

/** printf's %g: six significant digits. */
function formatGeneral(value: number): string {
  const exponent = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)));
  if (exponent >= -4 && exponent < 6) return String(Number(value.toPrecision(6)));
  const [mantissa = '', power = ''] = value.toExponential(5).split('e');
  return `${Number(mantissa)}e${power[0]}${power.slice(1).padStart(2, '0')}`;
}

function nanText(value: number | undefined): string {
  return value === undefined || Number.isNaN(value) ? 'nan' : String(value);
}
