// Body bytes held back while a filter waits (or while a retry may need them), as the pieces they came in.
// Envoy: source/common/buffer/buffer_impl.h, used as buffered_request_data_.

export class BodyBuffer {
  private pieces: Uint8Array[] = [];
  /** Bytes held. */
  length = 0;

  /** Copies `bytes[start, end)`: what a socket read may be overwritten after the call. */
  add(bytes: Uint8Array, start: number, end: number): void {
    if (start === end) return;
    this.pieces.push(Uint8Array.prototype.slice.call(bytes, start, end));
    this.length += end - start;
  }

  /** All bytes in one piece; the buffer keeps them. */
  peek(): Uint8Array {
    if (this.pieces.length !== 1) this.pieces = [Buffer.concat(this.pieces, this.length)];
    return this.pieces[0];
  }

  /** All bytes in one piece; the buffer is empty afterwards. */
  take(): Uint8Array {
    const all = this.peek();
    this.pieces = [];
    this.length = 0;
    return all;
  }
}
