// Long work of the main thread in short steps: a generator that yields wherever others may have a turn of the event loop, so
// that xDS, health checks and /ready need not wait for a scrape of a million stats.

/** Yields '' after each step of about a millisecond at most: an answer in pieces of text can pass the steps on as they are. */
export type Steps<Result = void> = Generator<'', Result>;

/** ms of work, after which the event loop runs. */
const TURN_MS = 2;
/** Elements that are sorted in one go: about half a millisecond. */
const RUN_LENGTH = 1024;

/** Divides long work between turns of the event loop. */
export class TurnClock {
  #start = performance.now();

  /** To be called between steps. What it returns is to be awaited: the turn has lasted long enough. */
  next(): Promise<void> | undefined {
    return performance.now() - this.#start > TURN_MS ? this.#nextTurn() : undefined;
  }

  async #nextTurn(): Promise<void> {
    await new Promise(setImmediate);
    this.#start = performance.now();
  }
}

/** All steps at once. */
export function finish<Result>(steps: Steps<Result>): Result {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** All steps, in as many turns of the event loop as they take. `beforeTurn` may throw, where nobody wants the result any more. */
export async function inTurns<Result>(steps: Steps<Result>, beforeTurn?: () => void): Promise<Result> {
  const clock = new TurnClock();
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    const turn = clock.next();
    if (turn === undefined) continue;
    await turn;
    beforeTurn?.();
  }
}

/** What is sorted: keys are all texts or all numbers. */
interface Keyed {
  readonly key: string | number;
}

/** Sorts by `key`, in a new array. Equal keys keep their order. */
export function* sortInSteps<Item extends Keyed>(
  items: readonly Item[],
  direction: 'ascending' | 'descending' = 'ascending',
): Steps<readonly Item[]> {
  const compare = direction === 'ascending' ? byKey : (a: Keyed, b: Keyed) => byKey(b, a);
  let runs: (readonly Item[])[] = [];
  for (let start = 0; start < items.length; start += RUN_LENGTH) {
    runs.push(items.slice(start, start + RUN_LENGTH).sort(compare));
    yield '';
  }
  while (runs.length > 1) {
    const merged: (readonly Item[])[] = [];
    for (let i = 0; i < runs.length; i += 2) {
      const [left, right] = [runs[i] as readonly Item[], runs[i + 1]];
      merged.push(right === undefined ? left : yield* merge(left, right, compare));
    }
    runs = merged;
  }
  return runs[0] ?? [];
}

function* merge<Item extends Keyed>(
  left: readonly Item[],
  right: readonly Item[],
  compare: (a: Keyed, b: Keyed) => number,
): Steps<readonly Item[]> {
  const merged: Item[] = [];
  let [l, r] = [0, 0];
  while (l < left.length && r < right.length) {
    const [a, b] = [left[l] as Item, right[r] as Item];
    const isRightFirst = compare(b, a) < 0;
    if (isRightFirst) r++;
    else l++;
    merged.push(isRightFirst ? b : a);
    if (merged.length % RUN_LENGTH === 0) yield '';
  }
  for (; l < left.length; l++) merged.push(left[l] as Item);
  for (; r < right.length; r++) merged.push(right[r] as Item);
  return merged;
}

function byKey(a: Keyed, b: Keyed): number {
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
}
