// Takes stats away that were made of what requests say (Istio's metrics by their labels) and were not written for a whole
// `stats_eviction_interval`, so that labels that come and go do not fill the memory. Main decides for all workers: a stat that one
// of them still writes keeps what the others have counted. Envoy: source/common/stats/thread_local_store.cc (evictUnused).

import type { Bootstrap } from '../../../xds-protos/generated/envoy/config/bootstrap/v3.ts';
import { durationMs } from '../../../xds-protos/well_known.ts';
import { ConfigError } from '../../api/config_error.ts';
import { inTurns, type Steps } from '../../common/event/steps.ts';
import type { StatAggregator } from '../../common/stats/aggregator.ts';
import type { EvictedStat } from '../../common/stats/messages.ts';
import type { StatFamily } from '../../common/stats/stat_family.ts';
import { statsFlushIntervalMs } from './stats_flusher.ts';

/** ms; undefined when nothing is ever taken away. Throws ConfigError. */
export function statsEvictionIntervalMs(
  bootstrap: Pick<Bootstrap, 'stats_eviction_interval' | 'stats_flush_interval'>,
): number | undefined {
  const interval = durationMs(bootstrap.stats_eviction_interval);
  if (interval !== undefined && interval % statsFlushIntervalMs(bootstrap) !== 0)
    throw new ConfigError('stats_eviction_interval', 'must be a multiple of stats_flush_interval');
  return interval;
}

export class StatEviction {
  readonly #aggregator: StatAggregator;
  readonly #evict: (stats: readonly EvictedStat[]) => void;
  readonly #timer: NodeJS.Timeout | undefined = undefined;
  /** What each showed at the end of the last interval. */
  #marks = new Map<StatFamily, number>();
  #sweeping = false;

  /** `evict` tells all workers. */
  constructor(
    intervalMs: number | undefined,
    aggregator: StatAggregator,
    evict: (stats: readonly EvictedStat[]) => void,
  ) {
    this.#aggregator = aggregator;
    this.#evict = evict;
    if (intervalMs === undefined) return;
    this.#timer = setInterval(() => void this.#sweep(), intervalMs);
    this.#timer.unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #sweep(): Promise<void> {
    if (this.#sweeping) return;
    this.#sweeping = true;
    const idle = await inTurns(this.#findIdle());
    this.#sweeping = false;
    if (idle.length > 0) this.#evict(idle);
  }

  *#findIdle(): Steps<readonly EvictedStat[]> {
    const idle: EvictedStat[] = [];
    const marks = new Map<StatFamily, number>();
    for (const family of this.#aggregator.taggedFamilies()) {
      yield '';
      // A gauge says how things are, also when they do not change (istio_build).
      if (family.definitions[0]?.kind === 'gauge') continue;
      const mark = family.mark(0);
      if (this.#marks.get(family) === mark) idle.push({ schema: family.schemaId, prefix: family.prefix });
      else marks.set(family, mark);
    }
    this.#marks = marks;
    return idle;
  }
}
