// Random choices of the balancers.

/** A whole number in [0, n). */
export function randomBelow(n: number): number {
  return Math.floor(Math.random() * n);
}
