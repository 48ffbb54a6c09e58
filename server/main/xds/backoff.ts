// When to try again: exponential back-off with full jitter. Envoy: source/common/common/backoff_strategy.h,
// defaults from source/common/config/grpc_stream.h.

/** Base and ceiling of a stream's back-off when its retry policy has none. */
export const DEFAULT_BASE_MS = 500;
export const DEFAULT_MAX_MS = 30_000;

export class JitteredExponentialBackOff {
  readonly #baseMs: number;
  readonly #maxMs: number;
  readonly #random: () => number;
  #ceilingMs: number;

  constructor(baseMs = DEFAULT_BASE_MS, maxMs = DEFAULT_MAX_MS, random: () => number = Math.random) {
    this.#baseMs = baseMs;
    this.#maxMs = Math.max(baseMs, maxMs);
    this.#random = random;
    this.#ceilingMs = baseMs;
  }

  /** Milliseconds to wait: uniform below a ceiling that doubles up to the maximum. */
  nextMs(): number {
    const wait = this.#random() * this.#ceilingMs;
    this.#ceilingMs = Math.min(this.#maxMs, this.#ceilingMs * 2);
    return wait;
  }

  reset(): void {
    this.#ceilingMs = this.#baseMs;
  }
}
