// Writes frames straight into the connection's output, so that all frames of one turn leave in one write and none needs
// memory of its own. Counts them for the flood limits. Source: RFC 9113 4 and 6.

import type { ByteSink, WritableRegion } from '../../../api/http/codec.ts';
import {
  CONNECTION_PREFACE,
  DEFAULT_MAX_FRAME_SIZE,
  FLAG_ACK,
  FLAG_END_HEADERS,
  FLAG_END_STREAM,
  FRAME_CONTINUATION,
  FRAME_DATA,
  FRAME_GOAWAY,
  FRAME_HEADER_BYTES,
  FRAME_HEADERS,
  FRAME_PING,
  FRAME_RST_STREAM,
  FRAME_SETTINGS,
  FRAME_WINDOW_UPDATE,
} from './frame.ts';
import { BLOCK_OVERHEAD, FIELD_OVERHEAD, HpackEncoder } from './hpack/encoder.ts';
import type { ProtocolConstraints } from './protocol_constraints.ts';
import type { Http2Settings } from './settings.ts';

export class FrameWriter {
  readonly encoder: HpackEncoder;
  /** The peer's SETTINGS_MAX_FRAME_SIZE. */
  maxFrameSize = DEFAULT_MAX_FRAME_SIZE;
  private readonly sink: ByteSink;
  private readonly constraints: ProtocolConstraints;
  private region!: WritableRegion;

  constructor(sink: ByteSink, constraints: ProtocolConstraints, settings: Http2Settings) {
    this.sink = sink;
    this.constraints = constraints;
    this.encoder = new HpackEncoder(settings.hpackTableSize, settings.huffmanEncoding);
  }

  preface(): void {
    const region = this.sink.reserve(CONNECTION_PREFACE.length);
    region.end += CONNECTION_PREFACE.copy(region.buffer, region.end);
  }

  settings(parameters: readonly (readonly [identifier: number, value: number])[]): void {
    const region = this.begin(parameters.length * 6, FRAME_SETTINGS, 0, 0);
    for (const [identifier, value] of parameters) {
      region.end = region.buffer.writeUInt16BE(identifier, region.end);
      region.end = region.buffer.writeUInt32BE(value, region.end);
    }
    this.constraints.onFrameSent();
  }

  settingsAck(): void {
    this.begin(0, FRAME_SETTINGS, FLAG_ACK, 0);
    this.constraints.onControlFrameSent();
  }

  /** `bytes[start, start + 8)` is the opaque data. */
  ping(bytes: Uint8Array, start: number, ack: boolean): void {
    const region = this.begin(8, FRAME_PING, ack ? FLAG_ACK : 0, 0);
    for (let i = 0; i < 8; i++) region.buffer[region.end++] = bytes[start + i];
    if (ack) this.constraints.onControlFrameSent();
    else this.constraints.onFrameSent();
  }

  rstStream(stream: number, code: number): void {
    const region = this.begin(4, FRAME_RST_STREAM, 0, stream);
    region.end = region.buffer.writeUInt32BE(code, region.end);
    this.constraints.onControlFrameSent();
  }

  goAway(lastStream: number, code: number): void {
    const region = this.begin(8, FRAME_GOAWAY, 0, 0);
    region.end = region.buffer.writeUInt32BE(lastStream, region.end);
    region.end = region.buffer.writeUInt32BE(code, region.end);
    this.constraints.onFrameSent();
  }

  windowUpdate(stream: number, increment: number): void {
    const region = this.begin(4, FRAME_WINDOW_UPDATE, 0, stream);
    region.end = region.buffer.writeUInt32BE(increment, region.end);
    this.constraints.onFrameSent();
  }

  /** `bytes[start, end)` is copied. */
  data(stream: number, bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    const region = this.begin(end - start, FRAME_DATA, endStream ? FLAG_END_STREAM : 0, stream);
    if (end > start) region.end += copy(bytes, region.buffer, region.end, start, end);
    this.constraints.onDataFrameSent();
  }

  /**
   * Begins a header block, whose fields go to `encoder`; `endHeaders` ends it. Nothing else may be written in between.
   * `list` holds its regular fields; `pseudoBytes` and `pseudoFields` bound the others.
   */
  beginHeaders(list: readonly string[], pseudoBytes: number, pseudoFields: number): void {
    let bound = BLOCK_OVERHEAD + pseudoBytes + (pseudoFields + list.length / 2) * FIELD_OVERHEAD;
    for (let i = 0; i < list.length; i++) bound += list[i].length;
    const frames = 1 + Math.floor(bound / this.maxFrameSize);
    this.region = this.sink.reserve(bound + frames * FRAME_HEADER_BYTES);
    this.encoder.begin(this.region.buffer, this.region.end + FRAME_HEADER_BYTES);
  }

  /** Returns the bytes of the frames. */
  endHeaders(stream: number, endStream: boolean): number {
    const { region, maxFrameSize } = this;
    const begin = region.end;
    const end = this.encoder.end();
    const length = end - begin - FRAME_HEADER_BYTES;
    const flags = endStream ? FLAG_END_STREAM : 0;
    if (length <= maxFrameSize) {
      writeHead(region.buffer, begin, length, FRAME_HEADERS, flags | FLAG_END_HEADERS, stream);
      region.end = end;
      this.constraints.onFrameSent();
      return region.end - begin;
    }
    // Make room for the heads of CONTINUATION frames, from the last one on.
    const { buffer } = region;
    const continuations = Math.ceil(length / maxFrameSize) - 1;
    for (let i = continuations; i > 0; i--) {
      const from = begin + FRAME_HEADER_BYTES + i * maxFrameSize;
      const size = Math.min(maxFrameSize, length - i * maxFrameSize);
      const head = from + (i - 1) * FRAME_HEADER_BYTES;
      buffer.copyWithin(head + FRAME_HEADER_BYTES, from, from + size);
      const last = i === continuations ? FLAG_END_HEADERS : 0;
      writeHead(buffer, head, size, FRAME_CONTINUATION, last, stream);
    }
    writeHead(buffer, begin, maxFrameSize, FRAME_HEADERS, flags, stream);
    region.end = end + continuations * FRAME_HEADER_BYTES;
    for (let i = 0; i <= continuations; i++) this.constraints.onFrameSent();
    return region.end - begin;
  }

  private begin(length: number, type: number, flags: number, stream: number): WritableRegion {
    const region = this.sink.reserve(FRAME_HEADER_BYTES + length);
    writeHead(region.buffer, region.end, length, type, flags, stream);
    region.end += FRAME_HEADER_BYTES;
    return region;
  }
}

function writeHead(
  buffer: Buffer,
  position: number,
  length: number,
  type: number,
  flags: number,
  stream: number,
): void {
  let at = position;
  buffer[at++] = length >>> 16;
  buffer[at++] = length >>> 8;
  buffer[at++] = length;
  buffer[at++] = type;
  buffer[at++] = flags;
  buffer[at++] = stream >>> 24;
  buffer[at++] = stream >>> 16;
  buffer[at++] = stream >>> 8;
  buffer[at] = stream;
}

/** Below this a loop is cheaper than a call into node. Measured. */
const SHORT_COPY = 48;
const copyBuffer = Buffer.prototype.copy;

function copy(bytes: Uint8Array, target: Buffer, at: number, start: number, end: number): number {
  if (end - start > SHORT_COPY) return copyBuffer.call(bytes as Buffer, target, at, start, end);
  for (let from = start, to = at; from < end; from++) target[to++] = bytes[from];
  return end - start;
}
