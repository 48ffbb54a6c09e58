// Encodes header blocks. What repeats goes into the dynamic table and then takes a byte or two; what does not is sent as it is.
// Source: RFC 7541 sections 5 and 6.

import { type EncodedName, EncoderTable, SEND_ALWAYS, SEND_NEVER } from './encoder_table.ts';
import { huffmanEncode, huffmanLength } from './huffman.ts';

const latin1Write = Buffer.prototype.latin1Write;

/** What a peer's decoder has before its SETTINGS say otherwise. Source: RFC 9113 6.5.2. */
const INITIAL_TABLE_SIZE = 4096;
/** Bytes of a field besides its name and value: a byte for the representation, and lengths of up to 2^28. */
export const FIELD_OVERHEAD = 11;
/** Bytes of the size updates that may begin a block. */
export const BLOCK_OVERHEAD = 12;
/** Below this, writing characters one by one is cheaper than a call into node. Measured. */
const SHORT_STRING = 12;
/** Positions of a block whose names are expected to be those of the block before. */
const PREDICTED = 32;

const NO_BUFFER = Buffer.alloc(0);

export class HpackEncoder {
  /** Where the next byte goes. */
  private position = 0;
  private buffer: Buffer = NO_BUFFER;
  private readonly table: EncoderTable;
  private readonly largestTable: number;
  private readonly huffman: boolean;
  /** The smallest table size since the last block, -1 when it did not change. */
  private smallestUpdate = -1;
  /** The names of the last block by position: messages mostly look alike. */
  private readonly predicted: EncodedName[] = [];
  private fieldNumber = 0;

  /** `largestTable`: bytes of table that are used at most, whatever the peer allows. */
  constructor(largestTable: number, huffman: boolean) {
    this.largestTable = largestTable;
    this.huffman = huffman;
    this.table = new EncoderTable(INITIAL_TABLE_SIZE);
    if (largestTable < INITIAL_TABLE_SIZE) this.setMaxTableSize(INITIAL_TABLE_SIZE);
  }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE. */
  setMaxTableSize(bytes: number): void {
    const size = Math.min(bytes, this.largestTable);
    if (size === this.table.capacity) return;
    this.smallestUpdate = this.smallestUpdate < 0 ? size : Math.min(this.smallestUpdate, size);
    this.table.setCapacity(size);
  }

  /** Begins a block at `buffer[position]`. Each field may take its length + FIELD_OVERHEAD, the block BLOCK_OVERHEAD. */
  begin(buffer: Buffer, position: number): void {
    this.buffer = buffer;
    this.position = position;
    this.fieldNumber = 0;
    if (this.smallestUpdate < 0) return;
    const { capacity } = this.table;
    if (this.smallestUpdate < capacity) this.writeInteger(this.smallestUpdate, 0x1f, 0x20);
    this.writeInteger(capacity, 0x1f, 0x20);
    this.smallestUpdate = -1;
  }

  /** Ends the block and returns where. The encoder does not hold on to the buffer: that may be a page on loan. */
  end(): number {
    this.buffer = NO_BUFFER;
    return this.position;
  }

  /** Adds a field. `name` is lower-case. Fields that have no place on HTTP/2 are left out. */
  field(nameText: string, value: string): void {
    const at = this.fieldNumber++;
    let name: EncodedName;
    if (at < this.predicted.length && this.predicted[at].name === nameText) {
      name = this.predicted[at];
    } else {
      name = this.table.name(nameText);
      if (at < PREDICTED) this.predicted[at] = name;
    }
    if (name.sending !== SEND_ALWAYS && (name.sending === SEND_NEVER || value !== 'trailers')) return;
    if (name.staticValues.length > 0) {
      const index = name.findStatic(value);
      if (index > 0) {
        this.buffer[this.position++] = 0x80 | index;
        return;
      }
    }
    const insertion = name.find(value);
    if (insertion >= 0) {
      const index = this.table.index(insertion);
      if (index < 0x7f) this.buffer[this.position++] = 0x80 | index;
      else this.writeInteger(index, 0x7f, 0x80);
      return;
    }
    this.literal(name, value);
  }

  private literal(name: EncodedName, value: string): void {
    const nameIndex = this.table.nameIndex(name);
    if (name.neverIndexes(value)) this.writeInteger(nameIndex, 0x0f, 0x10);
    else if (this.table.tryInsert(name, value)) this.writeInteger(nameIndex, 0x3f, 0x40);
    else this.writeInteger(nameIndex, 0x0f, 0x00);
    if (nameIndex === 0) this.writeString(name.name);
    this.writeString(value);
  }

  private writeString(text: string): void {
    const { length } = text;
    if (this.huffman) {
      const coded = huffmanLength(text);
      if (coded < length) {
        this.writeInteger(coded, 0x7f, 0x80);
        this.position = huffmanEncode(text, this.buffer, this.position);
        return;
      }
    }
    this.writeInteger(length, 0x7f, 0);
    if (length >= SHORT_STRING) {
      this.position += latin1Write.call(this.buffer, text, this.position);
      return;
    }
    const { buffer } = this;
    let at = this.position;
    for (let i = 0; i < length; i++) buffer[at++] = text.charCodeAt(i);
    this.position = at;
  }

  /** An integer with the prefix bits of `mask`, below the bits of `first` (RFC 7541 5.1). */
  private writeInteger(value: number, mask: number, first: number): void {
    const { buffer } = this;
    if (value < mask) {
      buffer[this.position++] = first | value;
      return;
    }
    buffer[this.position++] = first | mask;
    let rest = value - mask;
    while (rest > 0x7f) {
      buffer[this.position++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    buffer[this.position++] = rest;
  }
}
