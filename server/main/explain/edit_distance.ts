// How many characters must be changed to make one text of another (Damerau-Levenshtein, neighbours swapped count once): what a
// person who mistyped a name meant.

/** Longer texts are not typed by people. */
const MAX_LENGTH = 256;

/** `limit`: above that it does not matter how far; `limit` + 1 is answered. */
export function editDistance(from: string, to: string, limit = Number.POSITIVE_INFINITY): number {
  const [a, b] = [from.slice(0, MAX_LENGTH), to.slice(0, MAX_LENGTH)];
  if (a === b) return 0;
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    let least = i;
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let cost = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        cost = Math.min(cost, beforeLast[j - 2]! + 1);
      row.push(cost);
      if (cost < least) least = cost;
    }
    if (least > limit) return limit + 1;
    beforeLast = last;
    last = row;
  }
  return last[b.length]!;
}

/** The nearest of `names`; undefined where there is none. */
export function nearestOf<T>(
  wanted: string,
  all: Iterable<T>,
  nameOf: (each: T) => string,
): { readonly found: T; readonly distance: number } | undefined {
  let best: { readonly found: T; readonly distance: number } | undefined;
  for (const each of all) {
    const distance = editDistance(wanted, nameOf(each), best === undefined ? undefined : best.distance);
    if (best === undefined || distance < best.distance) best = { found: each, distance };
    if (best.distance === 0) break;
  }
  return best;
}
