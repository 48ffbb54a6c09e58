// A token bucket that all workers draw from. Its whole state is one time: the bucket has the tokens that would have come in since.
// Envoy: AtomicTokenBucketImpl in source/common/common/token_bucket_impl.cc.

/** One token a year, at least (kMinFillRate). */
const MIN_FILL_RATE = 1 / (365 * 24 * 60 * 60);
const NANOSECONDS = 1e9;

export interface TokenBucketSettings {
  readonly maxTokens: number;
  /** Tokens a second. */
  readonly fillRate: number;
}

/** `fillIntervalMs` is above 0. */
export function tokenBucketSettings(
  maxTokens: number,
  tokensPerFill: number,
  fillIntervalMs: number,
): TokenBucketSettings {
  return { maxTokens, fillRate: Math.max((tokensPerFill * 1000) / fillIntervalMs, MIN_FILL_RATE) };
}

export class SharedTokenBucket {
  readonly settings: TokenBucketSettings;
  private readonly times: BigInt64Array<SharedArrayBuffer>;
  /** Where its time stands. */
  readonly index: number;

  /** The time is `times[index]`, in ns of a clock that threads share; 0 is a full bucket. */
  constructor(settings: TokenBucketSettings, times: BigInt64Array<SharedArrayBuffer>, index: number) {
    this.settings = settings;
    this.times = times;
    this.index = index;
  }

  /** False, and nothing is taken, when there are not so many tokens, or none are asked for. Negative `tokens` are given back. */
  consume(tokens: number): boolean {
    if (tokens === 0) return false;
    const { times, index } = this;
    const { maxTokens, fillRate } = this.settings;
    for (;;) {
      const before = Atomics.load(times, index);
      const now = Number(process.hrtime.bigint());
      const available = this.tokensAt(before, now);
      if (available < tokens) return false;
      const left = Math.min(available - tokens, maxTokens);
      const after = BigInt(Math.round(now - (left / fillRate) * NANOSECONDS));
      if (Atomics.compareExchange(times, index, before, after) === before) return true;
    }
  }

  /** Whole tokens. */
  remainingTokens(): number {
    return Math.floor(this.tokensAt(Atomics.load(this.times, this.index), Number(process.hrtime.bigint())));
  }

  /** Seconds until there is a token, rounded up. */
  resetSeconds(): number {
    const tokens = this.tokensAt(Atomics.load(this.times, this.index), Number(process.hrtime.bigint()));
    return tokens >= 1 ? 0 : Math.ceil((1 - tokens) / this.settings.fillRate);
  }

  private tokensAt(time: bigint, now: number): number {
    const { maxTokens, fillRate } = this.settings;
    if (time === 0n) return maxTokens;
    return Math.max(0, Math.min(maxTokens, ((now - Number(time)) / NANOSECONDS) * fillRate));
  }
}
