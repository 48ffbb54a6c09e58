// Body bytes that wait for the peer's flow-control windows. Envoy: pending_send_data_ of StreamImpl.

import { copyBytes } from '../../buffer/copy_bytes.ts';

/** Pieces smaller than this are joined, so that a peer who asks for single bytes cannot make long lists of small pieces. */
const JOIN_BYTES = 4096;

interface Piece {
  readonly bytes: Uint8Array;
  start: number;
  end: number;
}

export class PendingData {
  /** Bytes that wait. */
  length = 0;
  private pieces: Piece[] = [];
  private firstPiece = 0;

  /** Copies `bytes[start, end)`. */
  add(bytes: Uint8Array, start: number, end: number): void {
    const size = end - start;
    this.length += size;
    const last = this.pieces.at(-1);
    if (last !== undefined && last.bytes.length - last.end >= size) {
      last.bytes.set(bytes.subarray(start, end), last.end);
      last.end += size;
    } else if (size < JOIN_BYTES) {
      const joined = Buffer.allocUnsafeSlow(JOIN_BYTES);
      joined.set(bytes.subarray(start, end));
      this.pieces.push({ bytes: joined, start: 0, end: size });
    } else {
      this.pieces.push({ bytes: copyBytes(bytes, start, end), start: 0, end: size });
    }
  }

  /** The first bytes, at most `limit` and not more than are in one piece. */
  first(limit: number): { readonly bytes: Uint8Array; readonly start: number; readonly end: number } {
    const { bytes, start, end } = this.pieces[this.firstPiece];
    return { bytes, start, end: Math.min(end, start + limit) };
  }

  /** Removes the first `count` bytes, which are in one piece. */
  remove(count: number): void {
    this.length -= count;
    const piece = this.pieces[this.firstPiece];
    piece.start += count;
    if (piece.start < piece.end) return;
    this.firstPiece++;
    if (this.firstPiece === this.pieces.length || this.firstPiece > 64) {
      this.pieces.splice(0, this.firstPiece);
      this.firstPiece = 0;
    }
  }
}
