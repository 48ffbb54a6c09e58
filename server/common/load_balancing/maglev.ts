// Maglev: hosts take turns in claiming places of a table, each in an order of its own; a key finds its host in one step.
// Envoy: source/extensions/load_balancing_policies/maglev/maglev_lb.cc; https://research.google/pubs/pub44824.

import { xxHash64Into } from '../hash/xx_hash_64.ts';
import type { Host } from '../upstream/host.ts';
import { HashKey } from './hash_key.ts';
import type { HashTable } from './hash_table.ts';
import { hostHashKey, type NormalizedHostWeights } from './host_weights.ts';
import type { MaglevConfig } from './load_balancer_config.ts';

/** How many places of the table each host gets; the hosts in the order of their keys. */
export function planMaglev(weights: Float64Array, max: number, tableSize: number): Uint32Array {
  const entries = new Uint32Array(weights.length);
  takeTurns(weights, max, tableSize, (i) => entries[i]++);
  return entries;
}

/** Calls `take` for each place in turn: a host of the greatest weight in every round, one of a third of it in every third. */
function takeTurns(weights: Float64Array, max: number, tableSize: number, take: (i: number) => void): void {
  if (weights.length === 0) return;
  const targets = new Float64Array(weights.length);
  let taken = 0;
  for (let round = 1; taken < tableSize; round++) {
    for (let i = 0; i < weights.length && taken < tableSize; i++) {
      if (round * weights[i] < targets[i]) continue;
      targets[i] += max;
      take(i);
      taken++;
    }
  }
}

/** The hosts' positions in the order of their keys, which must not depend on the order they came in. */
export function maglevOrder(keys: readonly string[]): number[] {
  return keys.map((_, i) => i).sort((a, b) => (keys[a] < keys[b] ? -1 : keys[a] > keys[b] ? 1 : a - b));
}

export class MaglevTable implements HashTable {
  private readonly hosts: readonly Host[];
  private readonly table: Uint32Array;

  constructor({ hosts, weights, max }: NormalizedHostWeights, { tableSize, useHostname }: MaglevConfig) {
    const keys = hosts.map((host) => hostHashKey(host, useHostname));
    const order = maglevOrder(keys);
    const places = new Uint32Array(hosts.length);
    const skips = new Uint32Array(hosts.length);
    const hash = new HashKey();
    const halves = new Uint32Array(2);
    order.forEach((host, i) => {
      const key = keys[host];
      xxHash64Into(halves, 0, key);
      [hash.low, hash.high] = halves;
      places[i] = hash.modulo(tableSize);
      xxHash64Into(halves, 0, key, 1);
      [hash.low, hash.high] = halves;
      skips[i] = hash.modulo(tableSize - 1) + 1;
    });
    // A place that nobody has claimed is 0, a claimed one the host's number + 1.
    const table = new Uint32Array(hosts.length === 0 ? 0 : tableSize);
    const sorted = Float64Array.from(order, (host) => weights[host]);
    takeTurns(sorted, max, tableSize, (i) => {
      let place = places[i];
      while (table[place] !== 0) place = (place + skips[i]) % tableSize;
      table[place] = i + 1;
      places[i] = (place + skips[i]) % tableSize;
    });
    this.hosts = order.map((host) => hosts[host]);
    this.table = table;
  }

  choose(key: HashKey, attempt: number): Host | undefined {
    const size = this.table.length;
    if (size === 0) return undefined;
    if (attempt === 0) return this.hosts[this.table[key.modulo(size)] - 1];
    // Another key, different in most bits: key ^ -attempt.
    const { low, high } = key;
    key.low = (low ^ -attempt) >>> 0;
    key.high = ~high >>> 0;
    const place = key.modulo(size);
    key.low = low;
    key.high = high;
    return this.hosts[this.table[place] - 1];
  }
}
