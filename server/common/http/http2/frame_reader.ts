// Finds the frames in a stream of bytes. DATA is passed on as it comes; other frames are waited for in full, and header
// blocks with their CONTINUATIONs. Frames that are malformed by themselves end the connection here. Source: RFC 9113 4 and 6.

import {
  CONNECTION_PREFACE,
  DEFAULT_MAX_FRAME_SIZE,
  ENHANCE_YOUR_CALM,
  FLAG_ACK,
  FLAG_END_HEADERS,
  FLAG_END_STREAM,
  FLAG_PADDED,
  FLAG_PRIORITY,
  FRAME_CONTINUATION,
  FRAME_DATA,
  FRAME_GOAWAY,
  FRAME_HEADER_BYTES,
  FRAME_HEADERS,
  FRAME_PING,
  FRAME_PRIORITY,
  FRAME_PUSH_PROMISE,
  FRAME_RST_STREAM,
  FRAME_SETTINGS,
  FRAME_SIZE_ERROR,
  FRAME_WINDOW_UPDATE,
  PROTOCOL_ERROR,
} from './frame.ts';

/** A block may be longer than the headers it holds: lengths, size updates. More than this is nothing but waste. */
const BLOCK_ALLOWANCE = 32 * 1024;
const NO_BYTES = Buffer.alloc(0);

export abstract class FrameReader {
  /** False once an error or the owner has ended the connection: nothing more is read. */
  protected reading = true;
  private prefaceBytes: number;
  private settingsSeen = false;
  /** The beginning of a frame that is not here in full. */
  private partial: Buffer = NO_BYTES;
  private partialLength = 0;
  // The DATA frame under way.
  private dataStream = 0;
  private dataRemaining = 0;
  private paddingRemaining = 0;
  private dataEndsStream = false;
  // The header block under way: its stream, or 0.
  private blockStream = 0;
  private blockEndsStream = false;
  private block: Buffer = NO_BYTES;
  private blockLength = 0;
  private blockWireBytes = 0;
  private readonly maxBlockBytes: number;

  /** `expectsPreface`: of a server. `maxHeadersBytes`: of a decoded head. */
  constructor(expectsPreface: boolean, maxHeadersBytes: number) {
    this.prefaceBytes = expectsPreface ? 0 : CONNECTION_PREFACE.length;
    this.maxBlockBytes = maxHeadersBytes + BLOCK_ALLOWANCE;
  }

  /** A DATA frame begins, `length` bytes with its padding. False: its payload is dropped. */
  protected abstract onDataFrame(
    stream: number,
    length: number,
    padding: number,
    endStream: boolean,
  ): boolean;
  /** A piece of its payload. `complete`: the last one; it may be empty. */
  protected abstract onData(
    stream: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    endStream: boolean,
  ): void;
  /** A complete header block. `wireBytes`: of all its frames. */
  protected abstract onHeaderBlock(
    stream: number,
    endStream: boolean,
    bytes: Uint8Array,
    start: number,
    end: number,
    wireBytes: number,
  ): void;
  /** A HEADERS, CONTINUATION or DATA frame. `empty`: without payload or END_STREAM. False: a flood, which was dealt with. */
  protected abstract onPayload(stream: number, empty: boolean): boolean;
  protected abstract onPriority(): void;
  protected abstract onRstStream(stream: number, code: number): void;
  /** `bytes[start, end)` is a list of parameters. */
  protected abstract onSettings(bytes: Uint8Array, start: number, end: number): void;
  protected abstract onSettingsAck(): void;
  protected abstract onPing(bytes: Uint8Array, start: number, ack: boolean): void;
  protected abstract onGoAwayFrame(lastStream: number, code: number): void;
  protected abstract onWindowUpdate(stream: number, increment: number): void;
  /** The connection cannot go on. Sets `reading` to false. */
  protected abstract connectionError(code: number, message: string): void;

