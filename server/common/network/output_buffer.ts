// What a connection is about to send in this turn of the event loop. Nearly always it is text only (message heads and
// small bodies), which node writes with one system call and no copy of ours; bytes in between make it a list of parts.

import type { Socket } from 'node:net';

/** Mixed parts up to this many bytes are joined into one write; above it they go as a vector. Measured on 16 KiB bodies. */
const JOIN_LIMIT = 4096;

export class OutputBuffer {
  private text = '';
  private parts: (string | Uint8Array)[] | undefined = undefined;
  /** Bytes gathered. */
  length = 0;

  get empty(): boolean {
    return this.length === 0;
  }

  addText(text: string): void {
    this.text = this.text === '' ? text : this.text + text;
    this.length += text.length;
  }

  addBytes(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (this.parts === undefined) this.parts = [];
    if (this.text !== '') {
      this.parts.push(this.text);
      this.text = '';
    }
    this.parts.push(bytes);
    this.length += bytes.length;
  }

  /** Hands everything to the socket. Returns how many bytes that was. */
  flushTo(socket: Socket): number {
    const length = this.length;
    if (length === 0) return 0;
    this.length = 0;
    const parts = this.parts;
    const text = this.text;
    this.text = '';
    if (parts === undefined) {
      socket.write(text, 'latin1');
      return length;
    }
    this.parts = undefined;
    if (text !== '') parts.push(text);
    if (parts.length === 1) {
      socket.write(parts[0], 'latin1');
    } else if (length <= JOIN_LIMIT) {
      socket.write(join(parts, length));
    } else {
      socket.cork();
      for (const part of parts) socket.write(part, 'latin1');
      socket.uncork();
    }
    return length;
  }

  clear(): void {
    this.text = '';
    this.parts = undefined;
    this.length = 0;
  }
}

function join(parts: readonly (string | Uint8Array)[], length: number): Buffer {
  const buffer = Buffer.allocUnsafe(length);
  let at = 0;
  for (const part of parts) {
    if (typeof part === 'string') at += buffer.write(part, at, 'latin1');
    else {
      buffer.set(part, at);
      at += part.length;
    }
  }
  return buffer;
}
