// The statistics of one stream to a control plane.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/overview/mgmt_server#management-server-statistics

import type { StatBlock, StatStore } from '../../api/stats.ts';
import { statSchema } from '../../common/stats/schema.ts';

export const CONTROL_PLANE_STATS = statSchema('control_plane', {
  rate_limit_enforced: 'counter',
  connected_state: 'gauge',
  pending_requests: 'gauge',
});

type Name = keyof typeof CONTROL_PLANE_STATS.offset;

export class ControlPlaneStats {
  readonly #store: StatStore;
  readonly #prefix: string;
  readonly #block: StatBlock<Name>;

  /** `scope` is '' for ADS, the subscription's prefix for a stream of its own. */
  constructor(store: StatStore, scope: string) {
    this.#store = store;
    this.#prefix = `${scope}control_plane.`;
    this.#block = store.block(CONTROL_PLANE_STATS, this.#prefix);
    store.textReadout(`${this.#prefix}identifier`, '');
    this.connected(false);
  }

  connected(connected: boolean): void {
    this.#set(CONTROL_PLANE_STATS.offset.connected_state, connected ? 1 : 0);
  }

  pendingRequests(count: number): void {
    this.#set(CONTROL_PLANE_STATS.offset.pending_requests, count);
  }

  rateLimitEnforced(): void {
    this.#block.values[this.#block.base + CONTROL_PLANE_STATS.offset.rate_limit_enforced]! += 1;
  }

  identifier(identifier: string): void {
    this.#store.textReadout(`${this.#prefix}identifier`, identifier);
  }

  release(): void {
    this.#store.textReadout(`${this.#prefix}identifier`, undefined);
    this.#store.release(this.#block);
  }

  #set(offset: number, value: number): void {
    this.#block.values[this.#block.base + offset] = value;
  }
}
