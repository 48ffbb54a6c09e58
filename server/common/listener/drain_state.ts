// Whether a filter chain is draining: HTTP answers then ask clients to go. Gradual draining asks more and more of them as
// the drain time passes, so that they do not all come back at once.
// Envoy: source/server/drain_manager_impl.cc (DrainManagerImpl::drainClose).

import { monotonicNow } from '../event/dispatcher.ts';
import { serverHealth } from '../server_health.ts';

export class DrainState {
  /** It also drains while the process fails health checks. */
  private readonly withServer: boolean;
  private startedAt = 0;
  private durationMs = 0;
  private active = false;

  constructor(type: 'DEFAULT' | 'MODIFY_ONLY' = 'DEFAULT') {
    this.withServer = type === 'DEFAULT';
  }

  get draining(): boolean {
    return this.active;
  }

  /** `durationMs` 0: every answer asks to close from now on. */
  start(durationMs: number): void {
    if (this.active && durationMs > 0) return;
    this.active = true;
    this.startedAt = monotonicNow();
    this.durationMs = durationMs;
  }

  /** Should this answer ask the client to close? Read per response. */
  drainClose(): boolean {
    if (serverHealth.failed && this.withServer) return true;
    if (!this.active) return false;
    if (this.durationMs === 0) return true;
    return Math.random() * this.durationMs < monotonicNow() - this.startedAt;
  }
}
