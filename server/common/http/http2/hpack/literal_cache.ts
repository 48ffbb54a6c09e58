// Literal fields that come again and again without being put into a table (nghttp2 sends `:path` so): found by their encoded
// bytes, they need no decoding, no new string and no validation. One small cache serves all connections of the thread.

import type { HeaderField } from './header_field.ts';

const SLOTS = 512;
/** Longer values are rarely the same again. */
const MAX_BYTES = 96;

class Literal {
  readonly field: HeaderField;
  readonly hash: number;
  readonly huffman: boolean;
  private readonly bytes: Uint8Array;

  constructor(field: HeaderField, hash: number, huffman: boolean, bytes: Uint8Array) {
    this.field = field;
    this.hash = hash;
    this.huffman = huffman;
    this.bytes = bytes;
  }

  hasBytes(bytes: Uint8Array, start: number, end: number): boolean {
    const own = this.bytes;
    if (own.length !== end - start) return false;
    for (let i = 0; i < own.length; i++) {
      if (own[i] !== bytes[start + i]) return false;
    }
    return true;
  }
}

class LiteralCache {
  private readonly slots: (Literal | undefined)[] = new Array(SLOTS).fill(undefined);
  /** The hash last seen at each slot: only what comes twice is kept. */
  private readonly seen = new Int32Array(SLOTS);
  /** Of the value last looked for. */
  private hash = 0;

  /** The field of name `name` whose value has these encoded bytes. */
  find(
    name: string,
    bytes: Uint8Array,
    start: number,
    end: number,
    huffman: boolean,
  ): HeaderField | undefined {
    if (end - start > MAX_BYTES) return undefined;
    let hash = name.length;
    for (let i = start; i < end; i++) hash = (Math.imul(hash, 31) + bytes[i]) | 0;
    this.hash = hash;
    const known = this.slots[slotOf(hash)];
    if (known === undefined || known.hash !== hash || known.huffman !== huffman) return undefined;
    return known.field.name === name && known.hasBytes(bytes, start, end) ? known.field : undefined;
  }

  /** Remembers what `find` did not know. To be called right after it, with the same bytes. */
  add(field: HeaderField, bytes: Uint8Array, start: number, end: number, huffman: boolean): void {
    if (end - start > MAX_BYTES) return;
    const { hash } = this;
    const slot = slotOf(hash);
    if (this.seen[slot] !== hash) {
      this.seen[slot] = hash;
      return;
    }
    this.slots[slot] = new Literal(field, hash, huffman, Uint8Array.prototype.slice.call(bytes, start, end));
  }
}

function slotOf(hash: number): number {
  return (hash ^ (hash >>> 15)) & (SLOTS - 1);
}

export const literals = new LiteralCache();
