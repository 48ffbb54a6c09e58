// Just enough BSON: walks the elements of a document without building anything. https://bsonspec.org/spec.html

/** Element types that the filter tells apart. */
export const BsonType = { String: 2, Document: 3, Array: 4, Int32: 16, Int64: 18 } as const;

/** Bytes of values with a fixed size, by element type. */
const FIXED_SIZE: Readonly<Record<number, number>> = {
  1: 8, // double
  6: 0, // undefined
  7: 12, // object id
  8: 1, // boolean
  9: 8, // datetime
  10: 0, // null
  16: 4, // int32
  17: 8, // timestamp
  18: 8, // int64
  19: 16, // decimal128
  127: 0, // max key
  255: 0, // min key
};
/** Values that begin with their length: what the length leaves out. */
const PREFIXED_SIZE: Readonly<Record<number, number>> = {
  2: 4, // string
  3: 0, // document
  4: 0, // array
  5: 5, // binary: length and subtype
  12: 16, // pointer: length and object id
  13: 4, // JavaScript
  14: 4, // symbol
  15: 0, // JavaScript with scope
};
const REGULAR_EXPRESSION = 11;
/** An empty document: its length and its closing zero. */
const MIN_DOCUMENT_BYTES = 5;

/** Reads little-endian values one after the other. `ok` turns false, for good, when one runs over the end. */
export class MongoReader {
  readonly bytes: Buffer;
  readonly end: number;
  at: number;
  ok = true;

  constructor(bytes: Buffer, start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.at = start;
    this.end = end;
  }

  get left(): number {
    return this.end - this.at;
  }

  int32(): number {
    const at = this.skip(4);
    return this.ok ? this.bytes.readInt32LE(at) : 0;
  }

  int64(): bigint {
    const at = this.skip(8);
    return this.ok ? this.bytes.readBigInt64LE(at) : 0n;
  }

  /** Text up to a zero byte. */
  cstring(): string {
    const zero = this.bytes.indexOf(0, this.at);
    const at = this.skip(zero < 0 ? this.left + 1 : zero - this.at + 1);
    return this.ok ? this.bytes.toString('utf8', at, zero) : '';
  }

  /** A document with all its elements checked. */
  document(): BsonDocument {
    const start = this.at;
    const length = this.left < 4 ? 0 : this.bytes.readInt32LE(start);
    this.skip(length < MIN_DOCUMENT_BYTES ? this.left + 1 : length);
    const document = new BsonDocument(this.bytes, start, this.ok ? this.at : start);
    if (this.ok && !document.valid()) this.ok = false;
    return document;
  }

  /** Where the next `count` bytes begin. */
  skip(count: number): number {
    const at = this.at;
    if (count < 0 || count > this.left) {
      this.ok = false;
      this.at = this.end;
    } else {
      this.at += count;
    }
    return at;
  }
}

/** One element; its value is `bytes[start, end)`. */
export interface BsonElement {
  readonly type: number;
  readonly key: string;
  readonly start: number;
  readonly end: number;
}

export class BsonDocument {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;

  constructor(bytes: Buffer, start: number, end: number) {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
  }

  get byteSize(): number {
    return this.end - this.start;
  }

  /** Do the elements fill it to its closing zero? Nested documents are checked when they are looked into. */
  valid(): boolean {
    if (this.bytes[this.end - 1] !== 0) return false;
    const reader = this.#elements();
    while (reader.left > 0) if (readElement(reader) === undefined) return false;
    return true;
  }

  first(): BsonElement | undefined {
    const reader = this.#elements();
    return reader.left > 0 ? readElement(reader) : undefined;
  }

  find(key: string, type?: number): BsonElement | undefined {
    const reader = this.#elements();
    while (reader.left > 0) {
      const element = readElement(reader);
      if (element === undefined) return undefined;
      if (element.key === key && (type === undefined || element.type === type)) return element;
    }
    return undefined;
  }

  string(element: BsonElement | undefined): string {
    return element?.type === BsonType.String
      ? this.bytes.toString('utf8', element.start + 4, element.end - 1)
      : '';
  }

  /** 0 for what is no integer. */
  integer(element: BsonElement | undefined): number {
    if (element?.type === BsonType.Int32) return this.bytes.readInt32LE(element.start);
    return element?.type === BsonType.Int64 ? Number(this.bytes.readBigInt64LE(element.start)) : 0;
  }

  /** The document that is the element's value; undefined when it is none or is broken. */
  nested(element: BsonElement | undefined): BsonDocument | undefined {
    if (element?.type !== BsonType.Document) return undefined;
    const reader = new MongoReader(this.bytes, element.start, element.end);
    const document = reader.document();
    return reader.ok ? document : undefined;
  }

  #elements(): MongoReader {
    return new MongoReader(this.bytes, this.start + 4, this.end - 1);
  }
}

function readElement(reader: MongoReader): BsonElement | undefined {
  const type = reader.bytes[reader.skip(1)];
  const key = reader.cstring();
  const start = reader.at;
  const fixed = FIXED_SIZE[type];
  const prefixed = PREFIXED_SIZE[type];
  if (fixed !== undefined) {
    reader.skip(fixed);
  } else if (type === REGULAR_EXPRESSION) {
    reader.cstring();
    reader.cstring();
  } else if (prefixed !== undefined) {
    const length = reader.int32();
    // A string holds at least its zero, a document at least itself.
    const shortest = type === 3 || type === 4 || type === 15 ? MIN_DOCUMENT_BYTES : type === 5 ? 0 : 1;
    reader.skip(length < shortest ? -1 : length + prefixed - 4);
  } else {
    return undefined;
  }
  return reader.ok ? { type, key, start, end: reader.at } : undefined;
}
