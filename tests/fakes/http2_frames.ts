// HTTP/2 frames as bytes, for tests that say things no honest peer would say, and frames read back from bytes.

import { connect, type Socket } from 'node:net';
import * as h2 from '../../server/common/http/http2/frame.ts';
import { decodedBlock, HpackDecoder } from '../../server/common/http/http2/hpack/decoder.ts';

export type Fields = readonly (readonly [name: string, value: string])[];

export const GET: Fields = [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':path', '/'],
  [':authority', 'a'],
];
export const POST: Fields = [[':method', 'POST'], ...GET.slice(1)];

const NAMES = [
  'DATA',
  'HEADERS',
  'PRIORITY',
  'RST_STREAM',
  'SETTINGS',
  'PUSH_PROMISE',
  'PING',
  'GOAWAY',
  'WINDOW_UPDATE',
  'CONTINUATION',
];

export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Uint8Array | readonly number[] = [],
): Buffer<ArrayBuffer> {
  const bytes = Buffer.from(payload);
  const head = Buffer.alloc(h2.FRAME_HEADER_BYTES);
  head.writeUIntBE(bytes.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, bytes]);
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Each field as a literal that is not indexed. */
export function block(fields: Fields): Buffer {
  return Buffer.concat(
    fields.map(([name, value]) => Buffer.concat([Buffer.from([0]), text(name), text(value)])),
  );
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  const length: number[] = [];
  if (bytes.length < 127) {
    length.push(bytes.length);
  } else {
    length.push(127);
    let rest = bytes.length - 127;
    for (; rest > 127; rest = Math.floor(rest / 128)) length.push((rest & 127) | 128);
    length.push(rest);
  }
  return Buffer.concat([Buffer.from(length), bytes]);
}

export function headers(stream: number, fields: Fields, flags = h2.FLAG_END_STREAM): Buffer {
  return frame(h2.FRAME_HEADERS, flags | h2.FLAG_END_HEADERS, stream, block(fields));
}
export function data(stream: number, body: Uint8Array | string, flags = 0): Buffer {
  return frame(h2.FRAME_DATA, flags, stream, typeof body === 'string' ? Buffer.from(body) : body);
}
export function settings(parameters: readonly (readonly [number, number])[] = []): Buffer {
  const entries = parameters.map(([identifier, value]) =>
    Buffer.concat([Buffer.from([identifier >> 8, identifier & 255]), uint32(value)]),
  );
  return frame(h2.FRAME_SETTINGS, 0, 0, Buffer.concat(entries));
}
export const SETTINGS_ACK = frame(h2.FRAME_SETTINGS, h2.FLAG_ACK, 0);
export function ping(ack = false): Buffer {
  return frame(h2.FRAME_PING, ack ? h2.FLAG_ACK : 0, 0, Buffer.from('pingpong'));
}
export function windowUpdate(stream: number, increment: number): Buffer {
  return frame(h2.FRAME_WINDOW_UPDATE, 0, stream, uint32(increment));
}
export function rstStream(stream: number, code: number): Buffer {
  return frame(h2.FRAME_RST_STREAM, 0, stream, uint32(code));
}
export function goAway(lastStream: number, code = h2.NO_ERROR): Buffer {
  return frame(h2.FRAME_GOAWAY, 0, 0, Buffer.concat([uint32(lastStream), uint32(code)]));
}
export function priority(stream: number): Buffer {
  return frame(h2.FRAME_PRIORITY, 0, stream, [0, 0, 0, 0, 16]);
}

/** What a client says first. */
export function greeting(parameters: readonly (readonly [number, number])[] = []): Buffer {
  return Buffer.concat([h2.CONNECTION_PREFACE, settings(parameters)]);
}

export interface Frame {
  readonly type: string;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
  /** Of HEADERS with END_HEADERS. */
  readonly fields?: readonly string[] | undefined;
}

/** Takes frames out of a stream of bytes. */
export class FrameParser {
  readonly frames: Frame[] = [];
  private rest: Buffer = Buffer.alloc(0);
  private readonly hpack = new HpackDecoder();
  private skip: number;

  /** `ofClient`: the bytes begin with the preface. */
  constructor(ofClient = false) {
    this.skip = ofClient ? h2.CONNECTION_PREFACE.length : 0;
  }

