// Waiting for what a resource needs: it goes active when everything it refers to is there. Envoy's init manager,
// targets and watchers (source/common/init/), in one small class.

/** Something that others wait for. Once ready it stays ready. */
export interface Warmable {
  /** Its name in /init_dump. */
  readonly name: string;
  readonly ready: boolean;
  /** Calls back at every change, becoming ready included. The result ends that. */
  observe(onChange: () => void): () => void;
}

/** Base of what can be waited for. */
export class Observable {
  readonly #observers = new Set<() => void>();

  observe(onChange: () => void): () => void {
    this.#observers.add(onChange);
    return () => this.#observers.delete(onChange);
  }

  protected changed(): void {
    for (const observer of [...this.#observers]) observer();
  }
}

export class WarmingGate {
  readonly #waiting = new Map<Warmable, () => void>();
  readonly #onWarm: () => void;

  /** Calls `onWarm` once, in the constructor when nothing is missing. */
  constructor(dependencies: Iterable<Warmable>, onWarm: () => void) {
    this.#onWarm = onWarm;
    for (const dependency of dependencies) {
      if (!dependency.ready) {
        this.#waiting.set(
          dependency,
          dependency.observe(() => this.#check(dependency)),
        );
      }
    }
    if (this.#waiting.size === 0) onWarm();
  }

  /** Names of what is still missing. */
  get waitingFor(): readonly string[] {
    return [...this.#waiting.keys()].map((dependency) => dependency.name);
  }

  cancel(): void {
    for (const stop of this.#waiting.values()) stop();
    this.#waiting.clear();
  }

  #check(dependency: Warmable): void {
    if (!dependency.ready) return;
    this.#waiting.get(dependency)?.();
    if (this.#waiting.delete(dependency) && this.#waiting.size === 0) this.#onWarm();
  }
}
