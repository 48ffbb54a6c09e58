// Hedging: attempts whose per-try timeout has passed and that may answer all the same, beside the attempts that came after them.
// The first good answer wins. Envoy: Filter::onSoftPerTryTimeout and resetOtherUpstreams (source/common/router/router.cc);
// document: RouteAction.hedge_policy.

import type { Timer } from '../../../../common/event/timer.ts';
import type { UpstreamRequest } from './upstream_request.ts';

export class Hedging {
  private readonly attempts: UpstreamRequest[] = [];

  get size(): number {
    return this.attempts.length;
  }

  add(attempt: UpstreamRequest): void {
    this.attempts.push(attempt);
  }

  has(attempt: UpstreamRequest): boolean {
    return this.attempts.includes(attempt);
  }

  /** False when it is not among them. */
  remove(attempt: UpstreamRequest): boolean {
    const index = this.attempts.indexOf(attempt);
    if (index < 0) return false;
    this.attempts.splice(index, 1);
    return true;
  }

  /** Is there an attempt besides `attempt` that may answer, or will there be one? `current`: the newest, if it is under way. */
  waitsForAnother(
    attempt: UpstreamRequest,
    current: UpstreamRequest | undefined,
    retryTimer: Timer,
  ): boolean {
    if (this.attempts.length > (this.has(attempt) ? 1 : 0)) return true;
    return retryTimer.enabled || (current !== undefined && current !== attempt);
  }

  /** Gives all of them up. */
  reset(): void {
    for (const attempt of this.attempts.splice(0)) attempt.reset();
  }
}
