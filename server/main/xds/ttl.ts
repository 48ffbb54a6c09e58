// Resources that live only so long unless a heartbeat renews them: one timer for all of a type.
// Envoy: source/common/config/ttl.h; https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol (TTL).

/** The longest delay a Node timer takes. */
const MAX_TIMER_MS = 0x7fff_ffff;

export class TtlManager {
  readonly #onExpired: (names: readonly string[]) => void;
  readonly #deadlines = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #timerDeadline = Infinity;

  constructor(onExpired: (names: readonly string[]) => void) {
    this.#onExpired = onExpired;
  }

  /** Starts or renews; 0 means that it never expires. */
  set(name: string, ttlMs: number): void {
    if (ttlMs <= 0) {
      this.#deadlines.delete(name);
      return;
    }
    const deadline = performance.now() + ttlMs;
    this.#deadlines.set(name, deadline);
    if (deadline < this.#timerDeadline) this.#arm(deadline);
  }

  delete(name: string): void {
    this.#deadlines.delete(name);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#deadlines.clear();
    this.#timerDeadline = Infinity;
  }

  #arm(deadline: number): void {
    clearTimeout(this.#timer);
    this.#timerDeadline = deadline;
    const delay = Math.min(MAX_TIMER_MS, Math.max(1, Math.ceil(deadline - performance.now())));
    this.#timer = setTimeout(() => this.#expire(), delay);
  }

  #expire(): void {
    this.#timerDeadline = Infinity;
    const now = performance.now();
    const expired: string[] = [];
    let next = Infinity;
    for (const [name, deadline] of this.#deadlines) {
      if (deadline <= now) expired.push(name);
      else next = Math.min(next, deadline);
    }
    for (const name of expired) this.#deadlines.delete(name);
    if (next !== Infinity) this.#arm(next);
    if (expired.length > 0) this.#onExpired(expired);
  }
}
