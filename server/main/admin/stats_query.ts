// What /stats and /stats/prometheus are asked for: their parameters, read and checked.
// Envoy: source/server/admin/stats_params.cc.

import type { StatKind } from '../../api/stats.ts';
import type { StatAggregator } from '../../common/stats/aggregator.ts';
import { requiredText } from '../../common/stats/required_text.ts';
import type { StatFilter } from '../../common/stats/stat_list.ts';
import type { AdminContext } from './context.ts';
import { compileSearch, RegexParamError } from './regex_param.ts';

export type HistogramMode = 'none' | 'cumulative' | 'disjoint' | 'detailed' | 'summary' | 'prometheusnative';

export interface StatsQuery extends StatFilter {
  readonly histograms: HistogramMode;
  readonly textReadouts: boolean;
  readonly nativeHistogramMaxBuckets: number;
}

const KINDS: Readonly<Record<string, readonly StatKind[]>> = {
  All: ['counter', 'gauge', 'histogram', 'text_readout'],
  Counters: ['counter'],
  Gauges: ['gauge'],
  Histograms: ['histogram'],
  TextReadouts: ['text_readout'],
};

const MODES: readonly string[] = [
  'none',
  'cumulative',
  'disjoint',
  'detailed',
  'summary',
  'prometheusnative',
];
/** Envoy: PrometheusStatsFormatter, the default. */
const DEFAULT_NATIVE_HISTOGRAM_MAX_BUCKETS = 20;
const MAX_UINT32 = 2 ** 32 - 1;
const HIDDEN_USAGE = 'usage: /stats?hidden=(include|only|exclude)\n\n';
const MODE_USAGE =
  'usage: /stats?histogram_buckets=(cumulative|disjoint|detailed|summary|prometheusnative)\n';

/** What the parameters ask for, or the text of the error. */
export function readStatsQuery(params: URLSearchParams, context: AdminContext): StatsQuery | string {
  const histograms = params.get('histogram_buckets') || 'none';
  if (!MODES.includes(histograms)) return MODE_USAGE;
  const hidden = params.get('hidden');
  let required = '';
  let accepts = context.statsSettings.accepts;
  // None of our stats is hidden.
  if (hidden === 'only') accepts = () => false;
  const filter = params.get('filter') ?? '';
  try {
    if (filter !== '') {
      const invert = params.has('invert_filter');
      accepts = filtered(accepts, compileSearch(filter), invert);
      if (!invert) required = requiredText(filter);
    }
  } catch (error) {
    if (error instanceof RegexParamError) return `Invalid re2 regex: ${error.message}`;
    throw error;
  }
  const nativeHistogramMaxBuckets = positiveInteger(params.get('native_histogram_max_buckets'));
  if (nativeHistogramMaxBuckets === undefined)
    return 'invalid native_histogram_max_buckets value: must be a positive integer';
  const kinds = KINDS[params.get('type') || 'All'];
  if (kinds === undefined) return 'invalid &type= param';
  if (hidden !== null && !['include', 'only', 'exclude'].includes(hidden)) return HIDDEN_USAGE;
  return {
    kinds: new Set(kinds),
    usedOnly: params.has('usedonly'),
    accepts,
    requiredText: required,
    histograms: histograms as HistogramMode,
    textReadouts: params.has('text_readouts'),
    nativeHistogramMaxBuckets,
  };
}

function positiveInteger(text: string | null): number | undefined {
  if (text === null || text === '') return DEFAULT_NATIVE_HISTOGRAM_MAX_BUCKETS;
  const number = Number(text);
  return /^\s*\+?\d+\s*$/.test(text) && number > 0 && number <= MAX_UINT32 ? number : undefined;
}

function filtered(
  accepts: StatFilter['accepts'],
  found: (name: string) => boolean,
  invert: boolean,
): (name: string) => boolean {
  return (name) => found(name) !== invert && (accepts === undefined || accepts(name));
}

/** Text readouts by name, those the query is for. */
export function acceptedTextReadouts(
  aggregator: StatAggregator,
  query: StatsQuery,
): [name: string, value: string][] {
  if (!query.kinds.has('text_readout')) return [];
  return [...aggregator.textReadouts]
    .filter(([name]) => query.accepts?.(name) ?? true)
    .sort(([a], [b]) => (a < b ? -1 : 1));
}
