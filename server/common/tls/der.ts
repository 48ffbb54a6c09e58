// Reads DER, the binary form of certificates, CRLs, OCSP responses and sessions: only what node does not tell of them is read
// here. Definite lengths and one-byte tags, which is all these have. ITU-T X.690; RFC 5280 appendix A.

/** Universal tags; `constructed` and context ones are computed below. */
export const DerTag = {
  Boolean: 0x01,
  Integer: 0x02,
  BitString: 0x03,
  OctetString: 0x04,
  ObjectIdentifier: 0x06,
  Enumerated: 0x0a,
  Utf8String: 0x0c,
  UtcTime: 0x17,
  GeneralizedTime: 0x18,
  Sequence: 0x30,
} as const;

/** Tag of `[number]`, constructed (explicit, or an implicit SEQUENCE). */
export function contextTag(number: number): number {
  return 0xa0 | number;
}

/** Tag of `[number] IMPLICIT` of something that is not constructed. */
export function primitiveContextTag(number: number): number {
  return 0x80 | number;
}

export class DerError extends Error {}

/** Walks the elements of one constructed value. Every method throws DerError where the bytes are not what is asked for. */
export class DerReader {
  private readonly bytes: Buffer;
  private position: number;
  private readonly end: number;

  constructor(bytes: Buffer, start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.position = start;
    this.end = end;
  }

  get done(): boolean {
    return this.position >= this.end;
  }

  /** Tag of the next element; -1 at the end. */
  peek(): number {
    return this.done ? -1 : this.bytes[this.position];
  }

  /** The whole next element, tag and length included. */
  element(): Buffer {
    const start = this.position;
    this.content(this.peek());
    return this.bytes.subarray(start, this.position);
  }

  /** The content of the next element, which must have the tag. */
  content(tag: number): Buffer {
    if (this.peek() !== tag) throw new DerError(`tag ${this.peek()} where ${tag} belongs`);
    let at = this.position + 1;
    let length = this.bytes[at++];
    if (length > 0x80) {
      const count = length - 0x80;
      if (count > 4) throw new DerError('length too long');
      length = 0;
      for (let i = 0; i < count; i++) length = length * 256 + this.bytes[at++];
    } else if (length === 0x80) {
      throw new DerError('indefinite length');
    }
    if (!(at + length <= this.end)) throw new DerError('cut off');
    this.position = at + length;
    return this.bytes.subarray(at, at + length);
  }

  /** Content of the next element if it has the tag, else undefined and nothing is read. */
  optional(tag: number): Buffer | undefined {
    return this.peek() === tag ? this.content(tag) : undefined;
  }

  /** A reader for the next element, which must be constructed with the tag. */
  enter(tag: number): DerReader {
    return new DerReader(this.content(tag));
  }

  skip(): void {
    this.content(this.peek());
  }
}

/** An OBJECT IDENTIFIER as `1.2.3`. */
export function oidText(content: Buffer): string {
  const parts: number[] = [];
  let value = 0;
  for (const byte of content) {
    value = value * 128 + (byte & 0x7f);
    if (byte >= 0x80) continue;
    if (parts.length === 0)
      parts.push(Math.min(2, Math.floor(value / 40)), value - 40 * Math.min(2, Math.floor(value / 40)));
    else parts.push(value);
    value = 0;
  }
  return parts.join('.');
}

/** A non-negative INTEGER as lower-case hexadecimal digits without leading zeros, as certificates' serial numbers are shown. */
export function integerHex(content: Buffer): string {
  return content.toString('hex').replace(/^(?:00)+(?=.)/, '');
}

/** An UTCTime or GeneralizedTime in UTC, as ms since the epoch. Throws DerError. */
export function derTime(tag: number, content: Buffer): number {
  const text = content.toString('latin1');
  const parts = /^(\d{2}|\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (parts === null || (parts[1].length === 4) !== (tag === DerTag.GeneralizedTime))
    throw new DerError('time');
  const [year, month, day, hour, minute, second] = parts.slice(1).map(Number);
  // RFC 5280 4.1.2.5.1: two digits below 50 are of this century.
  const century = parts[1].length === 4 ? 0 : year < 50 ? 2000 : 1900;
  return Date.UTC(century + year, month - 1, day, hour, minute, second);
}
