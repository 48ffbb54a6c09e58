// A client of HTTP/2 that sends frames as it is told, whatever the server says, and keeps those that come.

import net from 'node:net';

export const DATA = 0;
export const HEADERS = 1;
const RST_STREAM = 3;
const SETTINGS = 4;
export const GOAWAY = 7;

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** Sends requests as bytes, whatever the server says, and keeps the frames that come. */
export class FrameClient {
  readonly frames: Frame[] = [];
  readonly closed: Promise<unknown>;
  readonly #socket: net.Socket;
  #received = Buffer.alloc(0);

  constructor(port: number) {
    this.#socket = net.connect(port, '127.0.0.1');
    this.#socket.on('data', (bytes: Buffer) => this.#onData(bytes));
    this.#socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => this.#socket.on('close', resolve));
    this.#socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    this.#send(SETTINGS, 0, 0, Buffer.alloc(0));
  }

  get(stream: number, path: string): void {
    // Indexed :method and :scheme; :path and :authority as literals that are not remembered (RFC 7541 6.2.2).
    const literal = (index: number, value: string): Buffer =>
      Buffer.concat([Buffer.of(index, value.length), Buffer.from(value)]);
    const head = Buffer.concat([Buffer.of(0x82, 0x86), literal(4, path), literal(1, 'h')]);
    this.#send(HEADERS, 5, stream, head);
  }

  /** Takes a request back, with CANCEL. */
  reset(stream: number): void {
    this.#send(RST_STREAM, 0, stream, Buffer.of(0, 0, 0, 8));
  }

  /** All that is sent meanwhile leaves in one write. */
  together(send: () => void): void {
    this.#socket.cork();
    send();
    this.#socket.uncork();
  }

  close(): void {
    this.#socket.destroy();
  }

  #send(type: number, flags: number, stream: number, payload: Buffer): void {
    const head = Buffer.alloc(9);
    head.writeUIntBE(payload.length, 0, 3);
    head[3] = type;
    head[4] = flags;
    head.writeUInt32BE(stream, 5);
    this.#socket.write(Buffer.concat([head, payload]));
  }

  #onData(bytes: Buffer): void {
    this.#received = Buffer.concat([this.#received, bytes]);
    while (this.#received.length >= 9) {
      const end = 9 + this.#received.readUIntBE(0, 3);
      if (this.#received.length < end) return;
      const head = this.#received;
      const stream = head.readUInt32BE(5) & 0x7fff_ffff;
      this.frames.push({ type: head[3], flags: head[4], stream, payload: head.subarray(9, end) });
      this.#received = head.subarray(end);
    }
  }
}