  protected read(bytes: Uint8Array, start: number, end: number): void {
    let pos = start;
    if (this.prefaceBytes < CONNECTION_PREFACE.length) pos = this.readPreface(bytes, pos, end);
    while (pos < end && this.reading) {
      if (this.dataRemaining > 0 || this.paddingRemaining > 0) {
        pos = this.continueData(bytes, pos, end);
      } else if (this.partialLength > 0) {
        pos = this.continuePartial(bytes, pos, end);
      } else {
        const needed = this.neededBytes(bytes, pos, end);
        if (needed > end - pos) {
          if (this.reading) this.keep(bytes, pos, end, needed);
          return;
        }
        this.readFrame(bytes, pos, pos + needed);
        pos += needed;
      }
    }
  }

  private readPreface(bytes: Uint8Array, start: number, end: number): number {
    let pos = start;
    while (pos < end && this.prefaceBytes < CONNECTION_PREFACE.length) {
      if (bytes[pos++] !== CONNECTION_PREFACE[this.prefaceBytes++]) {
        this.connectionError(PROTOCOL_ERROR, 'bad connection preface');
        return end;
      }
    }
    return pos;
  }

  /**
   * How many bytes from `pos` on must be there to go on: a whole frame, but of DATA only what stands before its payload.
   * Too long a frame is an error at once.
   */
  private neededBytes(bytes: Uint8Array, pos: number, end: number): number {
    if (end - pos < FRAME_HEADER_BYTES) return FRAME_HEADER_BYTES;
    const length = (bytes[pos] << 16) | (bytes[pos + 1] << 8) | bytes[pos + 2];
    if (length > DEFAULT_MAX_FRAME_SIZE) {
      this.connectionError(FRAME_SIZE_ERROR, 'frame too long');
      return Number.MAX_SAFE_INTEGER;
    }
    if (bytes[pos + 3] !== FRAME_DATA) return FRAME_HEADER_BYTES + length;
    return (bytes[pos + 4] & FLAG_PADDED) !== 0 && length > 0 ? FRAME_HEADER_BYTES + 1 : FRAME_HEADER_BYTES;
  }

  private keep(bytes: Uint8Array, start: number, end: number, needed: number): void {
    const length = this.partialLength + end - start;
    if (this.partial.length < needed) {
      const bigger = Buffer.allocUnsafe(needed);
      this.partial.copy(bigger, 0, 0, this.partialLength);
      this.partial = bigger;
    }
    this.partial.set(bytes.subarray(start, end), this.partialLength);
    this.partialLength = length;
  }

  private continuePartial(bytes: Uint8Array, start: number, end: number): number {
    const needed = this.neededBytes(this.partial, 0, this.partialLength);
    if (!this.reading) return end;
    const missing = needed - this.partialLength;
    if (missing > end - start) {
      this.keep(bytes, start, end, needed);
      return end;
    }
    if (missing > 0) this.keep(bytes, start, start + missing, needed);
    // What came may be the frame's head only, which tells how much more is needed.
    if (this.neededBytes(this.partial, 0, this.partialLength) > this.partialLength) return start + missing;
    const frame = this.partial;
    const frameEnd = this.partialLength;
    this.partial = NO_BYTES;
    this.partialLength = 0;
    if (this.reading) this.readFrame(frame, 0, frameEnd);
    return start + missing;
  }

