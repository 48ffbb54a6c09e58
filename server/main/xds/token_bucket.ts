// The limit on requests that `rate_limit_settings` asks for. Envoy: source/common/common/token_bucket_impl.h.

export class TokenBucket {
  readonly #maxTokens: number;
  readonly #fillRate: number;
  readonly #now: () => number;
  #tokens: number;
  #filledAt: number;

  /** `fillRate` in tokens a second. `now` in milliseconds. */
  constructor(maxTokens: number, fillRate: number, now: () => number = performance.now.bind(performance)) {
    this.#maxTokens = maxTokens;
    this.#fillRate = fillRate;
    this.#now = now;
    this.#tokens = maxTokens;
    this.#filledAt = now();
  }

  /** Takes a token if there is one. */
  consume(): boolean {
    const now = this.#now();
    this.#tokens = Math.min(this.#maxTokens, this.#tokens + ((now - this.#filledAt) / 1e3) * this.#fillRate);
    this.#filledAt = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  /** Milliseconds until the next token. */
  nextTokenMs(): number {
    return Math.max(0, ((1 - this.#tokens) / this.#fillRate) * 1e3);
  }
}
