// Counts gRPC messages in a body without keeping any of it. Envoy: Grpc::FrameInspector in source/common/grpc/codec.cc.

/** Flags byte and length of a message (gRPC over HTTP/2: Length-Prefixed-Message). */
const HEADER_BYTES = 5;

export class FrameCounter {
  /** Messages begun so far. */
  count = 0;
  private headerBytes = 0;
  private length = 0;
  /** Bytes of the current message that are still to come. */
  private remaining = 0;

  /** Takes the next part of the body. Returns the messages that begin in it. */
  inspect(bytes: Uint8Array, start: number, end: number): number {
    const before = this.count;
    let i = start;
    while (i < end) {
      if (this.remaining > 0) {
        const skipped = Math.min(this.remaining, end - i);
        this.remaining -= skipped;
        i += skipped;
      } else {
        this.takeHeaderByte(bytes[i++]);
      }
    }
    return this.count - before;
  }

  private takeHeaderByte(byte: number): void {
    if (this.headerBytes === 0) this.count++;
    else this.length = this.length * 256 + byte;
    if (++this.headerBytes < HEADER_BYTES) return;
    this.remaining = this.length;
    this.headerBytes = 0;
    this.length = 0;
  }
}
