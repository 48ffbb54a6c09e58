// Finds the parts of a message head in one pass over its bytes: offsets only, no strings, so that an incomplete head costs
// nothing and a complete one is turned into text once. Strict: CRLF line ends only, no folded lines, no space before the
// colon, no control characters. Envoy's parser (QUICHE's Balsa) is more lenient about line ends, which is how requests
// get smuggled past servers that read them differently; RFC 9112 allows to refuse them.

import { addToHash, TOKEN } from '../header_names.ts';

/** Results of a scan that are no offset. */
export const INCOMPLETE = -1;
export const MALFORMED = -2;
export const TOO_MANY_HEADERS = -3;

const TAB = 9;
const LF = 10;
const CR = 13;
const SPACE = 32;
const ZERO = 48;
const NINE = 57;
const COLON = 58;

/** 1 for bytes of header values and reason phrases: tab, visible characters, space, obs-text. */
const VALUE = new Uint8Array(256);
/** 1 for bytes of request targets: visible ASCII. */
const TARGET = new Uint8Array(256);
VALUE[TAB] = 1;
for (let c = SPACE; c < 256; c++) if (c !== 127) VALUE[c] = 1;
for (let c = SPACE + 1; c < 127; c++) TARGET[c] = 1;

/** `HTTP/`, as the bytes must be. */
const HTTP_SLASH = [72, 84, 84, 80, 47];

/** Ints per header in `fields`: name start, name end, value start, value end, name hash. */
export const FIELD_SIZE = 5;

export class HeadScanner {
  /** Offsets of the headers, `FIELD_SIZE` each. Valid until the next scan. */
  fields = new Int32Array(FIELD_SIZE * 128);
  fieldCount = 0;
  methodEnd = 0;
  targetStart = 0;
  targetEnd = 0;
  /** Ten times the version: 11 for HTTP/1.1, 9 for an HTTP/0.9 request line without one. */
  version = 0;
  status = 0;
  reasonStart = 0;
  reasonEnd = 0;

  /** Returns where the head ends (after its empty line), or one of the negative results. */
  scanRequest(bytes: Uint8Array, start: number, end: number, maxFields: number): number {
    const pos = this.scanRequestLine(bytes, start, end);
    if (pos < 0) return pos;
    if (this.version !== 9) return this.scanFields(bytes, pos, end, maxFields);
    this.fieldCount = 0;
    return pos;
  }

  scanResponse(bytes: Uint8Array, start: number, end: number, maxFields: number): number {
    const pos = this.scanStatusLine(bytes, start, end);
    return pos < 0 ? pos : this.scanFields(bytes, pos, end, maxFields);
  }

  /** Method SP target SP HTTP/d.d CRLF, or method SP target CRLF (HTTP/0.9). */
  private scanRequestLine(bytes: Uint8Array, start: number, end: number): number {
    let pos = start;
    while (pos < end && TOKEN[bytes[pos]] !== 0) pos++;
    if (pos === end) return INCOMPLETE;
    if (pos === start || bytes[pos] !== SPACE) return failure(bytes, pos, end);
    this.methodEnd = pos;
    this.targetStart = ++pos;
    while (pos < end && TARGET[bytes[pos]] === 1) pos++;
    if (pos === end) return INCOMPLETE;
    if (pos === this.targetStart) return failure(bytes, pos, end);
    this.targetEnd = pos;
    if (bytes[pos] === SPACE) {
      pos = this.scanVersion(bytes, pos + 1, end);
      if (pos < 0) return pos;
    } else {
      this.version = 9;
    }
    return lineEnd(bytes, pos, end);
  }

  /** HTTP/d.d SP ddd [SP reason] CRLF. */
  private scanStatusLine(bytes: Uint8Array, start: number, end: number): number {
    let pos = this.scanVersion(bytes, start, end);
    if (pos < 0) return pos;
    if (end - pos < 5) return failure(bytes, pos, end);
    if (bytes[pos] !== SPACE) return failure(bytes, pos, end);
    let status = 0;
    for (let i = 0; i < 3; i++) {
      const c = bytes[++pos];
      if (c < ZERO || c > NINE) return failure(bytes, pos, end);
      status = status * 10 + c - ZERO;
    }
    if (status < 100) return failure(bytes, pos, end);
    this.status = status;
    pos++;
    this.reasonStart = pos;
    if (bytes[pos] === SPACE) {
      this.reasonStart = ++pos;
      while (pos < end && VALUE[bytes[pos]] === 1) pos++;
    }
    this.reasonEnd = pos;
    return lineEnd(bytes, pos, end);
  }

