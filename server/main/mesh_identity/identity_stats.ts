// How the proxy's own identity fares. The names are ours: in Istio this is the agent's business.

import type { StatBlock, StatStore } from '../../api/stats.ts';
import { statSchema } from '../../common/stats/schema.ts';

export const IDENTITY_STATS = statSchema('mesh_identity', {
  /** Certificates taken into use. */
  certificate_issued: 'counter',
  /** Attempts without an answer, or with one that must not be used. */
  certificate_failed: 'counter',
  /** As Envoy's ssl.certificate.<name>.expiration_unix_time_seconds; 0 while there is none. */
  expiration_unix_time_seconds: 'gauge',
});

export class IdentityStats {
  readonly #block: StatBlock<keyof typeof IDENTITY_STATS.offset>;

  constructor(store: StatStore) {
    this.#block = store.block(IDENTITY_STATS, 'mesh_identity.');
  }

  /** `notAfter` in ms. */
  issued(notAfter: number): void {
    const { values, base } = this.#block;
    values[base + IDENTITY_STATS.offset.certificate_issued]! += 1;
    values[base + IDENTITY_STATS.offset.expiration_unix_time_seconds] = Math.floor(notAfter / 1000);
  }

  failed(): void {
    this.#block.values[this.#block.base + IDENTITY_STATS.offset.certificate_failed]! += 1;
  }
}
