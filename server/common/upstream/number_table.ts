// A hash table from numbers to small numbers, for tens of thousands of hosts at a time: a Map makes an object of every key
// above 2^31 and takes ten times as long. Open addressing; entries are never taken out.

/** Entries are at most half of the places. */
const SPARSE = 2;
/** 2^32 divided by the golden ratio: spreads keys that follow each other. Source: Knuth, TAOCP 3, 6.4. */
const SPREAD = 0x9e37_79b1;

export class NumberTable {
  size = 0;
  private readonly keys: number[];
  private readonly values: number[];
  private readonly mask: number;

  /** For at most so many entries. */
  constructor(entries: number) {
    const places = 1 << Math.ceil(Math.log2(Math.max(1, entries) * SPARSE));
    this.mask = places - 1;
    // Not an integer, so that V8 keeps the numbers themselves.
    this.keys = new Array<number>(places).fill(-0.5);
    this.values = new Array<number>(places).fill(-1);
  }

  /** `key` is an integer from 0 to 2^53 - 1, and not there yet; `value` an integer from 0 to 2^31 - 1. */
  add(key: number, value: number): void {
    let place = this.home(key);
    while (this.values[place] >= 0) place = (place + 1) & this.mask;
    this.keys[place] = key;
    this.values[place] = value;
    this.size++;
  }

  /** -1: it is not there. */
  get(key: number): number {
    let place = this.home(key);
    while (this.values[place] >= 0) {
      if (this.keys[place] === key) return this.values[place];
      place = (place + 1) & this.mask;
    }
    return -1;
  }

  forEach(visit: (key: number, value: number) => void): void {
    for (let place = 0; place <= this.mask; place++) {
      if (this.values[place] >= 0) visit(this.keys[place], this.values[place]);
    }
  }

  private home(key: number): number {
    const high = Math.floor(key / 0x1_0000_0000);
    const hash = Math.imul((key >>> 0) ^ Math.imul(high, SPREAD), SPREAD);
    return (hash ^ (hash >>> 15)) & this.mask;
  }
}
