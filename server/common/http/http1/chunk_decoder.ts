// The chunked transfer coding (RFC 9112 7.1). Extensions are skipped unread, as Envoy does, but they must be text and may not
// go on for ever. Stricter than Envoy: what follows a chunk's data must be CRLF, and what follows its size `;` or CRLF.

/** Results of `next`. */
export const CHUNK_MORE = 0;
export const CHUNK_BODY = 1;
/** The last chunk's line was read; trailers follow. */
export const CHUNK_LAST = 2;
export const CHUNK_ERROR = 3;

const AT_SIZE = 0;
const IN_SIZE = 1;
/** Spaces after the size, which some senders pad with. */
const AFTER_SIZE = 2;
const IN_EXTENSION = 3;
const AT_SIZE_LF = 4;
const IN_DATA = 5;
const AT_DATA_CR = 6;
const AT_DATA_LF = 7;

const TAB = 9;
const LF = 10;
const CR = 13;
const SPACE = 32;
const SEMICOLON = 59;
const DEL = 127;

/** Sizes are counted exactly up to here; nobody sends more in one chunk. */
const MAX_CHUNK_BYTES = Number.MAX_SAFE_INTEGER / 16;

/** 1 + the value of a hexadecimal digit, 0 for other bytes. */
const HEX = new Uint8Array(256);
for (let i = 0; i < 16; i++) {
  HEX['0123456789abcdef'.charCodeAt(i)] = i + 1;
  HEX['0123456789ABCDEF'.charCodeAt(i)] = i + 1;
}

export class ChunkDecoder {
  /** Where `next` stopped; for CHUNK_BODY also where the body bytes end. */
  position = 0;
  bodyStart = 0;
  private state = AT_SIZE;
  /** The size so far, then the bytes of data still to come. */
  private remaining = 0;
  private overhead = 0;
  private readonly maxOverhead: number;

  /** `maxOverhead` bounds leading zeros and extensions, in bytes per message. */
  constructor(maxOverhead: number) {
    this.maxOverhead = maxOverhead;
  }

  /** Makes it ready for the next message. */
  reset(): void {
    this.state = AT_SIZE;
    this.remaining = 0;
    this.overhead = 0;
  }

  /** Reads on until there is something to report or `end`. */
  next(bytes: Uint8Array, start: number, end: number): number {
    let pos = start;
    while (pos < end) {
      if (this.state === IN_DATA) return this.takeData(pos, end);
      const c = bytes[pos++];
      switch (this.state) {
        case AT_SIZE:
        case IN_SIZE:
          if (!this.sizeByte(c)) return CHUNK_ERROR;
          break;
        case AFTER_SIZE:
          if (!this.endOfSize(c)) return CHUNK_ERROR;
          break;
        case IN_EXTENSION:
          if (c === CR) this.state = AT_SIZE_LF;
          else if ((c < SPACE && c !== TAB) || c === DEL || ++this.overhead > this.maxOverhead)
            return CHUNK_ERROR;
          break;
        case AT_SIZE_LF:
          if (c !== LF) return CHUNK_ERROR;
          if (this.remaining === 0) {
            this.position = pos;
            return CHUNK_LAST;
          }
          this.state = IN_DATA;
          break;
        case AT_DATA_CR:
          if (c !== CR) return CHUNK_ERROR;
          this.state = AT_DATA_LF;
          break;
        default:
          if (c !== LF) return CHUNK_ERROR;
          this.state = AT_SIZE;
      }
    }
    this.position = pos;
    return CHUNK_MORE;
  }

  private sizeByte(c: number): boolean {
    const digit = HEX[c];
    if (digit === 0) return this.state === IN_SIZE && this.endOfSize(c);
    if (this.remaining === 0 && ++this.overhead > this.maxOverhead) return false;
    this.state = IN_SIZE;
    this.remaining = this.remaining * 16 + digit - 1;
    return this.remaining <= MAX_CHUNK_BYTES;
  }

  private endOfSize(c: number): boolean {
    if (c === CR) {
      this.state = AT_SIZE_LF;
      return true;
    }
    if (c === SEMICOLON) this.state = IN_EXTENSION;
    else if (c === SPACE || c === TAB) this.state = AFTER_SIZE;
    else return false;
    return ++this.overhead <= this.maxOverhead;
  }

  private takeData(start: number, end: number): number {
    const bodyEnd = Math.min(end, start + this.remaining);
    this.remaining -= bodyEnd - start;
    if (this.remaining === 0) this.state = AT_DATA_CR;
    this.bodyStart = start;
    this.position = bodyEnd;
    return CHUNK_BODY;
  }
}
