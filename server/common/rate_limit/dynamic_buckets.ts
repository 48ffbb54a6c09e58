// Buckets of a descriptor with wildcards: one for each set of values that requests bring, the least recently used making room. All
// workers have them together: a table in shared memory of what each bucket is for, its time, and when it was last used.
// Envoy: DynamicDescriptor in source/extensions/filters/common/local_ratelimit/local_ratelimit_impl.cc.

import { xxHash64 } from '../hash/xx_hash_64.ts';
import { SharedTokenBucket, type TokenBucketSettings } from './shared_token_bucket.ts';

/** Of an entry: what it is for (a hash, 0 = free), the bucket's time, last use in ns. */
const WORDS = 3;
const TIME = 1;
const USED = 2;
/** Who waits longer than so many rounds takes the lock: its holder's thread has died. */
const MAX_SPINS = 1_000_000;

/** 64-bit words for so many buckets: a lock, then the entries. */
export function dynamicBucketsWords(capacity: number): number {
  return 1 + capacity * WORDS;
}

export class DynamicBuckets {
  private readonly settings: TokenBucketSettings;
  private readonly words: BigInt64Array<SharedArrayBuffer>;
  private readonly start: number;
  private readonly end: number;
  /** Where this thread last found a bucket. At most as many as there are. */
  private readonly places = new Map<bigint, SharedTokenBucket>();
  private readonly capacity: number;

  /** `words[start]` is the lock. */
  constructor(
    settings: TokenBucketSettings,
    words: BigInt64Array<SharedArrayBuffer>,
    start: number,
    capacity: number,
  ) {
    this.settings = settings;
    this.words = words;
    this.start = start;
    this.end = start + dynamicBucketsWords(capacity);
    this.capacity = capacity;
  }

  /** The bucket for `key`, a full one where there was none. */
  get(key: string): SharedTokenBucket {
    const { words, places } = this;
    const hash = BigInt.asIntN(64, xxHash64(key)) || 1n;
    let bucket = places.get(hash);
    if (bucket === undefined || Atomics.load(words, bucket.index - TIME) !== hash) {
      bucket = new SharedTokenBucket(this.settings, words, this.claim(hash) + TIME);
      if (places.size >= this.capacity) places.clear();
      places.set(hash, bucket);
    }
    Atomics.store(words, bucket.index - TIME + USED, process.hrtime.bigint());
    return bucket;
  }

  /** The entry of `hash`, which takes the place of another one where it has none. */
  private claim(hash: bigint): number {
    const { words, start } = this;
    for (let spins = 0; Atomics.compareExchange(words, start, 0n, 1n) !== 0n; spins++) {
      if (spins > MAX_SPINS) break;
    }
    const entry = this.find(hash);
    if (Atomics.load(words, entry) !== hash) {
      Atomics.store(words, entry + TIME, 0n);
      Atomics.store(words, entry, hash);
    }
    Atomics.store(words, start, 0n);
    return entry;
  }

  /** The entry of `hash`, or a free one, or the one that was not used for the longest time. */
  private find(hash: bigint): number {
    const { words, start, end } = this;
    let oldest = start + 1;
    let used = Atomics.load(words, oldest + USED);
    for (let entry = start + 1; entry < end; entry += WORDS) {
      const owner = Atomics.load(words, entry);
      if (owner === hash) return entry;
      // Entries fill up one after the other: behind a free one all are.
      if (owner === 0n) return entry;
      const time = Atomics.load(words, entry + USED);
      if (time < used) {
        used = time;
        oldest = entry;
      }
    }
    return oldest;
  }
}
