// Memory that all threads share, in pieces of equal size: a slot is an index over all pieces together.
// The main thread adds pieces (main/config_store/slot_allocator.ts) and tells the workers before it uses a slot in them.
// Pieces instead of one growable buffer: an access through a length-tracking view costs 35 times as much.

/** Int32 slots in a piece (256 KiB). A power of two. */
export const PIECE_SLOTS = 65_536;

export class SharedTable {
  readonly #pieces: Int32Array[] = [];

  get pieces(): number {
    return this.#pieces.length;
  }

  /** Piece number `index`, as a `table` message brings it. */
  add(index: number, memory: SharedArrayBuffer): void {
    this.#pieces[index] = new Int32Array(memory);
  }

  /** The piece that a slot lies in. Runs never cross pieces. */
  view(slot: number): Int32Array {
    const piece = this.#pieces[Math.floor(slot / PIECE_SLOTS)];
    if (piece === undefined) throw new RangeError(`slot ${slot} lies in a piece that is not here yet`);
    return piece;
  }

  /** Where in `view(slot)` the slot is. */
  static offset(slot: number): number {
    return slot % PIECE_SLOTS;
  }
}
