// Ketama: every host stands at many places of a ring of 2^64; a key belongs to the next place at or after it.
// Envoy: source/extensions/load_balancing_policies/ring_hash/ring_hash_lb.cc.

import { murmurHash2Into } from '../hash/murmur_hash_2.ts';
import { xxHash64Into } from '../hash/xx_hash_64.ts';
import type { Host } from '../upstream/host.ts';
import type { HashKey } from './hash_key.ts';
import type { HashTable } from './hash_table.ts';
import { hostHashKey, type NormalizedHostWeights } from './host_weights.ts';
import type { RingHashConfig } from './load_balancer_config.ts';
import { sortedOrder } from './sorted_order.ts';

/** How many places of the ring each host gets. */
export interface RingPlan {
  /** As Envoy reports it. */
  readonly size: number;
  readonly hashesPerHost: Uint32Array;
}

/** The least of the hosts gets a whole number of places; the others' numbers are rounded so that the sum stays right. */
export function planRing(
  { weights, min }: Pick<NormalizedHostWeights, 'weights' | 'min'>,
  { minRingSize, maxRingSize }: Pick<RingHashConfig, 'minRingSize' | 'maxRingSize'>,
): RingPlan {
  const scale = Math.min(Math.ceil(min * minRingSize) / min, maxRingSize);
  const hashesPerHost = new Uint32Array(weights.length);
  let current = 0;
  let target = 0;
  for (let i = 0; i < weights.length; i++) {
    target += scale * weights[i];
    const before = current;
    current = Math.max(current, Math.ceil(target));
    hashesPerHost[i] = current - before;
  }
  return { size: Math.ceil(scale), hashesPerHost };
}

export class Ring implements HashTable {
  private readonly hosts: readonly Host[];
  /** Halves of the places in order, and which host stands there. */
  private readonly low: Uint32Array;
  private readonly high: Uint32Array;
  private readonly owner: Uint32Array;

  constructor(normalized: NormalizedHostWeights, config: RingHashConfig) {
    const { hosts } = normalized;
    const { hashesPerHost } = planRing(normalized, config);
    const size = hashesPerHost.reduce((sum, n) => sum + n, 0);
    const hashInto = config.hashFunction === 'MURMUR_HASH_2' ? murmurHash2Into : xxHash64Into;
    const words = new Uint32Array(2 * size);
    const owners = new Uint32Array(size);
    let at = 0;
    for (let i = 0; i < hosts.length; i++) {
      const prefix = `${hostHashKey(hosts[i], config.useHostname)}_`;
      for (let n = 0; n < hashesPerHost[i]; n++) {
        hashInto(words, 2 * at, prefix + n);
        owners[at++] = i;
      }
    }
    const order = sortedOrder(words);
    this.hosts = hosts;
    this.low = order.map((place) => words[2 * place]);
    this.high = order.map((place) => words[2 * place + 1]);
    this.owner = order.map((place) => owners[place]);
  }

  choose({ low, high }: HashKey, attempt: number): Host | undefined {
    const { low: lows, high: highs } = this;
    const size = lows.length;
    if (size === 0) return undefined;
    let from = 0;
    let to = size;
    while (from < to) {
      const middle = (from + to) >>> 1;
      const place = highs[middle];
      if (place < high || (place === high && lows[middle] < low)) from = middle + 1;
      else to = middle;
    }
    // After the last place comes the first.
    return this.hosts[this.owner[(from + attempt) % size]];
  }
}