  add(bytes: Uint8Array): void {
    this.rest = Buffer.concat([this.rest, bytes]);
    if (this.rest.length < this.skip) return;
    this.rest = this.rest.subarray(this.skip);
    this.skip = 0;
    while (this.rest.length >= 9) {
      const end = 9 + this.rest.readUIntBE(0, 3);
      if (this.rest.length < end) return;
      this.push(this.rest.subarray(0, end));
      this.rest = this.rest.subarray(end);
    }
  }

  private push(bytes: Buffer): void {
    const payload = bytes.subarray(9);
    const flags = bytes[4];
    const type = NAMES[bytes[3]] ?? `type ${bytes[3]}`;
    const complete = type === 'HEADERS' && (flags & h2.FLAG_END_HEADERS) !== 0;
    const fields = complete ? this.decode(payload) : undefined;
    this.frames.push({ type, flags, stream: bytes.readUInt32BE(5), payload, fields });
  }

  private decode(payload: Buffer): readonly string[] {
    if (!this.hpack.decode(payload, 0, payload.length, 1e6, 1e4)) throw new Error('bad header block');
    return decodedBlock.fields.slice(0, decodedBlock.count).map(({ name, value }) => `${name}: ${value}`);
  }
}

/** A frame in a few words: `RST_STREAM 1 PROTOCOL_ERROR`, `HEADERS 1 end :status: 200`. */
export function describeFrame({ type, flags, stream, payload, fields }: Frame): string {
  const words = [type];
  if (stream !== 0) words.push(String(stream));
  if ((type === 'PING' || type === 'SETTINGS') && (flags & h2.FLAG_ACK) !== 0) words.push('ack');
  if ((type === 'DATA' || type === 'HEADERS') && (flags & h2.FLAG_END_STREAM) !== 0) words.push('end');
  if (type === 'DATA') words.push(String(payload.length));
  if (type === 'RST_STREAM') words.push(codeName(payload.readUInt32BE(0)));
  if (type === 'GOAWAY') words.push(String(payload.readUInt32BE(0)), codeName(payload.readUInt32BE(4)));
  if (type === 'WINDOW_UPDATE') words.push(String(payload.readUInt32BE(0)));
  if (fields !== undefined) words.push(fields.join(', '));
  return words.join(' ');
}

const CODES = [
  'NO_ERROR',
  'PROTOCOL_ERROR',
  'INTERNAL_ERROR',
  'FLOW_CONTROL_ERROR',
  'SETTINGS_TIMEOUT',
  'STREAM_CLOSED',
  'FRAME_SIZE_ERROR',
  'REFUSED_STREAM',
  'CANCEL',
  'COMPRESSION_ERROR',
  'CONNECT_ERROR',
  'ENHANCE_YOUR_CALM',
  'INADEQUATE_SECURITY',
  'HTTP_1_1_REQUIRED',
];
function codeName(code: number): string {
  return CODES[code] ?? String(code);
}

/** A raw client on a real socket, which reads frames. */
export class RawHttp2Client {
  readonly socket: Socket;
  readonly parser = new FrameParser();
  closed = false;

  constructor(port: number, first: Uint8Array = greeting()) {
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.socket.on('data', (bytes) => this.parser.add(bytes as Buffer));
    this.socket.on('error', () => undefined);
    this.socket.on('close', () => {
      this.closed = true;
    });
    this.socket.write(first);
  }

  send(...frames: readonly Uint8Array[]): this {
    this.socket.write(Buffer.concat(frames));
    return this;
  }

  /** What came so far, described; SETTINGS, their ACKs and WINDOW_UPDATEs of the beginning left out. */
  get answers(): string[] {
    return this.parser.frames
      .filter(({ type }) => type !== 'SETTINGS' && type !== 'WINDOW_UPDATE')
      .map(describeFrame);
  }

  /** Waits until `condition` holds or `ms` are over. */
  async until(condition: (client: this) => boolean, ms = 3000): Promise<boolean> {
    const deadline = performance.now() + ms;
    while (!condition(this)) {
      if (performance.now() > deadline) return false;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return true;
  }

  close(): void {
    this.socket.destroy();
  }
}
