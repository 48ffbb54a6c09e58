// Columns of a heat map: how the buckets of a histogram grew from one look to the next. Envoy's /stats gives the buckets.

import { useEffect, useRef, useState } from 'react';
import { useAnswer } from '../../api/queries.ts';

/** ms between two looks. */
const LOOK_MS = 5_000;
/** 15 minutes. */
const MAX_COLUMNS = 180;

interface Bucket {
  readonly upper_bound: number;
  readonly cumulative: number;
}

/** Of /stats: an element for each counter, gauge and text, and one for all histograms. */
interface BucketsAnswer {
  readonly stats: readonly {
    readonly histograms?: readonly { readonly name: string; readonly buckets: readonly Bucket[] }[];
  }[];
}

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
  const filter = `^${name.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`;
  const query = { filter, format: 'json', histogram_buckets: 'disjoint' };
  const { data, dataUpdatedAt } = useAnswer<BucketsAnswer>('/stats', query, { every: LOOK_MS });
  const [heat, setHeat] = useState<Heat>(NOTHING);
  const before = useRef<readonly Bucket[]>(undefined);
  const buckets = data?.stats
    .find(({ histograms }) => histograms !== undefined)
    ?.histograms?.find((each) => each.name === name)?.buckets;
  // biome-ignore lint/correctness/useExhaustiveDependencies: each answer is a column, also one that says the same
  useEffect(() => {
    if (buckets === undefined) return;
    const last = before.current;
    before.current = buckets;
    if (last === undefined || last.length !== buckets.length) return;
    const counts = buckets.map(({ cumulative }, index) => Math.max(0, cumulative - last[index]!.cumulative));
    setHeat(({ columns }) => ({
      bounds: buckets.map((bucket) => bucket.upper_bound),
      columns: [...columns, { at: dataUpdatedAt, counts }].slice(-MAX_COLUMNS),
    }));
  }, [dataUpdatedAt]);
  return heat;
}
