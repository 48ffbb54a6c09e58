// How fast counters grow, from one answer to the next: for what the proxy only gives as totals.

import { useRef } from 'react';

interface Known {
  readonly at: number;
  readonly total: number;
  readonly rate: number | null;
}

/** Entries that are kept: what was scrolled away may go. */
const MAX_KNOWN = 5_000;

export class Rates {
  readonly #known = new Map<string, Known>();

  /** Per second since the answer before; null where there is none. `at`: when this one came, ms since 1970. */
  of(key: string, total: number, at: number): number | null {
    const before = this.#known.get(key);
    if (before !== undefined && at <= before.at) return before.rate;
    const rate =
      before === undefined || total < before.total
        ? null
        : ((total - before.total) * 1000) / (at - before.at);
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    this.#known.set(key, { at, total, rate });
    return rate;
  }
}

export function useRates(): Rates {
  const rates = useRef<Rates>(undefined);
  rates.current ??= new Rates();
  return rates.current;
}
