// Ends the intervals of histograms: every `stats_flush_interval`, or whenever somebody reads stats (`stats_flush_on_admin`).
// Envoy: source/server/server.cc (InstanceBase::flushStats); bootstrap.proto, stats_flush.

import type { Bootstrap } from '../../../xds-protos/generated/envoy/config/bootstrap/v3.ts';
import { durationMs } from '../../../xds-protos/well_known.ts';
import { inTurns } from '../../common/event/steps.ts';
import type { StatAggregator } from '../../common/stats/aggregator.ts';

/** bootstrap.proto, stats_flush_interval. */
const DEFAULT_INTERVAL_MS = 5_000;

export function statsFlushIntervalMs(bootstrap: Pick<Bootstrap, 'stats_flush_interval'>): number {
  return durationMs(bootstrap.stats_flush_interval) ?? DEFAULT_INTERVAL_MS;
}

export class StatsFlusher {
  readonly #timer: NodeJS.Timeout | undefined = undefined;

  constructor(
    bootstrap: Pick<Bootstrap, 'stats_flush_interval' | 'stats_flush_on_admin'>,
    aggregator: StatAggregator,
  ) {
    if (bootstrap.stats_flush_on_admin === true) {
      aggregator.beforeRead(() => aggregator.flushHistograms());
      return;
    }
    let flushing = false;
    const flush = async (): Promise<void> => {
      if (flushing) return;
      flushing = true;
      await inTurns(aggregator.flushHistograms());
      flushing = false;
    };
    this.#timer = setInterval(flush, statsFlushIntervalMs(bootstrap));
    this.#timer.unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
