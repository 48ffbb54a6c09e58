// What both sides of HTTP/1 share: finding heads in the bytes, and reading bodies by length, by chunks, or raw. It knows no
// socket: bytes come through `dispatch`, and what they mean goes to the methods that the two sides implement.
// Envoy: ConnectionImpl in source/common/http/http1/codec_impl.cc.

import type { CodecError } from '../../../api/http/codec.ts';
import { Trailers } from '../header_map.ts';
import { CHUNK_BODY, CHUNK_ERROR, CHUNK_LAST, ChunkDecoder } from './chunk_decoder.ts';
import {
  CODEC_ERROR,
  HEADERS_TOO_LARGE,
  INVALID_CHARACTERS,
  INVALID_CHUNK,
  TOO_MANY_HEADERS as TOO_MANY_HEADERS_ERROR,
  TOO_MANY_TRAILERS,
  TRAILERS_TOO_LARGE,
} from './errors.ts';
import { failedLineHasControlCharacter, headScanner, INCOMPLETE, TOO_MANY_HEADERS } from './head_scanner.ts';
import { type Http1CodecStats, MessageHead } from './message_head.ts';
import { PartialHead } from './partial_head.ts';
import { type Http1Settings, newMessageFormatter } from './settings.ts';

/** Waiting for a head, or inside it. */
export const STATE_HEAD = 0;
/** Body of `remaining` bytes. */
export const STATE_LENGTH = 1;
export const STATE_CHUNKED = 2;
export const STATE_TRAILERS = 3;
/** All bytes are body, until the peer closes (tunnels, and responses without a length). */
export const STATE_RAW = 4;
/** The message is complete; no further bytes are read for now. */
export const STATE_COMPLETE = 5;
/** Whatever still comes is of no interest. */
export const STATE_DISCARD = 6;

/** Envoy does not count trailers that it drops; this only bounds the work that they make. */
const MAX_DROPPED_TRAILERS = 1024;

const CR = 13;
const LF = 10;

export abstract class Http1Connection {
  protected readonly settings: Http1Settings;
  protected readonly stats: Http1CodecStats | undefined;
  protected readonly head: MessageHead;
  protected state = STATE_HEAD;
  /** Bytes of a STATE_LENGTH body that are still to come. */
  protected remaining = 0;
  protected readonly chunks: ChunkDecoder;
  private readonly partial: PartialHead;

  constructor(settings: Http1Settings, stats: Http1CodecStats | undefined) {
    this.settings = settings;
    this.stats = stats;
    this.head = new MessageHead(settings, stats);
    this.chunks = new ChunkDecoder(settings.maxHeadersBytes);
    this.partial = new PartialHead();
  }

  /** Scans for a head in the bytes; see HeadScanner for what it returns. */
  protected abstract scan(bytes: Uint8Array, start: number, end: number): number;
  /** A head has been scanned; it ends at `headEnd`. Sets the state. `hasMore`: bytes follow in the same read. */
  protected abstract onHead(bytes: Uint8Array, start: number, headEnd: number, hasMore: boolean): void;
  protected abstract onBody(bytes: Uint8Array, start: number, end: number, endStream: boolean): void;
  protected abstract onTrailers(trailers: Trailers): void;
  /** The last byte of a message was read; called before the event that says so. `hasMore`: bytes follow in the same read. */
  protected abstract onMessageComplete(hasMore: boolean): void;
  protected abstract onError(error: CodecError): void;
  /** Whether a message may begin with this byte: told before its line is complete, so that a TLS hello does not wait for one. */
  protected abstract mayBegin(byte: number): boolean;
  /** Whether empty lines before a message are passed over. */
  protected abstract readonly skipsEmptyLines: boolean;

  /** Reads on from `pos`; returns where it stopped, which is `end` or where a message was complete. */
  protected parse(bytes: Uint8Array, start: number, end: number): number {
    let pos = start;
    while (pos < end) {
      switch (this.state) {
        case STATE_HEAD:
          pos = this.parseHead(bytes, pos, end);
          break;
        case STATE_LENGTH:
          pos = this.parseLength(bytes, pos, end);
          break;
        case STATE_CHUNKED:
          pos = this.parseChunks(bytes, pos, end);
          break;
        case STATE_TRAILERS:
          pos = this.parseTrailers(bytes, pos, end);
          break;
        case STATE_RAW:
          this.onBody(bytes, pos, end, false);
          return end;
        case STATE_DISCARD:
          return end;
        default:
          return pos;
      }
    }
    return pos;
  }

  /** True between messages, with not one byte of the next. */
  protected get betweenMessages(): boolean {
    return this.state === STATE_HEAD && this.partial.length === 0;
  }

  private parseHead(bytes: Uint8Array, start: number, end: number): number {
    if (this.partial.length > 0) return this.continueHead(bytes, start, end);
    let pos = start;
    if (this.skipsEmptyLines) {
      while (pos < end && (bytes[pos] === CR || bytes[pos] === LF)) pos++;
      if (pos === end) return end;
    }
    if (!this.mayBegin(bytes[pos])) return this.fail(CODEC_ERROR, end);
    const limit = Math.min(end, pos + this.settings.maxHeadersBytes);
    const headEnd = this.scan(bytes, pos, limit);
    if (headEnd < 0) {
      if (headEnd !== INCOMPLETE) return this.failHead(headEnd, bytes, pos, end);
      if (limit < end) return this.fail(HEADERS_TOO_LARGE, end);
      this.partial.append(bytes, pos, end);
      return end;
    }
    this.onHead(bytes, pos, headEnd, headEnd < end);
    return headEnd;
  }

