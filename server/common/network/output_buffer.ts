// What a connection is about to send in this turn of the event loop. HTTP/1 is nearly always text only (message heads and
// small bodies), which node writes with one system call and no copy of ours; HTTP/2 writes its frames straight into regions
// of a page; bytes in between make it a list of parts.

import type { Socket } from 'node:net';
import type { WritableRegion } from '../../api/http/codec.ts';
import { LARGE_PAGE_BYTES, pages, SMALL_PAGE_BYTES } from './page_pool.ts';

/** Mixed parts up to this many bytes are joined into one write; above it they go as a vector. Measured on 16 KiB bodies. */
const JOIN_LIMIT = 4096;

const NO_PAGE = Buffer.alloc(0);

export class OutputBuffer implements WritableRegion {
  /** The page that `reserve` hands out, and where its next byte goes. */
  buffer: Buffer = NO_PAGE;
  end = 0;
  /** Where the bytes of the page begin that are not in `parts` yet. */
  private start = 0;
  private text = '';
  private parts: (string | Uint8Array)[] | undefined = undefined;
  /** Bytes gathered outside the region. */
  private gathered = 0;
  /** The size of page to begin with: what the last turn sent tells. */
  private pageBytes = SMALL_PAGE_BYTES;
  /** Full pages among the parts. */
  private fullPages: Buffer[] | undefined = undefined;

  /** Bytes gathered. */
  get length(): number {
    return this.gathered + this.end - this.start;
  }

  get empty(): boolean {
    return this.length === 0;
  }

  addText(text: string): void {
    if (this.end !== this.start) this.closeRegion();
    this.text = this.text === '' ? text : this.text + text;
    this.gathered += text.length;
  }

  addBytes(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (this.end !== this.start) this.closeRegion();
    this.addPart(bytes);
    this.gathered += bytes.length;
  }

  /** Room for `length` bytes; see ByteSink. */
  reserve(length: number): WritableRegion {
    if (this.buffer.length - this.end < length) this.turnPage(length);
    return this;
  }

  /** Takes out what was written into the region since the last part. Undefined when that is nothing. */
  takeRegion(): Uint8Array | undefined {
    if (this.end === this.start) return undefined;
    const region = this.buffer.subarray(this.start, this.end);
    this.start = this.end;
    return region;
  }

  private turnPage(length: number): void {
    if (this.end !== this.start) this.closeRegion();
    if (this.buffer !== NO_PAGE) {
      (this.fullPages ??= []).push(this.buffer);
      this.pageBytes = LARGE_PAGE_BYTES;
    }
    this.buffer = pages.take(length, this.pageBytes);
    this.start = 0;
    this.end = 0;
  }

  private closeRegion(): void {
    const bytes = this.end - this.start;
    this.addPart(this.takeRegion()!);
    this.gathered += bytes;
  }

  private addPart(bytes: Uint8Array): void {
    if (this.parts === undefined) this.parts = [];
    if (this.text !== '') {
      this.parts.push(this.text);
      this.text = '';
    }
    this.parts.push(bytes);
  }

  /**
   * Hands everything to the socket. Returns how many bytes that was. `copies`: the socket copies what it is given (TLS does),
   * unless it still has something to write: then it only keeps a reference.
   */
  flushTo(socket: Socket, copies: boolean): number {
    const length = this.length;
    if (length === 0) return 0;
    const copied = copies && socket.writableLength === 0;
    const parts = this.parts;
    if (parts === undefined && this.text === '') {
      socket.write(this.buffer.subarray(this.start, this.end));
    } else {
      this.writeParts(socket, length);
    }
    this.text = '';
    this.parts = undefined;
    this.gathered = 0;
    if (this.buffer === NO_PAGE) return length;
    this.pageBytes = length > SMALL_PAGE_BYTES ? LARGE_PAGE_BYTES : SMALL_PAGE_BYTES;
    // A page may be written to again only when nobody reads it any more.
    this.releasePages(copied || socket.writableLength === 0);
    return length;
  }

  private writeParts(socket: Socket, length: number): void {
    if (this.end !== this.start) this.closeRegion();
    const { parts, text } = this;
    if (parts === undefined) {
      socket.write(text, 'latin1');
      return;
    }
    if (text !== '') parts.push(text);
    if (parts.length === 1) {
      socket.write(parts[0], 'latin1');
    } else if (length <= JOIN_LIMIT) {
      socket.write(join(parts, length));
    } else {
      socket.cork();
      for (const part of parts) socket.write(part, 'latin1');
      socket.uncork();
    }
  }

  private releasePages(reusable: boolean): void {
    if (reusable) {
      pages.giveBack(this.buffer);
      if (this.fullPages !== undefined) for (const page of this.fullPages) pages.giveBack(page);
    }
    this.fullPages = undefined;
    this.buffer = NO_PAGE;
    this.start = 0;
    this.end = 0;
  }

  clear(): void {
    this.text = '';
    this.parts = undefined;
    this.gathered = 0;
    if (this.buffer !== NO_PAGE) this.releasePages(true);
  }
}

function join(parts: readonly (string | Uint8Array)[], length: number): Buffer {
  const buffer = Buffer.allocUnsafe(length);
  let at = 0;
  for (const part of parts) {
    if (typeof part === 'string') at += buffer.write(part, at, 'latin1');
    else {
      buffer.set(part, at);
      at += part.length;
    }
  }
  return buffer;
}
