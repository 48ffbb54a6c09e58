// The protobuf wire format: a reader and a writer of varints, fixed numbers, strings and length-delimited parts.
// https://protobuf.dev/programming-guides/encoding. Strict: what protobuf's own parsers refuse throws DecodeError.

import { isUtf8 } from 'node:buffer';
import { ConfigError } from '../server/api/config_error.ts';

/** Bytes that are not a message of the wanted type. */
export class DecodeError extends ConfigError {
  constructor(reason: string, path = '') {
    super(path, reason);
    this.name = 'DecodeError';
  }
}

export const VARINT = 0;
export const FIXED64 = 1;
export const BYTES = 2;
const START_GROUP = 3;
const END_GROUP = 4;
export const FIXED32 = 5;

/** How deep messages and groups may nest: protobuf's own default. */
export const MAX_DEPTH = 100;

/** Bytes as a Buffer over the same memory. */
export function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export class Reader {
  readonly buffer: Buffer;
  position = 0;
  /** Where the message being read ends. */
  end: number;
  /** The upper 32 bits of the varint that varint() read last. */
  high = 0;

  constructor(bytes: Uint8Array) {
    this.buffer = bufferOf(bytes);
    this.end = bytes.length;
  }

  /** The lower 32 bits of a varint, unsigned; the rest is in `high`. */
  varint(): number {
    const { buffer, end } = this;
    if (this.position < end && buffer[this.position]! < 0x80) {
      this.high = 0;
      return buffer[this.position++]!;
    }
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.position >= end) throw new DecodeError('truncated message');
      const byte = buffer[this.position++]!;
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else high |= bits << (shift - 32);
      if (byte < 0x80) {
        this.high = high >>> 0;
        return low >>> 0;
      }
    }
    throw new DecodeError('varint is longer than 10 bytes');
  }

  /** A field's tag; 0 at the end of the message. */
  tag(): number {
    if (this.position === this.end) return 0;
    const tag = this.varint();
    if (this.high !== 0 || tag >>> 3 === 0) throw new DecodeError(`invalid tag ${tag}`);
    return tag;
  }

  uint64(): bigint {
    const low = this.varint();
    return this.high === 0 ? BigInt(low) : (BigInt(this.high) << 32n) | BigInt(low);
  }

  /** Moves past `size` bytes and returns where they begin. */
  skipBytes(size: number): number {
    const start = this.position;
    if (size > this.end - start) throw new DecodeError('truncated message');
    this.position = start + size;
    return start;
  }

  /** Reads a length and moves past that many bytes; returns where they begin. `position` is where they end. */
  delimited(): number {
    const size = this.varint();
    if (this.high !== 0) throw new DecodeError('truncated message');
    return this.skipBytes(size);
  }

  string(): string {
    const start = this.delimited();
    const text = this.buffer.toString('utf8', start, this.position);
    if (text.includes('\ufffd') && !isUtf8(this.buffer.subarray(start, this.position))) {
      throw new DecodeError('string field contains invalid UTF-8');
    }
    return text;
  }

  /** A copy: a view would keep the whole response in memory. */
  bytes(): Uint8Array {
    const start = this.delimited();
    return Uint8Array.prototype.slice.call(this.buffer, start, this.position);
  }

  /** Skips the value of an unknown field. */
  skip(tag: number, depth = 0): void {
    switch (tag & 7) {
      case VARINT:
        this.varint();
        return;
      case FIXED64:
        this.skipBytes(8);
        return;
      case BYTES:
        this.delimited();
        return;
      case START_GROUP:
        this.#skipGroup(tag >>> 3, depth + 1);
        return;
      case FIXED32:
        this.skipBytes(4);
        return;
      default:
        throw new DecodeError(`invalid wire type ${tag & 7}`);
    }
  }

  #skipGroup(number: number, depth: number): void {
    if (depth > MAX_DEPTH) throw new DecodeError(`nested deeper than ${MAX_DEPTH} levels`);
    for (let tag = this.tag(); tag !== 0; tag = this.tag()) {
      if ((tag & 7) !== END_GROUP) this.skip(tag, depth);
      else if (tag >>> 3 === number) return;
      else break;
    }
    throw new DecodeError('unterminated group');
  }
}

export class Writer {
  #buffer: Buffer = Buffer.allocUnsafe(256);
  #size = 0;

  #reserve(size: number): void {
    if (this.#size + size <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#size + size));
    this.#buffer.copy(grown, 0, 0, this.#size);
    this.#buffer = grown;
  }

  finish(): Uint8Array {
    return Uint8Array.prototype.slice.call(this.#buffer, 0, this.#size);
  }

  tag(number: number, wireType: number): void {
    this.uint32(((number << 3) | wireType) >>> 0);
  }

  uint32(value: number): void {
    this.#reserve(5);
    while (value > 0x7f) {
      this.#buffer[this.#size++] = (value & 0x7f) | 0x80;
      value >>>= 7;
    }
    this.#buffer[this.#size++] = value;
  }

  /** Negative numbers as their 64-bit two's complement. */
  uint64(value: bigint): void {
    this.#reserve(10);
    let rest = BigInt.asUintN(64, value);
    for (; rest > 0x7fn; rest >>= 7n) this.#buffer[this.#size++] = Number(rest & 0x7fn) | 0x80;
    this.#buffer[this.#size++] = Number(rest);
  }

  fixed32(value: number): void {
    this.#reserve(4);
    this.#size = this.#buffer.writeUInt32LE(value, this.#size);
  }

  fixed64(value: bigint): void {
    this.#reserve(8);
    this.#size = this.#buffer.writeBigUInt64LE(BigInt.asUintN(64, value), this.#size);
  }

  float(value: number): void {
    this.#reserve(4);
    this.#size = this.#buffer.writeFloatLE(value, this.#size);
  }

  double(value: number): void {
    this.#reserve(8);
    this.#size = this.#buffer.writeDoubleLE(value, this.#size);
  }

  string(value: string): void {
    const size = Buffer.byteLength(value);
    this.uint32(size);
    this.#reserve(size);
    this.#size += this.#buffer.write(value, this.#size, size, 'utf8');
  }

  bytes(value: Uint8Array): void {
    this.uint32(value.length);
    this.#reserve(value.length);
    this.#buffer.set(value, this.#size);
    this.#size += value.length;
  }

  /** Begins a length-delimited part; give the result to close(). */
  open(): number {
    this.#reserve(1);
    return this.#size++;
  }

  /** Writes the length of what came since open(), moving it where the length needs more than the one byte kept for it. */
  close(start: number): void {
    const end = this.#size;
    const size = end - start - 1;
    let extra = 0;
    for (let rest = size; rest > 0x7f; rest >>>= 7) extra++;
    this.#reserve(extra);
    if (extra > 0) this.#buffer.copyWithin(start + 1 + extra, start + 1, end);
    this.#size = start;
    this.uint32(size);
    this.#size = end + extra;
  }
}
