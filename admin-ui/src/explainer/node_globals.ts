// Node's global names in a worker of the browser, as far as the server's explanations use them. Imported before all else.

const LATIN1 = 'latin1';
const utf8 = { decoder: new TextDecoder(), encoder: new TextEncoder() };

/** What is used of node's Buffer. */
class BrowserBuffer extends Uint8Array {
  static override from(
    source: ArrayLike<number> | ArrayBufferLike | string | Iterable<number>,
    second?: unknown,
    length?: number,
  ): BrowserBuffer {
    if (typeof source === 'string') return ofText(source, second as string | undefined);
    if (source instanceof ArrayBuffer) return new BrowserBuffer(source, second as number | undefined, length);
    const bytes = Uint8Array.from(source as ArrayLike<number>);
    return new BrowserBuffer(bytes.buffer);
  }

  static alloc(size: number, fill?: string | number): BrowserBuffer {
    const buffer = new BrowserBuffer(size);
    if (typeof fill === 'string') buffer.fill(fill.charCodeAt(0));
    else if (fill !== undefined) buffer.fill(fill);
    return buffer;
  }

  static allocUnsafe(size: number): BrowserBuffer {
    return new BrowserBuffer(size);
  }

  static allocUnsafeSlow(size: number): BrowserBuffer {
    return new BrowserBuffer(size);
  }

  static isBuffer(value: unknown): boolean {
    return value instanceof BrowserBuffer;
  }

  static byteLength(text: string): number {
    return utf8.encoder.encode(text).length;
  }

  static concat(parts: readonly Uint8Array[]): BrowserBuffer {
    const whole = new BrowserBuffer(parts.reduce((size, part) => size + part.length, 0));
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }

  static compare(a: Uint8Array, b: Uint8Array): number {
    for (let i = 0; i < Math.min(a.length, b.length); i++) {
      if (a[i] !== b[i]) return a[i]! < b[i]! ? -1 : 1;
    }
    return Math.sign(a.length - b.length);
  }

  equals(other: Uint8Array): boolean {
    return BrowserBuffer.compare(this, other) === 0;
  }

  copy(target: Uint8Array, targetStart = 0, start = 0, end = this.length): number {
    target.set(this.subarray(start, end), targetStart);
    return end - start;
  }

  write(text: string, offset = 0): number {
    const bytes = utf8.encoder.encode(text);
    this.set(bytes, offset);
    return bytes.length;
  }

  override toString(encoding = 'utf8', start = 0, end = this.length): string {
    const bytes = this.subarray(start, end);
    if (encoding === LATIN1) return latin1Of(bytes);
    if (encoding === 'base64') return btoa(latin1Of(bytes));
    if (encoding === 'hex') return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
    return utf8.decoder.decode(bytes);
  }

  latin1Slice(start?: number, end?: number): string {
    return this.toString(LATIN1, start, end);
  }

  get #view(): DataView {
    return new DataView(this.buffer, this.byteOffset, this.byteLength);
  }

  readUInt8(at = 0): number {
    return this.#view.getUint8(at);
  }

  readUInt16BE(at = 0): number {
    return this.#view.getUint16(at);
  }

  readUInt32BE(at = 0): number {
    return this.#view.getUint32(at);
  }

  readUInt32LE(at = 0): number {
    return this.#view.getUint32(at, true);
  }

  readInt32LE(at = 0): number {
    return this.#view.getInt32(at, true);
  }

  readBigUInt64LE(at = 0): bigint {
    return this.#view.getBigUint64(at, true);
  }

  readBigInt64LE(at = 0): bigint {
    return this.#view.getBigInt64(at, true);
  }

  readFloatLE(at = 0): number {
    return this.#view.getFloat32(at, true);
  }

  readDoubleLE(at = 0): number {
    return this.#view.getFloat64(at, true);
  }

  writeUInt8(value: number, at = 0): number {
    this.#view.setUint8(at, value);
    return at + 1;
  }

  writeUInt16BE(value: number, at = 0): number {
    this.#view.setUint16(at, value);
    return at + 2;
  }

  writeUInt32BE(value: number, at = 0): number {
    this.#view.setUint32(at, value);
    return at + 4;
  }

  writeUInt32LE(value: number, at = 0): number {
    this.#view.setUint32(at, value, true);
    return at + 4;
  }

  writeBigUInt64LE(value: bigint, at = 0): number {
    this.#view.setBigUint64(at, value, true);
    return at + 8;
  }

  writeFloatLE(value: number, at = 0): number {
    this.#view.setFloat32(at, value, true);
    return at + 4;
  }

  writeDoubleLE(value: number, at = 0): number {
    this.#view.setFloat64(at, value, true);
    return at + 8;
  }
}

function ofText(text: string, encoding = 'utf8'): BrowserBuffer {
  if (encoding === LATIN1) return BrowserBuffer.from(Array.from(text, (each) => each.charCodeAt(0) & 255));
  if (encoding === 'base64') return ofText(atob(text.replaceAll('-', '+').replaceAll('_', '/')), LATIN1);
  if (encoding === 'hex')
    return BrowserBuffer.from((text.match(/../g) ?? []).map((each) => Number.parseInt(each, 16)));
  const bytes = utf8.encoder.encode(text);
  return new BrowserBuffer(bytes.buffer, bytes.byteOffset, bytes.length);
}

function latin1Of(bytes: Uint8Array): string {
  const pieces: string[] = [];
  // More arguments at once are too many for some browsers.
  for (let at = 0; at < bytes.length; at += 8192)
    pieces.push(String.fromCharCode(...bytes.subarray(at, at + 8192)));
  return pieces.join('');
}

/** A timer as node's: explanations forget after a while, and keep nothing alive by it. */
const browserTimeout = globalThis.setTimeout;
function nodeTimeout(callback: () => void, ms?: number): object {
  const timer = { id: browserTimeout(callback, ms), unref: () => timer, ref: () => timer };
  return timer;
}

/** Of node:crypto what explanations come to; no TLS connection is ever made here. */
const CRYPTO = {
  constants: {},
  randomFillSync: (bytes: Uint8Array<ArrayBuffer>) => crypto.getRandomValues(bytes),
};

Object.assign(globalThis, {
  Buffer: BrowserBuffer,
  process: {
    env: {},
    versions: {},
    platform: 'browser',
    pid: 0,
    execArgv: [],
    getBuiltinModule: () => CRYPTO,
    hrtime: { bigint: () => BigInt(Math.round(performance.now() * 1e6)) },
    nextTick: (callback: () => void) => queueMicrotask(callback),
  },
  setImmediate: (callback: () => void) => browserTimeout(callback),
  setTimeout: nodeTimeout,
  // Where nothing is shared: browsers give it to isolated pages only.
  SharedArrayBuffer: globalThis.SharedArrayBuffer ?? ArrayBuffer,
});