  /** `bytes[pos, end)` is a frame, or what stands before the payload of DATA. */
  private readFrame(bytes: Uint8Array, pos: number, end: number): void {
    const type = bytes[pos + 3];
    const flags = bytes[pos + 4];
    const stream =
      ((bytes[pos + 5] & 0x7f) << 24) | (bytes[pos + 6] << 16) | (bytes[pos + 7] << 8) | bytes[pos + 8];
    const start = pos + FRAME_HEADER_BYTES;
    if (!this.settingsSeen) {
      if (type !== FRAME_SETTINGS || (flags & FLAG_ACK) !== 0) {
        this.connectionError(PROTOCOL_ERROR, 'the first frame is not SETTINGS');
        return;
      }
      this.settingsSeen = true;
    }
    if (this.blockStream !== 0 && (type !== FRAME_CONTINUATION || stream !== this.blockStream)) {
      this.connectionError(PROTOCOL_ERROR, 'a header block was interrupted');
      return;
    }
    switch (type) {
      case FRAME_DATA: {
        const length = (bytes[pos] << 16) | (bytes[pos + 1] << 8) | bytes[pos + 2];
        this.readDataHead(stream, flags, length, bytes, start);
        return;
      }
      case FRAME_HEADERS:
        this.readHeaders(stream, flags, bytes, start, end);
        return;
      case FRAME_PRIORITY:
        this.readPriority(stream, bytes, start, end);
        return;
      case FRAME_RST_STREAM:
        if (end - start !== 4) this.connectionError(FRAME_SIZE_ERROR, 'RST_STREAM of wrong length');
        else if (stream === 0) this.connectionError(PROTOCOL_ERROR, 'RST_STREAM without a stream');
        else this.onRstStream(stream, uint32(bytes, start));
        return;
      case FRAME_SETTINGS:
        this.readSettings(stream, flags, bytes, start, end);
        return;
      case FRAME_PUSH_PROMISE:
        this.connectionError(PROTOCOL_ERROR, 'PUSH_PROMISE, which was not allowed');
        return;
      case FRAME_PING:
        if (end - start !== 8) this.connectionError(FRAME_SIZE_ERROR, 'PING of wrong length');
        else if (stream !== 0) this.connectionError(PROTOCOL_ERROR, 'PING on a stream');
        else this.onPing(bytes, start, (flags & FLAG_ACK) !== 0);
        return;
      case FRAME_GOAWAY:
        if (end - start < 8) this.connectionError(FRAME_SIZE_ERROR, 'GOAWAY of wrong length');
        else if (stream !== 0) this.connectionError(PROTOCOL_ERROR, 'GOAWAY on a stream');
        else this.onGoAwayFrame(uint32(bytes, start) & 0x7fff_ffff, uint32(bytes, start + 4));
        return;
      case FRAME_WINDOW_UPDATE:
        if (end - start !== 4) this.connectionError(FRAME_SIZE_ERROR, 'WINDOW_UPDATE of wrong length');
        else this.onWindowUpdate(stream, uint32(bytes, start) & 0x7fff_ffff);
        return;
      case FRAME_CONTINUATION:
        this.readContinuation(stream, flags, bytes, start, end);
        return;
      default:
      // Of an extension that we do not know: to be ignored (RFC 9113 5.5).
    }
  }

  private readDataHead(
    stream: number,
    flags: number,
    length: number,
    bytes: Uint8Array,
    start: number,
  ): void {
    if (stream === 0) {
      this.connectionError(PROTOCOL_ERROR, 'DATA without a stream');
      return;
    }
    const padded = (flags & FLAG_PADDED) !== 0;
    const padding = padded ? bytes[start] + 1 : 0;
    if (padded && (length === 0 || padding > length)) {
      this.connectionError(PROTOCOL_ERROR, 'DATA with more padding than payload');
      return;
    }
    const endStream = (flags & FLAG_END_STREAM) !== 0;
    const payload = length - padding;
    if (!this.onPayload(stream, payload === 0 && !endStream)) return;
    const wanted = this.onDataFrame(stream, length, padding, endStream);
    if (!this.reading) return;
    this.dataStream = wanted ? stream : 0;
    this.dataRemaining = payload;
    this.paddingRemaining = padded ? padding - 1 : 0;
    this.dataEndsStream = endStream;
    if (payload === 0 && endStream && wanted) this.onData(stream, NO_BYTES, 0, 0, true);
  }

  private continueData(bytes: Uint8Array, start: number, end: number): number {
    let pos = start;
    if (this.dataRemaining > 0) {
      const pieceEnd = Math.min(end, pos + this.dataRemaining);
      this.dataRemaining -= pieceEnd - pos;
      if (this.dataStream !== 0) {
        const complete = this.dataRemaining === 0;
        this.onData(this.dataStream, bytes, pos, pieceEnd, complete && this.dataEndsStream);
      }
      pos = pieceEnd;
    }
    const padding = Math.min(end - pos, this.paddingRemaining);
    this.paddingRemaining -= padding;
    return pos + padding;
  }

