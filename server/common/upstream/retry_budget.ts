// Circuit breakers whose retry budget is a part of the requests that began within `budget_interval`, of all workers together.
// Follows Envoy's RetryBudgetImpl (source/common/upstream/resource_manager_impl.h).

import { monotonicNow } from '../event/dispatcher.ts';
import { Timer, type TimerOwner } from '../event/timer.ts';
import { SharedResourceManager, type Thresholds } from './resource_manager.ts';

/** Requests are forgotten in lots, each of those of a tenth of the interval. Source: RetryBudgetImpl. */
const LOTS = 10;

export class IntervalResourceManager extends SharedResourceManager implements TimerOwner {
  private readonly lotMs: number;
  /** Requests of this worker in each of the last tenths of the interval, the newest last. */
  private readonly lots: number[] = new Array<number>(LOTS).fill(0);
  /** Requests since the last tenth ended. */
  private current = 0;
  /** Of all lots, and the current one. */
  private counted = 0;
  private readonly timer = new Timer(this);

  constructor(thresholds: Thresholds, table: Int32Array, held: Int32Array, slot: number) {
    super(thresholds, table, held, slot);
    this.lotMs = Math.max(1, Math.floor(thresholds.budgetIntervalMs / LOTS));
  }

  override tryAcquireRequest(): boolean {
    if (!super.tryAcquireRequest()) return false;
    this.countRequest();
    return true;
  }

  override acquireRequest(): void {
    super.acquireRequest();
    this.countRequest();
  }

  private countRequest(): void {
    this.current++;
    this.counted++;
    this.addRecentRequests(1);
    if (!this.timer.enabled) this.timer.enable(this.lotMs, monotonicNow());
  }

  override close(): void {
    this.timer.disable();
    this.addRecentRequests(-this.counted);
    this.counted = 0;
  }

  /** A tenth of the interval is over. */
  onTimeout(): void {
    const { lots } = this;
    const old = lots.shift()!;
    lots.push(this.current);
    this.current = 0;
    this.counted -= old;
    if (old > 0) this.addRecentRequests(-old);
    if (this.counted > 0) this.timer.enable(this.lotMs, monotonicNow());
  }
}
