// Hands out runs of equal length in a shared table: a host's live numbers, a cluster's circuit breakers, a counter.
// A run that was given back rests until every worker has surely dropped it and its counters are back at zero, because
// streams that began before the removal still count themselves out of it.

import { PIECE_SLOTS, SharedTable } from '../../common/upstream/shared_table.ts';

/** ms that a freed run rests at least. */
const REST_MS = 30_000;

export type TableName = 'hosts' | 'circuit_breakers' | 'shared_counters';

/** Tells the workers of a new piece. Called before any slot of it is handed out. */
export type OnPiece = (table: TableName, index: number, memory: SharedArrayBuffer) => void;

export class SlotAllocator {
  readonly name: TableName;
  readonly table = new SharedTable();
  readonly #memory: SharedArrayBuffer[] = [];
  readonly #runLength: number;
  readonly #inUseOffsets: readonly number[];
  readonly #onPiece: OnPiece;
  readonly #now: () => number;
  #next = 0;
  /** Oldest first. */
  readonly #resting: { readonly slot: number; readonly freedAt: number }[] = [];

  /** `runLength` divides PIECE_SLOTS, so that no run crosses pieces. A run is in use while one of `inUse` is not 0. `now` in ms. */
  constructor(
    name: TableName,
    runLength: number,
    inUse: readonly number[],
    onPiece: OnPiece,
    now: () => number = Date.now,
  ) {
    this.name = name;
    this.#runLength = runLength;
    this.#inUseOffsets = inUse;
    this.#onPiece = onPiece;
    this.#now = now;
  }

  /** All pieces in order, for a new worker. */
  get memory(): readonly SharedArrayBuffer[] {
    return this.#memory;
  }

  /** The first slot of a run of zeros. */
  allocate(): number {
    const rested = this.#takeRested();
    if (rested !== undefined) return rested;
    if (this.#next === this.#memory.length * PIECE_SLOTS) this.#grow();
    const slot = this.#next;
    this.#next += this.#runLength;
    return slot;
  }

  free(slot: number): void {
    this.#resting.push({ slot, freedAt: this.#now() });
  }

  /** A thread died: what it `held` of piece number `index` is not in use any more. */
  reclaim(index: number, held: SharedArrayBuffer): void {
    const theirs = new Int32Array(held);
    const view = this.table.view(index * PIECE_SLOTS);
    for (let run = 0; run < PIECE_SLOTS; run += this.#runLength) {
      for (const offset of this.#inUseOffsets)
        Atomics.sub(view, run + offset, theirs[run + offset] as number);
    }
  }

  #takeRested(): number | undefined {
    const head = this.#resting[0];
    if (head === undefined || this.#now() - head.freedAt < REST_MS) return undefined;
    this.#resting.shift();
    if (this.#inUse(head.slot)) {
      this.free(head.slot);
      return undefined;
    }
    const view = this.table.view(head.slot);
    const offset = SharedTable.offset(head.slot);
    for (let i = 0; i < this.#runLength; i++) Atomics.store(view, offset + i, 0);
    return head.slot;
  }

  #inUse(slot: number): boolean {
    const view = this.table.view(slot);
    const offset = SharedTable.offset(slot);
    return this.#inUseOffsets.some((each) => Atomics.load(view, offset + each) !== 0);
  }

  #grow(): void {
    const memory = new SharedArrayBuffer(PIECE_SLOTS * Int32Array.BYTES_PER_ELEMENT);
    const index = this.#memory.push(memory) - 1;
    this.table.add(index, memory);
    this.#onPiece(this.name, index, memory);
  }
}
