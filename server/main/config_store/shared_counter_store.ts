// Gives slots of the shared table to counters by name, as long as a configuration that asked for one is in use.

import type { Publisher } from './publisher.ts';
import type { Lease } from './services.ts';
import type { SlotAllocator } from './slot_allocator.ts';

export class SharedCounterStore {
  readonly #slots: SlotAllocator;
  readonly #publisher: Publisher;
  readonly #users = new Map<string, { readonly slot: number; count: number }>();

  constructor(slots: SlotAllocator, publisher: Publisher) {
    this.#slots = slots;
    this.#publisher = publisher;
  }

  /** A new or one more user of the counter. The workers have its slot before anything that comes later. */
  lease(name: string): Lease {
    let entry = this.#users.get(name);
    if (entry === undefined) {
      entry = { slot: this.#slots.allocate(), count: 0 };
      this.#users.set(name, entry);
      this.#publisher.put({ kind: 'shared_counter', name, slot: entry.slot });
    }
    entry.count++;
    return { target: READY, release: () => this.#release(name) };
  }

  #release(name: string): void {
    const entry = this.#users.get(name)!;
    if (--entry.count > 0) return;
    this.#users.delete(name);
    this.#publisher.remove('shared_counter', name);
    this.#slots.free(entry.slot);
  }
}

const READY = { name: 'shared counter', ready: true, observe: () => () => undefined };
