// The connection's flow-control windows. Source: RFC 9113 5.2 and 6.9.

import { DEFAULT_WINDOW_SIZE, LARGEST_WINDOW_SIZE } from './frame.ts';
import type { Http2Stream } from './stream.ts';

/** What the peer may send on all streams together. */
export class ReceiveWindow {
  private readonly size: number;
  private left: number;
  /** Used up and free again, but not announced. */
  private unannounced = 0;

  /** `size` bytes are announced at the beginning. */
  constructor(size: number) {
    this.size = size;
    this.left = size;
  }

  /** `bytes` have come. False when that was more than allowed. */
  take(bytes: number): boolean {
    this.left -= bytes;
    return this.left >= 0;
  }

  /** `bytes` are used up. Returns how much to announce now: half of a window at once, else 0. */
  giveBack(bytes: number): number {
    this.unannounced += bytes;
    if (this.unannounced * 2 < this.size) return 0;
    const increment = this.unannounced;
    this.unannounced = 0;
    this.left += increment;
    return increment;
  }
}

/** What we may send on all streams together, and the streams with data that only this holds back. */
export class SendWindow {
  /** Bytes. */
  size = DEFAULT_WINDOW_SIZE;
  private readonly waiting = new Set<Http2Stream>();

  /** The peer allows more. False when that is more than a window may have. */
  add(bytes: number): boolean {
    this.size += bytes;
    return this.size <= LARGEST_WINDOW_SIZE;
  }

  /** For a stream whose own window is open. */
  wait(stream: Http2Stream): void {
    this.waiting.add(stream);
  }

  forget(stream: Http2Stream): void {
    this.waiting.delete(stream);
  }

  /** Streams that wait send a frame each, in turn, while the window lasts. */
  flush(): void {
    const { waiting } = this;
    while (this.size > 0 && waiting.size > 0) {
      const stream = waiting.values().next().value as Http2Stream;
      waiting.delete(stream);
      if (stream.flush()) waiting.add(stream);
    }
  }
}
