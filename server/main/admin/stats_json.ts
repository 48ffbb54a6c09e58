// /stats?format=json: one object in a list per text readout, counter and gauge, then one with all histograms.
// Envoy: source/server/admin/stats_render.cc (StatsJsonRender).

import type { StatAggregator } from '../../common/stats/aggregator.ts';
import {
  type HistogramBucket,
  HistogramStatistics,
  SUPPORTED_QUANTILES,
} from '../../common/stats/histogram_statistics.ts';
import { type ListedStat, listStats } from '../../common/stats/stat_list.ts';
import type { StatsSettings } from '../../common/stats/stats_config.ts';
import { disjoint, formatValue } from './stat_numbers.ts';
import { acceptedTextReadouts, type StatsQuery } from './stats_query.ts';

const SCALARS = new Set(['counter', 'gauge'] as const);
const HISTOGRAMS = new Set(['histogram'] as const);
const QUANTILES = `[${SUPPORTED_QUANTILES.map((quantile) => Number((quantile * 100).toPrecision(6))).join(',')}]`;

export function* jsonStats(
  aggregator: StatAggregator,
  settings: StatsSettings,
  query: StatsQuery,
): Generator<string> {
  yield* aggregator.refresh();
  let before = '{"stats":[';
  for (const [name, value] of acceptedTextReadouts(aggregator, query)) {
    yield `${before}{"name":${JSON.stringify(name)},"value":${JSON.stringify(value)}}`;
    before = ',';
  }
  const options = { ...query, order: 'name' } as const;
  for (const stat of listStats(aggregator, { ...options, kinds: SCALARS.intersection(query.kinds) })) {
    if (stat === '') {
      yield stat;
      continue;
    }
    yield `${before}{"name":${JSON.stringify(stat.name)},"value":${formatValue(stat.value)}}`;
    before = ',';
  }
  const { open, close } = histogramFrame(query);
  let end = before === ',' ? ']}' : '{"stats":[]}';
  before += open;
  for (const stat of listStats(aggregator, { ...options, kinds: HISTOGRAMS.intersection(query.kinds) })) {
    if (stat === '') {
      yield stat;
      continue;
    }
    yield `${before}${histogramJson(stat, settings.buckets(stat.name), query)}`;
    before = ',';
    end = `${close}]}`;
  }
  yield end;
}

/** What is around the list of histograms. */
function histogramFrame({ histograms }: StatsQuery): { readonly open: string; readonly close: string } {
  switch (histograms) {
    case 'cumulative':
    case 'disjoint':
      return { open: '{"histograms":[', close: ']}' };
    case 'detailed':
      return { open: `{"histograms":{"supported_percentiles":${QUANTILES},"details":[`, close: ']}}' };
    default:
      return {
        open: `{"histograms":{"supported_quantiles":${QUANTILES},"computed_quantiles":[`,
        close: ']}}',
      };
  }
}

function histogramJson(stat: ListedStat, bounds: readonly number[], query: StatsQuery): string {
  const histogram = stat.family.histogram(stat.offset);
  const interval = histogram?.interval ?? HistogramStatistics.EMPTY;
  const cumulative = histogram?.cumulative ?? HistogramStatistics.EMPTY;
  const name = `"name":${JSON.stringify(stat.name)}`;
  switch (query.histograms) {
    case 'cumulative':
      return `{${name},${bucketsJson(bounds, interval.cumulativeCounts(bounds), cumulative.cumulativeCounts(bounds))}}`;
    case 'disjoint':
      return `{${name},${bucketsJson(bounds, disjoint(interval.cumulativeCounts(bounds)), disjoint(cumulative.cumulativeCounts(bounds)))}}`;
    case 'detailed':
      return (
        `{${name},"totals":${detailsJson(cumulative.buckets)},"intervals":${detailsJson(interval.buckets)},` +
        `"percentiles":${quantilesJson(interval, cumulative)}}`
      );
    default:
      return `{${name},"values":${quantilesJson(interval, cumulative)}}`;
  }
}

function quantilesJson(interval: HistogramStatistics, cumulative: HistogramStatistics): string {
  const intervals = interval.quantiles();
  const values = cumulative.quantiles().map((value, i) => {
    return `{"cumulative":${formatDouble(value)},"interval":${formatDouble(intervals[i] as number)}}`;
  });
  return `[${values.join(',')}]`;
}

function bucketsJson(
  bounds: readonly number[],
  intervals: readonly number[],
  totals: readonly number[],
): string {
  const buckets = bounds.map((bound, i) => {
    return `{"upper_bound":${formatDouble(bound)},"interval":${intervals[i]},"cumulative":${totals[i]}}`;
  });
  return `"buckets":[${buckets.join(',')}]`;
}

function detailsJson(buckets: readonly HistogramBucket[]): string {
  const details = buckets.map(({ low, width, count }) => {
    return `{"lower_bound":${formatDouble(low)},"width":${formatDouble(width)},"count":${count}}`;
  });
  return `[${details.join(',')}]`;
}

/** C++'s std::to_chars: the shorter of plain and scientific notation, plain when equal. */
function formatDouble(value: number): string {
  if (Number.isNaN(value)) return 'null';
  const plain = String(value);
  const scientific = value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
  return scientific.length < plain.length ? scientific : plain;
}
