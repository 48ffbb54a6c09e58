// Which names of stats were looked up by their text, newest first when asked. Threads keep their blocks, so a look-up is a
// family that a thread asked for and did not have yet. Many of one name mean that something is made anew too often.
// Envoy: source/common/stats/recent_lookups.cc.

/** Names kept. Envoy: SymbolTableImpl, the default capacity. */
const CAPACITY = 100;

export class RecentLookups {
  /** Since the start or the last `clear`, whether names are kept or not. */
  total = 0;
  /** Are names kept? */
  enabled = false;
  /** The one that was looked up last is the last. */
  readonly #counts = new Map<string, number>();

  add(name: string): void {
    this.total++;
    if (!this.enabled) return;
    const count = this.#counts.get(name) ?? 0;
    this.#counts.delete(name);
    this.#counts.set(name, count + 1);
    if (this.#counts.size > CAPACITY) this.#counts.delete(this.#counts.keys().next().value as string);
  }

  clear(): void {
    this.total = 0;
    this.#counts.clear();
  }

  disable(): void {
    this.enabled = false;
    this.#counts.clear();
  }

  /** The most looked up first. */
  counts(): readonly (readonly [name: string, count: number])[] {
    return [...this.#counts].sort(([, a], [, b]) => b - a);
  }
}
