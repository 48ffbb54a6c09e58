// The counters that this worker has in common with the others, by the names that main gave slots of the shared table to.

import type { SharedCounter } from '../api/shared_counter.ts';
import { TableCounter } from '../common/shared_counter.ts';
import { SharedTable } from '../common/upstream/shared_table.ts';
import type { MainToWorker } from '../messages.ts';

export class WorkerSharedCounters {
  readonly #shared = new SharedTable();
  readonly #held = new SharedTable();
  readonly #slots = new Map<string, number>();

  addPiece({ index, memory, held }: Extract<MainToWorker, { type: 'table' }>): void {
    this.#shared.add(index, memory);
    this.#held.add(index, held);
  }

  apply(name: string, slot: number): void {
    this.#slots.set(name, slot);
  }

  remove(name: string): void {
    this.#slots.delete(name);
  }

  /** A chain that drains may be given a new filter configuration when main has taken its slot back: that one counts alone. */
  get(name: string): SharedCounter {
    const slot = this.#slots.get(name);
    if (slot === undefined) return new TableCounter(new Int32Array(1), new Int32Array(1), 0);
    return new TableCounter(this.#shared.view(slot), this.#held.view(slot), SharedTable.offset(slot));
  }
}