  /** A head that began in an earlier read. Scanned anew whenever a line was completed. */
  private continueHead(bytes: Uint8Array, start: number, end: number): number {
    const partial = this.partial;
    const before = partial.length;
    const limit = Math.min(end, start + this.settings.maxHeadersBytes - before);
    const sawLine = partial.append(bytes, start, limit);
    const headEnd = sawLine ? this.scan(partial.bytes, 0, partial.length) : INCOMPLETE;
    if (headEnd < 0) {
      if (headEnd !== INCOMPLETE) return this.failHead(headEnd, partial.bytes, 0, end);
      return limit < end ? this.fail(HEADERS_TOO_LARGE, end) : end;
    }
    const head = partial.take();
    const next = start + headEnd - before;
    this.onHead(head, 0, headEnd, next < end);
    return next;
  }

  private failHead(result: number, bytes: Uint8Array, start: number, end: number): number {
    if (result === TOO_MANY_HEADERS) {
      return this.fail(this.state === STATE_TRAILERS ? TOO_MANY_TRAILERS : TOO_MANY_HEADERS_ERROR, end);
    }
    return this.fail(failedLineHasControlCharacter(bytes, start) ? INVALID_CHARACTERS : CODEC_ERROR, end);
  }

  protected fail(error: CodecError, end: number): number {
    this.state = STATE_DISCARD;
    this.partial.clear();
    this.onError(error);
    return end;
  }

  private parseLength(bytes: Uint8Array, start: number, end: number): number {
    const available = end - start;
    if (available < this.remaining) {
      this.remaining -= available;
      this.onBody(bytes, start, end, false);
      return end;
    }
    const bodyEnd = start + this.remaining;
    this.remaining = 0;
    this.onMessageComplete(bodyEnd < end);
    this.onBody(bytes, start, bodyEnd, true);
    return bodyEnd;
  }

  private parseChunks(bytes: Uint8Array, start: number, end: number): number {
    const chunks = this.chunks;
    let pos = start;
    // The callback may reset the stream, which changes the state.
    while (pos < end && this.state === STATE_CHUNKED) {
      const result = chunks.next(bytes, pos, end);
      pos = chunks.position;
      if (result === CHUNK_BODY) {
        this.onBody(bytes, chunks.bodyStart, pos, false);
      } else if (result === CHUNK_LAST) {
        this.state = STATE_TRAILERS;
      } else if (result === CHUNK_ERROR) {
        return this.fail(INVALID_CHUNK, end);
      }
    }
    return pos;
  }

  /** The trailers, mostly just the empty line. They are held to the same rules and limits as a head, even when dropped. */
  private parseTrailers(bytes: Uint8Array, start: number, end: number): number {
    const { maxHeadersBytes, maxHeadersCount } = this.settings;
    const partial = this.partial;
    const before = partial.length;
    const limit = Math.min(end, start + maxHeadersBytes - before);
    let block = bytes;
    let from = start;
    let to = limit;
    let sawLine = true;
    if (before > 0) {
      sawLine = partial.append(bytes, start, limit);
      block = partial.bytes;
      from = 0;
      to = partial.length;
    }
    const maxFields = this.settings.enableTrailers ? maxHeadersCount : MAX_DROPPED_TRAILERS;
    const blockEnd = sawLine ? headScanner.scanFields(block, from, to, maxFields) : INCOMPLETE;
    if (blockEnd === INCOMPLETE) {
      if (limit < end) return this.fail(TRAILERS_TOO_LARGE, end);
      if (before === 0) partial.append(bytes, start, end);
      return end;
    }
    if (blockEnd < 0) return this.failHead(blockEnd, block, from, end);
    if (before > 0) partial.clear();
    const next = start + (blockEnd - from) - before;
    if (headScanner.fieldCount > 0 && this.settings.enableTrailers) {
      this.emitTrailers(block, from, blockEnd, next, end);
    } else {
      this.onMessageComplete(next < end);
      this.onBody(bytes, start, start, true);
    }
    return next;
  }

  private emitTrailers(block: Uint8Array, from: number, to: number, next: number, end: number): void {
    const formatter = newMessageFormatter(this.settings);
    const trailers = new Trailers();
    trailers.formatter = formatter;
    const text = latin1(block, from, to);
    this.head.inTrailers = true;
    const error = this.head.read(block, text, from, trailers, undefined, formatter);
    this.head.inTrailers = false;
    if (error !== undefined) {
      this.fail(error, end);
      return;
    }
    this.onMessageComplete(next < end);
    this.onTrailers(trailers);
  }
}

const latin1Slice = Buffer.prototype.latin1Slice;

/** `bytes[start, end)` as text; works on any Uint8Array. */
export function latin1(bytes: Uint8Array, start: number, end: number): string {
  return latin1Slice.call(bytes, start, end);
}
