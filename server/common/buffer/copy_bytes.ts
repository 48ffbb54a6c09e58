// Copies of bytes whose buffer is about to be reused by the next read. Sockets share one read buffer, so whatever outlives
// the call has to be copied; a slab makes that one memcpy instead of one allocation per piece.

/** Big enough for several full reads (64 KiB), small enough not to matter when one late piece keeps it alive. */
const SLAB_BYTES = 256 * 1024;
/** Bigger pieces get memory of their own: they would waste the rest of a slab. */
const LARGEST_SHARED_BYTES = SLAB_BYTES / 4;

let slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
let used = 0;

/** A copy of `bytes[start, end)` that the caller owns. It may share its ArrayBuffer with other copies. */
export function copyBytes(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const length = end - start;
  if (length > LARGEST_SHARED_BYTES) {
    const own = Buffer.allocUnsafeSlow(length);
    own.set(bytes.subarray(start, end));
    return own;
  }
  if (used + length > SLAB_BYTES) {
    slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
    used = 0;
  }
  const copy = slab.subarray(used, used + length);
  copy.set(bytes.subarray(start, end));
  used += length;
  return copy;
}
