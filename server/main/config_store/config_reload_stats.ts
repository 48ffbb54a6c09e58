// When configuration of a kind was last changed by its control plane, and how often: CDS and RDS count it.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/upstream/cluster_manager/cds

import type { StatBlock, StatStore } from '../../api/stats.ts';
import { CONFIG_RELOAD_STATS } from '../../common/stats/families/subscription.ts';

const { config_reload, config_reload_time_ms } = CONFIG_RELOAD_STATS.offset;

export class ConfigReloadStats {
  readonly #stats: StatStore;
  readonly #blocks = new Map<string, StatBlock>();

  constructor(stats: StatStore) {
    this.#stats = stats;
  }

  /** Lists the stats of `key` below `prefix`, which ends with a dot. */
  add(key: string, prefix: string): void {
    if (!this.#blocks.has(key)) this.#blocks.set(key, this.#stats.block(CONFIG_RELOAD_STATS, prefix));
  }

  reloaded(key: string): void {
    const block = this.#blocks.get(key);
    if (block === undefined) return;
    const { values, base } = block;
    values[base + config_reload] = (values[base + config_reload] as number) + 1;
    values[base + config_reload_time_ms] = Date.now();
  }

  remove(key: string): void {
    const block = this.#blocks.get(key);
    if (block === undefined) return;
    this.#stats.release(block);
    this.#blocks.delete(key);
  }
}
