// Sorts 64-bit numbers that are kept as halves: a radix sort by 16 bits, linear in their number. A ring may have 8 million
// places, for which a comparison sort takes seconds.

const DIGITS = 65_536;
/** Below this a comparison sort is faster than going through all digits. */
const FEW = 4096;

/** The order of the numbers `words[2 i]` (low half) and `words[2 i + 1]` (high half). */
export function sortedOrder(words: Uint32Array): Uint32Array {
  const size = words.length / 2;
  let order = Uint32Array.from({ length: size }, (_, i) => i);
  if (size < FEW)
    return order.sort((a, b) => words[2 * a + 1] - words[2 * b + 1] || words[2 * a] - words[2 * b]);
  let next = new Uint32Array(size);
  const starts = new Uint32Array(DIGITS + 1);
  for (let digit = 0; digit < 4; digit++) {
    const half = digit >> 1;
    const shift = (digit & 1) * 16;
    starts.fill(0);
    for (let i = 0; i < size; i++) starts[((words[2 * i + half] >>> shift) & 0xffff) + 1]++;
    for (let i = 1; i <= DIGITS; i++) starts[i] += starts[i - 1];
    for (let i = 0; i < size; i++) {
      const value = order[i];
      next[starts[(words[2 * value + half] >>> shift) & 0xffff]++] = value;
    }
    [order, next] = [next, order];
  }
  return order;
}
