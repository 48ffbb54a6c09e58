// A 64-bit hash as the consistent-hashing balancers use it: two 32-bit halves, because BigInt arithmetic allocates.

import { randomBelow } from './random.ts';

const KEY = new BigUint64Array(1);
const HALVES = new Uint32Array(KEY.buffer);

/** The hash that is being balanced by. One at a time per thread: a pick is never interrupted. */
export class HashKey {
  low = 0;
  high = 0;

  set(hash: bigint): void {
    KEY[0] = hash;
    this.low = HALVES[0];
    this.high = HALVES[1];
  }

  /** For requests without a hash: any host will do. */
  setRandom(): void {
    this.low = randomBelow(2 ** 32);
    this.high = randomBelow(2 ** 32);
  }

  /** The remainder; 0 < `divisor` < 2^26, so that no product leaves the exact integers. */
  modulo(divisor: number): number {
    return ((this.high % divisor) * (2 ** 32 % divisor) + this.low) % divisor;
  }
}
