// How hosts are, and were: what a host did to a request is judged by how it was while the request was under way.

export const CONDITIONS = [
  'well',
  /** Answers late. */
  'slow',
  /** Answers 503, or UNAVAILABLE. */
  'failing',
  /** Breaks off in the middle of the answer. */
  'cutting',
  /** Breaks off before the answer. */
  'resetting',
  /** Never answers. */
  'hanging',
  /** Does not listen, and has dropped its connections. */
  'dead',
] as const;
export type Condition = (typeof CONDITIONS)[number];

interface Change {
  /** ms of performance.now() */
  readonly at: number;
  readonly condition: Condition;
}

export class ConditionHistory {
  readonly #changes: Change[] = [{ at: 0, condition: 'well' }];

  get now(): Condition {
    return this.#changes.at(-1)!.condition;
  }

  note(condition: Condition): void {
    this.#changes.push({ at: performance.now(), condition });
  }

  /** All conditions between two times of performance.now(). */
  during(from: number, to: number): Set<Condition> {
    const found = new Set<Condition>();
    for (let i = this.#changes.length - 1; i >= 0; i--) {
      if (this.#changes[i].at <= to) found.add(this.#changes[i].condition);
      if (this.#changes[i].at <= from) break;
    }
    return found;
  }
}
