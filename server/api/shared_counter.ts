// What filters know of a number that all workers count together (common/shared_counter.ts).

/** Exact for the process, however many workers there are. */
export interface SharedCounter {
  /** Adds one unless there are `limit` or more. */
  tryAcquire(limit: number): boolean;
  /** Takes back one that was acquired. */
  release(): void;
}
