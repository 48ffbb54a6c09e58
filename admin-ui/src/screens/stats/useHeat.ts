// Columns of a heat map: what a histogram recorded during the last 15 minutes.

import { useAnswer } from '../../api/queries.ts';

/** ms: the proxy takes a sample every 5 s. */
const SAMPLE_MS = 5_000;

export interface HeatColumn {
  /** ms since 1970. */
  readonly at: number;
  /** Samples by bucket. */
  readonly counts: readonly number[];
}

export interface Heat {
  /** Of each bucket. */
  readonly bounds: readonly number[];
  readonly columns: readonly HeatColumn[];
}

const NOTHING: Heat = { bounds: [], columns: [] };

export function useHeat(name: string): Heat {
  return useAnswer<Heat>('/api/stats/heat', { name }, { every: SAMPLE_MS, keep: false }).data ?? NOTHING;
}
