// How long requests of clients took, over all connection managers: what people call the latency of the proxy.

import type { StatAggregator } from '../../common/stats/aggregator.ts';
import { HTTP_STATS } from '../../common/stats/families/http.ts';
import { HistogramStatistics, SUPPORTED_QUANTILES } from '../../common/stats/histogram_statistics.ts';

/** The admin port's own requests are nobody's traffic. */
const ADMIN = 'http.admin.';

/** ms, of the last interval of histograms; undefined when there were no requests in it. */
export function requestTimes(stats: StatAggregator): {
  readonly p50: number | undefined;
  readonly p99: number | undefined;
} {
  const { downstream_rq_time } = HTTP_STATS.offset;
  const intervals: HistogramStatistics[] = [];
  for (const family of stats.familiesOf(HTTP_STATS)) {
    const interval = family.histogram(downstream_rq_time)?.interval;
    if (family.prefix !== ADMIN && interval !== undefined && interval.sampleCount > 0)
      intervals.push(interval);
  }
  if (intervals.length === 0) return { p50: undefined, p99: undefined };
  const values = HistogramStatistics.merged(intervals).quantiles();
  return { p50: values[SUPPORTED_QUANTILES.indexOf(0.5)], p99: values[SUPPORTED_QUANTILES.indexOf(0.99)] };
}
