// Streams that we reset: what the peer sent before it heard of that is on its way and to be ignored, while frames on streams
// that it ended itself break the protocol (RFC 9113 5.1, "closed").

/** Ids remembered exactly; on anything older than those, frames are ignored. */
const REMEMBERED = 512;

export class ResetStreams {
  private ids: number[] = [];
  private next = 0;
  /** The highest id forgotten. */
  private forgotten = 0;

  add(id: number): void {
    if (this.ids.length < REMEMBERED) {
      this.ids.push(id);
      return;
    }
    this.forgotten = Math.max(this.forgotten, this.ids[this.next]);
    this.ids[this.next] = id;
    this.next = (this.next + 1) % REMEMBERED;
  }

  /** Whether the stream is, or may be, one of these. */
  has(id: number): boolean {
    return id <= this.forgotten || this.ids.includes(id);
  }
}
