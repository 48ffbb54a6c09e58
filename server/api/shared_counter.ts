// What filters know of a number that all workers count together (common/shared_counter.ts).

/** Exact for the process, however many workers there are. */
export interface SharedCounter {
  /** Adds one unless there are `limit` or more. */
  tryAcquire(limit: number): boolean;
  /** Takes back one that was acquired or adopted. */
  release(): void;
  readonly value: number;
  /** Adds one for another thread, which is to `adopt` it. False, and nothing is added, when the value is not `expected`. */
  offer(expected: number): boolean;
  /** Takes over one that was offered. */
  adopt(): void;
}
