// The statistics of one subscription (`cluster_manager.cds.`, `cluster.<name>.`, `http.<prefix>.rds.<name>.`, ...).
// https://www.envoyproxy.io/docs/envoy/latest/configuration/overview/mgmt_server#xds-subscription-statistics

import type { StatBlock, StatStore } from '../../api/stats.ts';
import { xxHash64 } from '../../common/hash/xx_hash_64.ts';
import { statSchema } from '../../common/stats/schema.ts';

export const SUBSCRIPTION_STATS = statSchema('subscription', {
  init_fetch_timeout: 'counter',
  update_attempt: 'counter',
  update_failure: 'counter',
  update_rejected: 'counter',
  update_success: 'counter',
  update_time: 'gauge',
  version: 'gauge',
  update_duration: 'histogram:ms',
});

type Name = keyof typeof SUBSCRIPTION_STATS.offset;

export class SubscriptionStats {
  readonly #store: StatStore;
  readonly #prefix: string;
  readonly #block: StatBlock<Name>;

  /** `prefix` with or without its final dot. */
  constructor(store: StatStore, prefix: string) {
    this.#store = store;
    this.#prefix = prefix === '' || prefix.endsWith('.') ? prefix : `${prefix}.`;
    this.#block = store.block(SUBSCRIPTION_STATS, this.#prefix);
    store.textReadout(`${this.#prefix}version_text`, '');
  }

  attempt(): void {
    this.#add(SUBSCRIPTION_STATS.offset.update_attempt);
  }

  /** `durationMs`: how long the consumer took to apply it. */
  success(version: string, durationMs: number): void {
    const { offset } = SUBSCRIPTION_STATS;
    const { values, base } = this.#block;
    this.#add(offset.update_success);
    values[base + offset.update_time] = Date.now();
    values[base + offset.version] = Number(xxHash64(version));
    this.#block.record(offset.update_duration, durationMs);
    this.#store.textReadout(`${this.#prefix}version_text`, version);
  }

  failure(): void {
    this.#add(SUBSCRIPTION_STATS.offset.update_failure);
  }

  rejected(): void {
    this.#add(SUBSCRIPTION_STATS.offset.update_rejected);
  }

  initFetchTimeout(): void {
    this.#add(SUBSCRIPTION_STATS.offset.init_fetch_timeout);
  }

  release(): void {
    this.#store.textReadout(`${this.#prefix}version_text`, undefined);
    this.#store.release(this.#block);
  }

  #add(offset: number): void {
    this.#block.values[this.#block.base + offset]! += 1;
  }
}
