// The circuit breakers of one cluster and priority as stats: 1 while a limit is reached and, with `track_remaining`, how
// much is left. https://www.envoyproxy.io/docs/envoy/latest/configuration/upstream/cluster_manager/cluster_stats

import type { StatBlock, StatStore } from '../../api/stats.ts';
import {
  CLUSTER_CIRCUIT_BREAKER_REMAINING_STATS,
  CLUSTER_CIRCUIT_BREAKER_STATS,
} from '../../common/stats/families/cluster.ts';
import type { BreakerUse, SharedResourceManager } from '../../common/upstream/resource_manager.ts';

/** What Envoy shows of a limit that is not configured: the largest number. */
const UNLIMITED = 2 ** 64;
const OPEN = CLUSTER_CIRCUIT_BREAKER_STATS.offset;
const LEFT = CLUSTER_CIRCUIT_BREAKER_REMAINING_STATS.offset;

export class BreakerStats {
  readonly #stats: StatStore;
  readonly #prefix: string;
  readonly #remaining: StatBlock | undefined;
  /** Made when a limit is reached for the first time: most never are. */
  #open: StatBlock | undefined;

  /** `prefix` is `cluster.<name>.circuit_breakers.<priority>.` */
  constructor(stats: StatStore, prefix: string, trackRemaining: boolean) {
    this.#stats = stats;
    this.#prefix = prefix;
    if (trackRemaining) this.#remaining = stats.block(CLUSTER_CIRCUIT_BREAKER_REMAINING_STATS, prefix);
  }

  refresh(breakers: SharedResourceManager): void {
    const use = breakers.use();
    const { maxRetries, retryBudgetPercent } = breakers.thresholds;
    if (this.#remaining !== undefined) writeRemaining(this.#remaining, use, retryBudgetPercent !== undefined);
    if (this.#open === undefined) {
      if (!Object.values(use).some(isOpen)) return;
      this.#open = this.#stats.block(CLUSTER_CIRCUIT_BREAKER_STATS, this.#prefix);
    }
    const { values, base } = this.#open;
    values[base + OPEN.cx_open] = Number(isOpen(use.cx));
    values[base + OPEN.rq_pending_open] = Number(isOpen(use.pending));
    values[base + OPEN.rq_open] = Number(isOpen(use.rq));
    // Envoy's stats of retries go by it where a budget is what counts, too; what a budget leaves has none.
    values[base + OPEN.rq_retry_open] = Number(isOpen({ used: use.retries.used, limit: maxRetries }));
    values[base + OPEN.cx_pool_open] = Number(isOpen(use.cx_pools));
  }

  release(): void {
    if (this.#open !== undefined) this.#stats.release(this.#open);
    if (this.#remaining !== undefined) this.#stats.release(this.#remaining);
  }
}

/** Envoy looks when the number changes: a limit of 0 that nobody came up against does not show. */
function isOpen({ used, limit }: BreakerUse[keyof BreakerUse]): boolean {
  return used > 0 && used >= limit;
}

function writeRemaining(
  { values, base }: StatBlock,
  { cx, pending, rq, retries, cx_pools }: BreakerUse,
  hasRetryBudget: boolean,
): void {
  values[base + LEFT.remaining_cx_pools] = Math.min(UNLIMITED, Math.max(0, cx_pools.limit - cx_pools.used));
  values[base + LEFT.remaining_cx] = Math.max(0, cx.limit - cx.used);
  values[base + LEFT.remaining_pending] = Math.max(0, pending.limit - pending.used);
  values[base + LEFT.remaining_rq] = Math.max(0, rq.limit - rq.used);
  values[base + LEFT.remaining_retries] = hasRetryBudget ? 0 : Math.max(0, retries.limit - retries.used);
}
