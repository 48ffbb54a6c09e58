// Lets a connection through, or not, by role-based access control, when its first bytes come (by then TLS is done).
// Envoy: source/extensions/filters/network/rbac/rbac_filter.cc.

import {
  type NetworkFilter,
  type NetworkFilterConfig,
  NetworkFilterStatus,
  type ReadFilterCallbacks,
} from '../../../../api/network/filter.ts';
import type { StatBlock } from '../../../../api/stats.ts';
import { monotonicNow } from '../../../../common/event/dispatcher.ts';
import { Timer, type TimerOwner } from '../../../../common/event/timer.ts';
import { deniedDetails, type RbacEngine, type RbacResult } from '../../../../common/rbac/engine.ts';
import type { RbacSubject } from '../../../../common/rbac/matchers.ts';
import {
  countShadowVerdict,
  countVerdict,
  noteAccessLogHint,
  type VerdictMetadata,
} from '../../../../common/rbac/verdicts.ts';

export interface RbacFilterOptions {
  /** Undefined: everything passes. */
  readonly rules: RbacEngine | undefined;
  /** Judged and counted, never enforced. */
  readonly shadowRules: RbacEngine | undefined;
  readonly shadowMetadata: VerdictMetadata;
  /** Judge every piece of data, not the first only. */
  readonly continuous: boolean;
  /** ms between the verdict and the closing; 0 = at once. */
  readonly delayDenyMs: number;
  readonly stats: StatBlock;
  readonly shadowStats: StatBlock;
}

export class RbacFilter implements NetworkFilter, TimerOwner {
  readonly #options: RbacFilterOptions;
  #callbacks: ReadFilterCallbacks | undefined = undefined;
  #decided: 'allowed' | 'denied' | undefined = undefined;
  #details = '';
  #delay: Timer | undefined = undefined;

  constructor(options: RbacFilterOptions) {
    this.#options = options;
  }

  initializeReadFilterCallbacks(callbacks: ReadFilterCallbacks): void {
    this.#callbacks = callbacks;
  }

  onData(): NetworkFilterStatus {
    if (this.#decided === 'denied') return NetworkFilterStatus.StopIteration;
    if (this.#decided === 'allowed' && !this.#options.continuous) return NetworkFilterStatus.Continue;
    const { connection } = this.#callbacks!;
    const subject = { connection: connection.info, streamInfo: connection.streamInfo, headers: undefined };
    this.#shadow(subject);
    const result = this.#options.rules?.evaluate(subject);
    if (result === undefined || this.#enforce(result, subject)) {
      this.#decided = 'allowed';
      return NetworkFilterStatus.Continue;
    }
    this.#deny(result);
    return NetworkFilterStatus.StopIteration;
  }

  #shadow(subject: RbacSubject): void {
    const { shadowRules, shadowStats, shadowMetadata } = this.#options;
    if (shadowRules === undefined) return;
    const result = shadowRules.evaluate(subject);
    countShadowVerdict(shadowStats, result);
    shadowMetadata.note(subject, result);
  }

  #enforce(result: RbacResult, subject: RbacSubject): boolean {
    countVerdict(this.#options.stats, result);
    noteAccessLogHint(subject, result);
    return result.allowed;
  }

  #deny(result: RbacResult): void {
    this.#decided = 'denied';
    this.#details = deniedDetails(result);
    if (this.#options.delayDenyMs === 0) {
      this.#close();
      return;
    }
    this.#callbacks!.connection.readDisable(true);
    this.#delay = new Timer(this);
    this.#delay.enable(this.#options.delayDenyMs, monotonicNow());
  }

  onTimeout(): void {
    this.#close();
  }

  #close(): void {
    this.#callbacks!.connection.close('NoFlush', this.#details);
  }

  onDestroy(): void {
    this.#delay?.disable();
  }
}

export class RbacFilterConfig implements NetworkFilterConfig {
  readonly isTerminal = false;
  readonly #options: RbacFilterOptions;

  constructor(options: RbacFilterOptions) {
    this.#options = options;
  }

  createFilter(): NetworkFilter {
    return new RbacFilter(this.#options);
  }
}
