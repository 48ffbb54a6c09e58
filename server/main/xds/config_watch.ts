// One subscription's answers, whatever transport brings them: its statistics, its initial_fetch_timeout, its callbacks.
// Envoy: source/extensions/config_subscription/grpc/grpc_subscription_impl.cc.

import { ConfigError } from '../../api/config_error.ts';
import { logger } from '../../common/log.ts';
import type { DiscoveredResource, RejectedResource, SubscriptionCallbacks } from './subscription.ts';
import type { SubscriptionStats } from './subscription_stats.ts';

const log = logger('config');

export class ConfigWatch {
  readonly #callbacks: SubscriptionCallbacks;
  readonly #stats: SubscriptionStats;
  #fetchTimer: NodeJS.Timeout | undefined;
  #closed = false;

  /** `initialFetchTimeoutMs`: 0 waits for ever. */
  constructor(callbacks: SubscriptionCallbacks, stats: SubscriptionStats, initialFetchTimeoutMs: number) {
    this.#callbacks = callbacks;
    this.#stats = stats;
    if (initialFetchTimeoutMs > 0) {
      this.#fetchTimer = setTimeout(() => this.#fetchTimedOut(), initialFetchTimeoutMs);
    }
  }

  /** Something is asked for, for the first time or with other names. A file is only read: that counts with its update. */
  asked(): void {
    this.#stats.attempt();
  }

  /** Hands over new state; what it refuses becomes the NACK. */
  update(
    added: readonly DiscoveredResource[],
    removed: readonly string[],
    full: boolean,
    version: string,
  ): readonly RejectedResource[] {
    if (this.#closed) return [];
    this.#stopFetchTimer();
    const start = performance.now();
    const rejected = this.#apply(added, removed, full, version);
    this.#stats.attempt();
    if (rejected.length > 0) this.#stats.rejected();
    else this.#stats.success(version, performance.now() - start);
    return rejected;
  }

  /** `rejected` ends the wait for a first answer, `connection` does not: the stream comes back. */
  failed(reason: 'connection' | 'rejected', details: string): void {
    if (this.#closed) return;
    this.#stats.attempt();
    if (reason === 'rejected') {
      this.#stopFetchTimer();
      this.#stats.rejected();
    } else this.#stats.failure();
    this.#callbacks.onConfigUpdateFailed(reason, details);
  }

  close(): void {
    this.#closed = true;
    this.#stopFetchTimer();
    this.#stats.release();
  }

  /** A consumer that throws refuses everything it was given: a bug there must not end the stream for all the others. */
  #apply(
    added: readonly DiscoveredResource[],
    removed: readonly string[],
    full: boolean,
    version: string,
  ): readonly RejectedResource[] {
    try {
      return this.#callbacks.onConfigUpdate(added, removed, full, version);
    } catch (error) {
      const reason = error instanceof ConfigError ? error.reason : String(error);
      const path = error instanceof ConfigError ? error.path : '';
      if (!(error instanceof ConfigError)) {
        log.error(`configuration update failed: ${error instanceof Error ? error.stack : reason}`);
      }
      const names = added.length > 0 ? added.map((resource) => resource.name) : [...removed, ''].slice(0, 1);
      return names.map((name) => ({ name, path, reason }));
    }
  }

  #fetchTimedOut(): void {
    this.#fetchTimer = undefined;
    this.#stats.initFetchTimeout();
    this.#stats.attempt();
    this.#callbacks.onConfigUpdateFailed('fetch_timeout', 'initial fetch timed out');
  }

  #stopFetchTimer(): void {
    clearTimeout(this.#fetchTimer);
    this.#fetchTimer = undefined;
  }
}
