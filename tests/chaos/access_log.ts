// The access log of the proxy, read as it grows: entries by the id of their request.

import { closeSync, openSync, readSync } from 'node:fs';
import type { Logged } from './rules.ts';

const CHUNK_BYTES = 1024 * 1024;

export class AccessLog {
  readonly #file: number;
  readonly #buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  #rest = '';
  readonly #entries = new Map<string, Logged>();

  constructor(path: string) {
    this.#file = openSync(path, 'a+');
  }

  /** Reads what is new. */
  read(): void {
    for (let length = -1; length !== 0; ) {
      length = readSync(this.#file, this.#buffer);
      const lines = (this.#rest + this.#buffer.toString('latin1', 0, length)).split('\n');
      this.#rest = lines.pop()!;
      for (const line of lines) {
        const entry = JSON.parse(line) as Logged;
        // Connections have no id: the client's address is theirs.
        this.#entries.set(entry.id ?? entry.client, entry);
      }
    }
  }

  /** The entry of a request, which is forgotten here. */
  take(id: string): Logged | undefined {
    const entry = this.#entries.get(id);
    this.#entries.delete(id);
    return entry;
  }

  /** Entries that nobody has taken. */
  get left(): number {
    return this.#entries.size;
  }

  close(): void {
    closeSync(this.#file);
  }
}
