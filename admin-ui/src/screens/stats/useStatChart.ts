// The past of one stat, as the proxy remembers it: from the first question on, every 5 s.

import { useAnswer } from '../../api/queries.ts';
import type { Page, StatRow, StatSeriesAnswer } from '../../api/types.ts';
import { perSecond } from '../overview/perSecond.ts';

/** The proxy takes a sample so often. */
const SERIES_MS = 5_000;
const NONE: readonly number[] = [];

export interface StatChart {
  readonly stat: StatRow | undefined;
  readonly times: readonly number[];
  /** Of a gauge its values, of the others how fast they grow. */
  readonly values: readonly (number | null)[];
  readonly error: Error | null;
}

export function useStatChart(name: string): StatChart {
  const found = useAnswer<Page<StatRow>>('/api/stats', { search: name, limit: 50 }, { every: SERIES_MS });
  const stat = found.data?.items.find((each) => each.name === name);
  const series = useAnswer<StatSeriesAnswer>('/api/stats/series', { name }, { every: SERIES_MS });
  const times = series.data?.times ?? NONE;
  const values = series.data?.items[0]?.values ?? NONE;
  return {
    stat,
    times,
    values: stat?.kind === 'gauge' ? values : perSecond(times, values),
    error: found.error ?? series.error,
  };
}