  private scanVersion(bytes: Uint8Array, start: number, end: number): number {
    if (end - start < 8) return failure(bytes, start, end);
    for (let i = 0; i < 5; i++) {
      if (bytes[start + i] !== HTTP_SLASH[i]) return failure(bytes, start, end);
    }
    const major = bytes[start + 5] - ZERO;
    const minor = bytes[start + 7] - ZERO;
    const wellFormed = major >= 0 && major <= 9 && minor >= 0 && minor <= 9 && bytes[start + 6] === 46;
    if (!wellFormed) return failure(bytes, start, end);
    this.version = major * 10 + minor;
    return start + 8;
  }

  /** Header lines up to and including the empty line. Also reads trailers. */
  scanFields(bytes: Uint8Array, start: number, end: number, maxFields: number): number {
    let fields = this.fields;
    let at = 0;
    let pos = start;
    while (pos < end) {
      let c = bytes[pos];
      if (c === CR) {
        this.fieldCount = at / FIELD_SIZE;
        return lineEnd(bytes, pos, end);
      }
      const nameStart = pos;
      let hash = 0;
      let lower = TOKEN[c];
      while (lower !== 0) {
        hash = addToHash(hash, lower);
        if (++pos === end) return INCOMPLETE;
        c = bytes[pos];
        lower = TOKEN[c];
      }
      if (c !== COLON || pos === nameStart) return failure(bytes, pos, end);
      const nameEnd = pos++;
      while (pos < end && (bytes[pos] === SPACE || bytes[pos] === TAB)) pos++;
      const valueStart = pos;
      while (pos < end && VALUE[bytes[pos]] === 1) pos++;
      let valueEnd = pos;
      pos = lineEnd(bytes, pos, end);
      if (pos < 0) return pos;
      while (valueEnd > valueStart && bytes[valueEnd - 1] <= SPACE) valueEnd--;
      if (at === maxFields * FIELD_SIZE) return TOO_MANY_HEADERS;
      if (at === fields.length) fields = this.grow();
      fields[at] = nameStart;
      fields[at + 1] = nameEnd;
      fields[at + 2] = valueStart;
      fields[at + 3] = valueEnd;
      fields[at + 4] = hash;
      at += FIELD_SIZE;
    }
    return INCOMPLETE;
  }

  private grow(): Int32Array<ArrayBuffer> {
    const bigger = new Int32Array(this.fields.length * 2);
    bigger.set(this.fields);
    this.fields = bigger;
    return bigger;
  }
}

/** The offset after CRLF at `pos`. */
function lineEnd(bytes: Uint8Array, pos: number, end: number): number {
  if (pos + 1 < end && bytes[pos] === CR && bytes[pos + 1] === LF) return pos + 2;
  return failure(bytes, pos, end);
}

/** Where the newest scan failed, for `failedLineHasControlCharacter`. */
let failedAt = 0;

/**
 * A byte that fits nothing. Judged only once its line is there in full, so that how the bytes were split into reads makes
 * no difference.
 */
function failure(bytes: Uint8Array, pos: number, end: number): number {
  failedAt = pos;
  const lf = bytes.indexOf(LF, pos);
  return lf >= 0 && lf < end ? MALFORMED : INCOMPLETE;
}

/** Whether the line that made the scan fail holds control characters, for which Envoy has words of its own. */
export function failedLineHasControlCharacter(bytes: Uint8Array, start: number): boolean {
  let pos = failedAt;
  while (pos > start && bytes[pos - 1] !== LF) pos--;
  for (; bytes[pos] !== LF; pos++) {
    const c = bytes[pos];
    if (VALUE[c] === 0 && c !== CR) return true;
  }
  return false;
}

/** One for the thread: a scan's results are used up before the next one begins. */
export const headScanner = new HeadScanner();
