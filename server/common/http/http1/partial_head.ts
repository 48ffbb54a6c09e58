// The beginning of a head (or trailer block) whose end has not arrived yet. The slow path: most heads come in one read.

const INITIAL_BYTES = 1024;
const LF = 10;

export class PartialHead {
  bytes: Uint8Array = EMPTY;
  length = 0;

  /** Adds `bytes[start, end)`. True when they complete a line. */
  append(bytes: Uint8Array, start: number, end: number): boolean {
    const needed = this.length + end - start;
    if (needed > this.bytes.length) {
      // A Buffer, as what sockets deliver: the scanners see one kind of object only.
      const bigger = Buffer.allocUnsafeSlow(Math.max(needed * 2, INITIAL_BYTES));
      bigger.set(this.bytes.subarray(0, this.length));
      this.bytes = bigger;
    }
    const added = bytes.subarray(start, end);
    this.bytes.set(added, this.length);
    this.length = needed;
    return added.includes(LF);
  }

  /** Hands the bytes over and is empty again. */
  take(): Uint8Array {
    const bytes = this.bytes;
    this.clear();
    return bytes;
  }

  clear(): void {
    this.bytes = EMPTY;
    this.length = 0;
  }
}

const EMPTY = Buffer.alloc(0);
