// Memory that the workers share, by name, as long as a configuration that asked for it is in use.

import type { Publisher } from './publisher.ts';
import type { Lease } from './services.ts';

export class SharedMemoryStore {
  readonly #publisher: Publisher;
  readonly #users = new Map<string, number>();

  constructor(publisher: Publisher) {
    this.#publisher = publisher;
  }

  /** A new or one more user. The workers have the memory before anything that comes later. */
  lease(name: string, bytes: number): Lease {
    const users = this.#users.get(name) ?? 0;
    if (users === 0) {
      this.#publisher.put({ kind: 'shared_memory', name, memory: new SharedArrayBuffer(bytes) });
    }
    this.#users.set(name, users + 1);
    return { target: READY, release: () => this.#release(name) };
  }

  #release(name: string): void {
    const users = this.#users.get(name)! - 1;
    if (users > 0) {
      this.#users.set(name, users);
      return;
    }
    this.#users.delete(name);
    this.#publisher.remove('shared_memory', name);
  }
}

const READY = { name: 'shared memory', ready: true, observe: () => () => undefined };