  private readHeaders(stream: number, flags: number, bytes: Uint8Array, start: number, end: number): void {
    const wireBytes = FRAME_HEADER_BYTES + end - start;
    let from = start;
    let to = end;
    if (stream === 0) {
      this.connectionError(PROTOCOL_ERROR, 'HEADERS without a stream');
      return;
    }
    if ((flags & FLAG_PADDED) !== 0) {
      if (from === to) {
        this.connectionError(FRAME_SIZE_ERROR, 'HEADERS too short');
        return;
      }
      to -= bytes[from++];
    }
    if ((flags & FLAG_PRIORITY) !== 0) {
      if (to - from >= 5 && (uint32(bytes, from) & 0x7fff_ffff) === stream) {
        this.connectionError(PROTOCOL_ERROR, 'a stream that depends on itself');
        return;
      }
      from += 5;
    }
    if (to < from) {
      this.connectionError(PROTOCOL_ERROR, 'HEADERS with more padding than payload');
      return;
    }
    const endStream = (flags & FLAG_END_STREAM) !== 0;
    if (!this.onPayload(stream, from === to && !endStream)) return;
    if ((flags & FLAG_END_HEADERS) !== 0) {
      this.onHeaderBlock(stream, endStream, bytes, from, to, wireBytes);
      return;
    }
    this.blockStream = stream;
    this.blockEndsStream = endStream;
    this.blockLength = 0;
    this.blockWireBytes = wireBytes;
    this.addToBlock(bytes, from, to);
  }

  private readContinuation(
    stream: number,
    flags: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    if (this.blockStream === 0) {
      this.connectionError(PROTOCOL_ERROR, 'CONTINUATION of nothing');
      return;
    }
    const endHeaders = (flags & FLAG_END_HEADERS) !== 0;
    if (!this.onPayload(stream, start === end && !endHeaders)) return;
    this.blockWireBytes += FRAME_HEADER_BYTES + end - start;
    if (!this.addToBlock(bytes, start, end) || !endHeaders) return;
    const { block } = this;
    this.blockStream = 0;
    this.block = NO_BYTES;
    this.onHeaderBlock(stream, this.blockEndsStream, block, 0, this.blockLength, this.blockWireBytes);
  }

  private addToBlock(bytes: Uint8Array, start: number, end: number): boolean {
    const length = this.blockLength + end - start;
    if (length > this.maxBlockBytes) {
      this.onHeaderBlockTooLong();
      this.connectionError(ENHANCE_YOUR_CALM, 'header block too long');
      return false;
    }
    if (length > this.block.length) {
      const bigger = Buffer.allocUnsafe(Math.max(length, this.block.length * 2));
      this.block.copy(bigger, 0, 0, this.blockLength);
      this.block = bigger;
    }
    this.block.set(bytes.subarray(start, end), this.blockLength);
    this.blockLength = length;
    return true;
  }

  /** Told before the error: a block grows without an end. */
  protected abstract onHeaderBlockTooLong(): void;

  private readPriority(stream: number, bytes: Uint8Array, start: number, end: number): void {
    if (stream === 0) this.connectionError(PROTOCOL_ERROR, 'PRIORITY without a stream');
    else if (end - start !== 5) this.connectionError(FRAME_SIZE_ERROR, 'PRIORITY of wrong length');
    else if ((uint32(bytes, start) & 0x7fff_ffff) === stream)
      this.connectionError(PROTOCOL_ERROR, 'a stream that depends on itself');
    else this.onPriority();
  }

  private readSettings(stream: number, flags: number, bytes: Uint8Array, start: number, end: number): void {
    if (stream !== 0) {
      this.connectionError(PROTOCOL_ERROR, 'SETTINGS on a stream');
    } else if ((flags & FLAG_ACK) !== 0) {
      if (start !== end) this.connectionError(FRAME_SIZE_ERROR, 'SETTINGS ACK with a payload');
      else this.onSettingsAck();
    } else if ((end - start) % 6 !== 0) {
      this.connectionError(FRAME_SIZE_ERROR, 'SETTINGS of wrong length');
    } else {
      this.onSettings(bytes, start, end);
    }
  }
}

/** The unsigned integer of four bytes at `at`. */
export function uint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
}
