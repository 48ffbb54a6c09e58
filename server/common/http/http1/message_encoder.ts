// What both encoders share: header lines as one string, and bodies as they are or in chunks. Text goes out as latin1, and so
// do small bodies, since head and body then leave in one write.
// Envoy: StreamEncoderImpl in source/common/http/http1/codec_impl.cc.

import type { ByteSink } from '../../../api/http/codec.ts';
import type { HeaderKeyFormatter, HeaderMap } from '../../../api/http/header_map.ts';
import { copyBytes } from '../../buffer/copy_bytes.ts';
import { latin1 } from './connection.ts';
import type { Http1Settings } from './settings.ts';

/** Up to here a body travels as text. Measured over loopback: cheaper than bytes of their own up to 16 KiB, above it no better. */
const MAX_TEXT_BYTES = 16 * 1024;

/**
 * `\r\nname: ` by name: a line is two strings then and not five, which V8 would all have to allocate, walk through when the head
 * is written, and collect. Names repeat; bounded because peers may send names without end.
 */
const lineStarts = new Map<string, string>();
const MAX_LINE_STARTS = 1024;

function lineStart(name: string): string {
  return lineStarts.get(name) ?? newLineStart(name);
}

function newLineStart(name: string): string {
  // By way of bytes, since what `+` makes is a tree of strings until somebody needs it flat.
  const start = Buffer.from(`\r\n${name}: `, 'latin1').toString('latin1');
  if (lineStarts.size < MAX_LINE_STARTS) lineStarts.set(name, start);
  return start;
}

/** What an encoder asks of its connection. */
export interface EncoderOwner {
  onLocalReset(): void;
  readDisable(disable: boolean): void;
}

export abstract class MessageEncoder {
  protected readonly sink: ByteSink;
  protected readonly settings: Http1Settings;
  protected chunked = false;
  private readonly owner: EncoderOwner;

  constructor(sink: ByteSink, owner: EncoderOwner, settings: Http1Settings) {
    this.sink = sink;
    this.owner = owner;
    this.settings = settings;
  }

  /** The message was handed to the sink in full. */
  protected abstract onComplete(): void;

  encodeData(bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    const length = end - start;
    if (length > 0 && length <= MAX_TEXT_BYTES) {
      const text = latin1(bytes, start, end);
      this.sink.writeLatin1(this.chunked ? this.asChunk(text, endStream) : text);
    } else if (length > 0) {
      if (this.chunked) this.sink.writeLatin1(length.toString(16) + '\r\n');
      this.sink.writeBytes(copyBytes(bytes, start, end));
      if (this.chunked) this.sink.writeLatin1(endStream ? '\r\n0\r\n\r\n' : '\r\n');
    } else if (endStream && this.chunked) {
      this.sink.writeLatin1('0\r\n\r\n');
    }
    if (endStream) this.onComplete();
  }

  private asChunk(text: string, endStream: boolean): string {
    return text.length.toString(16) + '\r\n' + text + (endStream ? '\r\n0\r\n\r\n' : '\r\n');
  }

  /** Trailers need chunks, and `enable_trailers`; otherwise they are dropped. */
  encodeTrailers(trailers: HeaderMap): void {
    if (this.chunked) {
      const lines = this.settings.enableTrailers ? this.headerLines(trailers) : '';
      this.sink.writeLatin1('0' + lines + '\r\n\r\n');
    }
    this.onComplete();
  }

  resetStream(): void {
    this.owner.onLocalReset();
  }

  readDisable(disable: boolean): void {
    this.owner.readDisable(disable);
  }

  protected formatterOf(headers: HeaderMap): HeaderKeyFormatter | undefined {
    return headers.formatter ?? this.settings.headerKeyFormatter;
  }

  /** All regular headers as lines, each with its line break before it. Transfer-Encoding is left out: how this message is framed is the encoder's own business. */
  protected headerLines(headers: HeaderMap): string {
    const formatter = this.formatterOf(headers);
    const list = headers.list;
    let lines = '';
    for (let i = 0; i < list.length; i += 2) {
      const name = list[i];
      if (name === 'transfer-encoding') continue;
      lines += lineStart(formatter === undefined ? name : formatter.format(name)) + list[i + 1];
    }
    return lines;
  }

  /** A line of the encoder's own, with its line break before it. */
  protected line(headers: HeaderMap, name: string, value: string): string {
    const formatter = this.formatterOf(headers);
    return lineStart(formatter === undefined ? name : formatter.format(name)) + value;
  }
}
