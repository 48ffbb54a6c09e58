// What workers alone know of hosts, of all of them together: how fast hosts answer, and hosts that only workers know.

import type { Address } from '../../api/stream_info.ts';
import { SUB_BITS, UNIT_US } from '../../common/upstream/host_latency.ts';
import type { WorkerHost } from '../../common/upstream/worker_host.ts';

/** ms. */
export interface LatencyPercentiles {
  readonly p50: number;
  readonly p99: number;
}

/** A host that workers have found by themselves. */
export interface OwnHost {
  readonly address: Address;
  readonly hostname: string;
  /** By offset of HostSlot. */
  readonly numbers: Int32Array;
}

export class WorkerHosts {
  readonly #latencies = new Map<string, number[]>();
  readonly #own = new Map<string, Map<string, OwnHost>>();

  constructor(workers: Iterable<readonly WorkerHost[]>) {
    for (const hosts of workers) for (const host of hosts) this.#add(host);
  }

  #add({ cluster, address, hostname, latency, numbers }: WorkerHost): void {
    if (latency !== undefined) {
      const key = keyOf(cluster, address.text);
      const sums = this.#latencies.get(key);
      if (sums === undefined) this.#latencies.set(key, [...latency]);
      else for (const [bucket, count] of latency.entries()) (sums[bucket] as number) += count;
    }
    if (numbers === undefined) return;
    let own = this.#own.get(cluster);
    if (own === undefined) this.#own.set(cluster, (own = new Map()));
    // Several names may lead to one address.
    const name = `${address.text}\n${hostname}`;
    const known = own.get(name);
    if (known === undefined) own.set(name, { address, hostname, numbers });
    else for (const [slot, number] of numbers.entries()) (known.numbers[slot] as number) += number;
  }

  /** `address` is its text. Undefined for a host that has not answered. */
  latency(cluster: string, address: string): LatencyPercentiles | undefined {
    const counts = this.#latencies.get(keyOf(cluster, address));
    return counts && { p50: percentile(counts, 0.5), p99: percentile(counts, 0.99) };
  }

  own(cluster: string): Iterable<OwnHost> {
    return this.#own.get(cluster)?.values() ?? [];
  }
}

function keyOf(cluster: string, address: string): string {
  return `${cluster}\n${address}`;
}

function percentile(counts: readonly number[], share: number): number {
  const rank = Math.ceil(share * counts.reduce((sum, count) => sum + count, 0));
  let below = 0;
  const bucket = counts.findIndex((count) => (below += count) >= rank);
  return middleMs(bucket);
}

/** The middle of a bucket of HostLatency, us rounded off. */
function middleMs(bucket: number): number {
  const shift = Math.max(0, (bucket >> SUB_BITS) - 1);
  const low = (bucket - (shift << SUB_BITS)) * 2 ** shift;
  return Math.round((low + 2 ** shift / 2) * UNIT_US) / 1000;
}
