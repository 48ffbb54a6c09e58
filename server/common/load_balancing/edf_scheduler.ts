// Earliest deadline first: picks entries in proportion to their weights, spread evenly over time, in O(log n).
// A pick's next deadline is 1/weight later. Envoy: source/common/upstream/edf_scheduler.h.

interface Entry<T> {
  deadline: number;
  /** Ties go to the one added first. */
  order: number;
  readonly value: T;
}

export class EdfScheduler<T> {
  private readonly heap: Entry<T>[] = [];
  private time = 0;
  private order = 0;

  get size(): number {
    return this.heap.length;
  }

  /** `weight` > 0. */
  add(weight: number, value: T): void {
    this.push({ deadline: this.time + 1 / weight, order: this.order++, value });
  }

  /** The next entry; it is added again with the weight that `weightOf` gives for it now. */
  pickAndAdd(weightOf: (value: T) => number): T | undefined {
    const top = this.heap[0];
    if (top === undefined) return undefined;
    this.time = top.deadline;
    top.deadline = this.time + 1 / weightOf(top.value);
    top.order = this.order++;
    this.siftDown(0);
    return top.value;
  }

  private push(entry: Entry<T>): void {
    const heap = this.heap;
    let i = heap.length;
    heap.push(entry);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!before(entry, heap[parent])) break;
      heap[i] = heap[parent];
      i = parent;
    }
    heap[i] = entry;
  }

  private siftDown(from: number): void {
    const heap = this.heap;
    const entry = heap[from];
    let i = from;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1], heap[child])) child++;
      if (!before(heap[child], entry)) break;
      heap[i] = heap[child];
      i = child;
    }
    heap[i] = entry;
  }
}

function before<T>(a: Entry<T>, b: Entry<T>): boolean {
  return a.deadline < b.deadline || (a.deadline === b.deadline && a.order < b.order);
}
