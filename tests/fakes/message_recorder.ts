// What the recorders of HTTP/1 and HTTP/2 have in common: writing down a message, and feeding bytes in pieces.

import type { HeaderMap } from '../../server/api/http/header_map.ts';

/** One message as it was received. */
export interface Message {
  line: string;
  headers: string[];
  body: string;
  complete: boolean;
  trailers?: string[];
  informational?: string[];
  reset?: string;
}

/** Writes a message down, and throws where its events contradict each other. */
export class MessageRecorder {
  readonly message: Message = { line: '', headers: [], body: '', complete: false };

  onData(bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    this.message.body += Buffer.from(bytes.subarray(start, end)).toString('latin1');
    if (endStream) this.complete();
  }
  onResetStream(reason: string, details: string): void {
    if (this.message.reset !== undefined) throw new Error('reset twice');
    this.message.reset = `${reason} ${details}`.trim();
  }
  protected trailers(trailers: HeaderMap): void {
    this.message.trailers = [...trailers.list];
    this.complete();
  }
  protected complete(): void {
    if (this.message.complete) throw new Error('the message ended twice');
    if (this.message.reset !== undefined) throw new Error('ended after its reset');
    this.message.complete = true;
  }
}

/**
 * Feeds bytes in pieces of the given sizes (repeated; none: all at once), each between bytes of `padding` in a buffer that is
 * overwritten afterwards.
 */
export function feedInPieces(
  codec: { dispatch(bytes: Uint8Array, start: number, end: number): void },
  bytes: Uint8Array,
  sizes: readonly number[],
  padding: number,
): void {
  let from = 0;
  for (let i = 0; from < bytes.length; i++) {
    const size = sizes.length === 0 ? bytes.length : Math.max(1, sizes[i % sizes.length]);
    const piece = bytes.subarray(from, from + size);
    // Not at offset 0, as in a shared read buffer whose other bytes belong to nobody.
    const buffer = Buffer.alloc(piece.length + 7, padding);
    buffer.set(piece, 3);
    codec.dispatch(buffer, 3, 3 + piece.length);
    buffer.fill(0);
    from += piece.length;
  }
}
