// The dynamic table of a decoder: a ring, newest first. Source: RFC 7541 2.3.2 and 4.

import type { HeaderField } from './header_field.ts';

const FIRST_CAPACITY = 16;

export class DynamicTable {
  /** A power of two long; empty until something is inserted, since most idle connections never do. */
  private ring: (HeaderField | undefined)[] = [];
  /** Where the newest entry is. */
  private newest = 0;
  /** Entries. */
  length = 0;
  private size = 0;
  /** Bytes that `size` may have. */
  private capacity: number;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  /** The entry at `index`, 0 being the newest. Undefined when there is none. */
  get(index: number): HeaderField | undefined {
    if (index >= this.length) return undefined;
    return this.ring[(this.newest + index) & (this.ring.length - 1)];
  }

  insert(field: HeaderField): void {
    this.evictTo(this.capacity - field.size);
    // An entry bigger than the table empties it and is not kept.
    if (field.size > this.capacity) return;
    if (this.length === this.ring.length) this.grow();
    this.newest = (this.newest - 1) & (this.ring.length - 1);
    this.ring[this.newest] = field;
    this.length++;
    this.size += field.size;
  }

  setCapacity(bytes: number): void {
    this.capacity = bytes;
    this.evictTo(bytes);
  }

  get maxSize(): number {
    return this.capacity;
  }

  private evictTo(bytes: number): void {
    const { ring } = this;
    while (this.length > 0 && this.size > bytes) {
      const oldest = (this.newest + this.length - 1) & (ring.length - 1);
      this.size -= ring[oldest]!.size;
      ring[oldest] = undefined;
      this.length--;
    }
  }

  private grow(): void {
    const { ring, length } = this;
    const bigger: (HeaderField | undefined)[] = new Array(Math.max(FIRST_CAPACITY, ring.length * 2)).fill(
      undefined,
    );
    for (let i = 0; i < length; i++) bigger[i] = ring[(this.newest + i) & (ring.length - 1)];
    this.ring = bigger;
    this.newest = 0;
  }
}
