// Counters only grow; what people read is how fast.

/** The change per second between neighbours; null where one is not known. A counter that went back was reset. */
export function perSecond(times: readonly number[], values: readonly (number | null)[]): (number | null)[] {
  return values.map((value, index) => {
    const before = values[index - 1];
    if (value === null || before === undefined || before === null || value < before) return null;
    return ((value - before) * 1000) / ((times[index] as number) - (times[index - 1] as number));
  });
}
