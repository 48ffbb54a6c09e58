// MT19937, as std::mt19937: what bounded loads shuffles by, so that a key's second choices are those of Envoy.
// Specification: http://www.math.sci.hiroshima-u.ac.jp/m-mat/MT/emt.html.

const SIZE = 624;
const SHIFT = 397;

export class MersenneTwister {
  private readonly state = new Uint32Array(SIZE);
  private next = SIZE;

  /** `seed` is a 32-bit number. */
  seed(seed: number): void {
    const { state } = this;
    state[0] = seed;
    for (let i = 1; i < SIZE; i++) {
      const before = state[i - 1] ^ (state[i - 1] >>> 30);
      state[i] = Math.imul(1_812_433_253, before) + i;
    }
    this.next = SIZE;
  }

  /** In [0, 2^32). */
  random(): number {
    if (this.next === SIZE) this.twist();
    let value = this.state[this.next++];
    value ^= value >>> 11;
    value ^= (value << 7) & 0x9d2c5680;
    value ^= (value << 15) & 0xefc60000;
    return (value ^ (value >>> 18)) >>> 0;
  }

  /** In [0, n), by division as in BoundedLoadHashingLoadBalancer. */
  below(n: number): number {
    const width = Math.floor(2 ** 32 / n);
    for (;;) {
      const value = Math.floor(this.random() / width);
      if (value < n) return value;
    }
  }

  private twist(): void {
    const { state } = this;
    for (let i = 0; i < SIZE; i++) {
      const mixed = (state[i] & 0x80000000) | (state[(i + 1) % SIZE] & 0x7fffffff);
      state[i] = state[(i + SHIFT) % SIZE] ^ (mixed >>> 1) ^ ((mixed & 1) === 0 ? 0 : 0x9908b0df);
    }
    this.next = 0;
  }
}
