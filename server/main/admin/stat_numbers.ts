// Numbers that every rendering of stats needs.

/** A counter or gauge as Envoy's unsigned 64-bit integer. */
export function formatValue(value: number): string {
  if (value <= Number.MAX_SAFE_INTEGER) return String(value);
  // 2^64 as a double stands for the largest value there is.
  return String(BigInt.asUintN(64, BigInt(Math.min(value, 2 ** 64)) - (value >= 2 ** 64 ? 1n : 0n)));
}

/** Each bucket alone instead of all up to it. */
export function disjoint(cumulative: readonly number[]): number[] {
  return cumulative.map((count, i) => count - (cumulative[i - 1] ?? 0));
}
