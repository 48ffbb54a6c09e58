// Decodes header blocks. One decoder per connection keeps its table in step with the peer's encoder, so every block has to be
// decoded, also those nobody wants. Source: RFC 7541 sections 3, 5 and 6.

import { addToHash, internHeaderName, KIND_COOKIE, TOKEN } from '../../header_names.ts';
import { DynamicTable } from './dynamic_table.ts';
import { ENTRY_OVERHEAD, fieldOf, type HeaderField, namedField } from './header_field.ts';
import { huffmanDecode } from './huffman.ts';
import { literals } from './literal_cache.ts';
import { FIRST_DYNAMIC_INDEX, STATIC_TABLE } from './static_table.ts';

/** What a peer's encoder uses before it has seen our SETTINGS. Source: RFC 9113 6.5.2. */
const INITIAL_TABLE_SIZE = 4096;
/** No length or index of a valid block is bigger; keeps integers below 2^31. */
const LARGEST_INTEGER = 0x0fff_ffff;
const COLON = 58;
const NO_BYTES = new Uint8Array(0);
const latin1Slice = Buffer.prototype.latin1Slice;

/** The block decoded last. All decoders of the thread share it, since a block is used up before the next is decoded. */
export class DecodedBlock {
  readonly fields: HeaderField[] = [];
  /** Fields that are valid. */
  count = 0;
  /** Bytes of all names and values, those left out included. */
  bytes = 0;
  /** The block had more fields, or more bytes, than the limits allow; some are missing. */
  tooManyFields = false;
  tooManyBytes = false;
}
export const decodedBlock = new DecodedBlock();

/** Huffman-coded strings are decoded here. It grows to the longest one, which the size of a header block limits. */
let scratch = Buffer.allocUnsafeSlow(4096);

export class HpackDecoder {
  private readonly table = new DynamicTable(INITIAL_TABLE_SIZE);
  /** What the peer may raise its table to. */
  private allowedTableSize = INITIAL_TABLE_SIZE;
  /** The table was to shrink, and the next block has to say so. */
  private mustUpdateSize = false;
  private bytes: Uint8Array = NO_BYTES;
  private position = 0;
  private end = 0;
  // The string read last: where its bytes are as sent, and whether they are Huffman-coded.
  private stringStart = 0;
  private stringEnd = 0;
  private huffman = false;
  private decodedEnd = 0;

  /** The peer has acknowledged SETTINGS_HEADER_TABLE_SIZE. */
  setMaxTableSize(bytes: number): void {
    this.allowedTableSize = bytes;
    if (bytes < this.table.maxSize) this.mustUpdateSize = true;
  }

  /**
   * Decodes `bytes[start, end)`, a complete block, into `decodedBlock`. Beyond `maxBytes` of names and values, or `maxFields`,
   * fields are left out. False when the block is malformed: the connection cannot go on (COMPRESSION_ERROR).
   */
  decode(bytes: Uint8Array, start: number, end: number, maxBytes: number, maxFields: number): boolean {
    const block = decodedBlock;
    block.count = 0;
    block.bytes = 0;
    block.tooManyFields = false;
    block.tooManyBytes = false;
    this.bytes = bytes;
    this.position = start;
    this.end = end;
    const good = this.readSizeUpdates() && this.readFields(maxBytes, maxFields);
    // Not to be kept alive by an idle connection.
    this.bytes = NO_BYTES;
    return good;
  }

  private readFields(maxBytes: number, maxFields: number): boolean {
    const block = decodedBlock;
    const { fields } = block;
    let crumbs = 0;
    while (this.position < this.end) {
      const field = this.readField();
      if (field === undefined) return false;
      block.bytes += field.size - ENTRY_OVERHEAD;
      // The crumbs of a cookie (RFC 9113 8.2.3) become one field.
      if (field.kind === KIND_COOKIE) crumbs++;
      if (block.bytes > maxBytes) block.tooManyBytes = true;
      else if (block.count - crumbs >= maxFields) block.tooManyFields = true;
      else fields[block.count++] = field;
    }
    return true;
  }

  private readSizeUpdates(): boolean {
    const { bytes, end, table } = this;
    while (this.position < end && (bytes[this.position] & 0xe0) === 0x20) {
      const size = this.readInteger(0x1f);
      if (size < 0 || size > this.allowedTableSize) return false;
      table.setCapacity(size);
      this.mustUpdateSize = false;
    }
    return !this.mustUpdateSize;
  }

