// How long a host took to answer this worker lately: times in buckets, eight to each doubling, so that a percentile is within 6 %
// of what it is. Old answers are forgotten by halves: about the last thousand count. Envoy has no such numbers; /api/hosts shows them.

/** us: the width of the first buckets. */
export const UNIT_US = 16;
/** Buckets of a doubling, as bits. */
export const SUB_BITS = 3;
const SUBS = 1 << SUB_BITS;
/** Doublings of 8 units (128 us); what takes longer than the last of them (33 s) is in its last bucket. */
const OCTAVES = 18;
const BUCKETS = SUBS * (OCTAVES + 1);
const MAX_UNITS = 2 ** (SUB_BITS + OCTAVES) - 1;
const UNITS_PER_MS = 1000 / UNIT_US;
/** When there are so many, all are halved. Fits 16 bits. */
const WINDOW = 1024;

export class HostLatency {
  readonly counts = new Uint16Array(BUCKETS);
  private total = 0;

  /** `ms` from the beginning of an attempt to the head of its answer. */
  record(ms: number): void {
    const units = Math.min(ms * UNITS_PER_MS, MAX_UNITS) | 0;
    // The highest bit says which doubling, the three below it which part.
    const shift = units < SUBS ? 0 : 31 - SUB_BITS - Math.clz32(units);
    this.counts[SUBS * shift + (units >>> shift)]++;
    if (++this.total === WINDOW) this.halve();
  }

  private halve(): void {
    const { counts } = this;
    this.total = 0;
    for (let i = 0; i < BUCKETS; i++) this.total += counts[i] >>>= 1;
  }
}
