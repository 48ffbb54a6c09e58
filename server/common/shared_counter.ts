// A number that all workers count together, for limits that hold for the process: one slot of a shared table. What this
// thread has added is kept beside it, to be taken back when the thread dies. Envoy has a std::atomic in these places.

import type { SharedCounter } from '../api/shared_counter.ts';

export class TableCounter implements SharedCounter {
  private readonly table: Int32Array;
  private readonly held: Int32Array;
  private readonly slot: number;

  /** `slot` of both: `held` is this thread's share of `table`. */
  constructor(table: Int32Array, held: Int32Array, slot: number) {
    this.table = table;
    this.held = held;
    this.slot = slot;
  }

  tryAcquire(limit: number): boolean {
    const { table, slot } = this;
    if (Atomics.add(table, slot, 1) < limit) {
      this.held[slot]++;
      return true;
    }
    Atomics.sub(table, slot, 1);
    return false;
  }

  get value(): number {
    return Atomics.load(this.table, this.slot);
  }

  offer(expected: number): boolean {
    return Atomics.compareExchange(this.table, this.slot, expected, expected + 1) === expected;
  }

  adopt(): void {
    this.held[this.slot]++;
  }

  release(): void {
    Atomics.sub(this.table, this.slot, 1);
    this.held[this.slot]--;
  }
}