  private readField(): HeaderField | undefined {
    const first = this.bytes[this.position];
    if ((first & 0x80) !== 0) {
      const index = (first & 0x7f) < 0x7f ? first & 0x7f : -1;
      if (index < 0) return this.entry(this.readInteger(0x7f));
      this.position++;
      return this.entry(index);
    }
    // A size update may only begin a block.
    if ((first & 0xe0) === 0x20) return undefined;
    const indexed = (first & 0x40) !== 0;
    const nameIndex = this.readInteger(indexed ? 0x3f : 0x0f);
    if (nameIndex < 0) return undefined;
    const field = nameIndex > 0 ? this.readIndexedName(nameIndex) : this.readLiteralName();
    if (field !== undefined && indexed) this.table.insert(field);
    return field;
  }

  private entry(index: number): HeaderField | undefined {
    if (index <= 0) return undefined;
    return index < FIRST_DYNAMIC_INDEX ? STATIC_TABLE[index] : this.table.get(index - FIRST_DYNAMIC_INDEX);
  }

  private readIndexedName(index: number): HeaderField | undefined {
    const named = this.entry(index);
    if (named === undefined || !this.readString()) return undefined;
    const { bytes, stringStart, stringEnd, huffman } = this;
    const known = literals.find(named.name, bytes, stringStart, stringEnd, huffman);
    if (known !== undefined) return known;
    const value = this.stringValue();
    if (value === undefined) return undefined;
    const field = named.withValue(value);
    literals.add(field, bytes, stringStart, stringEnd, huffman);
    return field;
  }

  private readLiteralName(): HeaderField | undefined {
    if (!this.readString() || !this.decodeString()) return undefined;
    const bytes = this.huffman ? scratch : this.bytes;
    const start = this.huffman ? 0 : this.stringStart;
    const end = this.decodedEnd;
    let hash = 0;
    for (let i = start; i < end; i++) {
      const c = bytes[i];
      // Upper case and what is no token: still to be decoded, not to be believed.
      if (TOKEN[c] !== c || c === 0) hash = -1;
      if (hash === -1) break;
      hash = addToHash(hash, c);
    }
    if (hash === -1 || start === end || bytes[start] === COLON) {
      const name = latin1Slice.call(bytes, start, end);
      const value = this.readString() ? this.stringValue() : undefined;
      return value === undefined ? undefined : namedField(name, value);
    }
    const name = internHeaderName(bytes, start, end, hash);
    const value = this.readString() ? this.stringValue() : undefined;
    return value === undefined ? undefined : fieldOf(name, value);
  }

  /** Finds the next string. False when it is not there in full. */
  private readString(): boolean {
    if (this.position >= this.end) return false;
    this.huffman = (this.bytes[this.position] & 0x80) !== 0;
    const length = this.readInteger(0x7f);
    if (length < 0 || length > this.end - this.position) return false;
    this.stringStart = this.position;
    this.stringEnd = this.position += length;
    return true;
  }

  /** Decodes the string read last, if it is coded; then it is in `scratch` up to `decodedEnd`. */
  private decodeString(): boolean {
    const { stringStart, stringEnd } = this;
    if (!this.huffman) {
      this.decodedEnd = stringEnd;
      return true;
    }
    // The shortest code has 5 bits.
    const most = Math.ceil(((stringEnd - stringStart) * 8) / 5);
    if (most > scratch.length) scratch = Buffer.allocUnsafeSlow(most * 2);
    this.decodedEnd = huffmanDecode(this.bytes, stringStart, stringEnd, scratch, 0);
    return this.decodedEnd >= 0;
  }

  private stringValue(): string | undefined {
    if (!this.decodeString()) return undefined;
    if (this.huffman) return latin1Slice.call(scratch, 0, this.decodedEnd);
    return latin1Slice.call(this.bytes, this.stringStart, this.stringEnd);
  }

  /** An integer whose prefix has the bits of `mask` (RFC 7541 5.1). -1 when it is cut off or absurd. */
  private readInteger(mask: number): number {
    const { bytes, end } = this;
    let value = bytes[this.position++] & mask;
    if (value < mask) return value;
    for (let shift = 0; shift <= 21; shift += 7) {
      if (this.position >= end) return -1;
      const byte = bytes[this.position++];
      value += (byte & 0x7f) << shift;
      if ((byte & 0x80) === 0) return value <= LARGEST_INTEGER ? value : -1;
    }
    return -1;
  }
}
