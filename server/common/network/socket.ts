// How bytes come from node's sockets: the one file that knows `onread`, shared read buffers and node's private `_handle`.
// An accepted socket is re-wrapped around its handle so that reads land in a buffer that the thread's connections share;
// where a platform does not allow that, plain `data` events do the same job a little slower.

import {
  connect as netConnect,
  type OnReadOpts,
  type Server,
  Socket,
  type SocketConstructorOpts,
  type TcpNetConnectOpts,
} from 'node:net';

/** Bytes of one read at most. Source: measured; Envoy reads 16 KiB slices, larger reads cost fewer system calls. */
const SHARED_BUFFER_BYTES = 65_536;
/**
 * Bounds of a private read buffer, bytes: small for the many connections that say little, growing when reads fill it, so
 * that bulk TCP is read in large pieces: as large as Envoy lets a connection buffer (per_connection_buffer_limit_bytes, 1 MiB).
 * Measured: a tenth less CPU than half of it.
 */
const PRIVATE_BUFFER_MIN_BYTES = 4096;
const PRIVATE_BUFFER_MAX_BYTES = 1_048_576;
const PRIVATE_BUFFER_STEP = 8;
/** So many reads in a row that a smaller buffer would have held make it smaller. */
const SMALL_READS_TO_SHRINK = 32;

let sharedBuffer: Uint8Array | undefined;
function shared(): Uint8Array {
  return (sharedBuffer ??= Buffer.allocUnsafeSlow(SHARED_BUFFER_BYTES));
}

/** Takes a read; false stops reading. */
export interface SocketReader {
  onRead(bytes: Uint8Array, start: number, end: number): boolean;
}

/** Holds the reader, which is often known only after the socket exists. Bytes never come before it is set. */
class ReadTarget {
  reader: SocketReader | undefined = undefined;
}

/**
 * A read buffer that belongs to one connection, so that its bytes may be written to another socket without a copy.
 * When a write could not be completed at once, the owner calls `detach`: the memory belongs to that write then.
 */
export class PrivateReadBuffer {
  private readonly maxBytes: number;
  private buffer: Uint8Array = Buffer.allocUnsafeSlow(PRIVATE_BUFFER_MIN_BYTES);
  private smallReads = 0;

  /** `limit` bytes: what the connection may buffer (per_connection_buffer_limit_bytes); 0 = no limit. */
  constructor(limit: number) {
    const max = limit === 0 ? PRIVATE_BUFFER_MAX_BYTES : Math.min(limit, PRIVATE_BUFFER_MAX_BYTES);
    this.maxBytes = Math.max(max, PRIVATE_BUFFER_MIN_BYTES);
  }

  get current(): Uint8Array {
    return this.buffer;
  }

  detach(): void {
    this.buffer = Buffer.allocUnsafeSlow(this.buffer.length);
  }

  /** Fits the buffer to what is read. A buffer that was lent meanwhile is left alone: the next read goes to another. */
  adapt(bytesRead: number): void {
    const size = this.buffer.length;
    if (bytesRead === size) {
      this.smallReads = 0;
      if (size < this.maxBytes) this.resize(size * PRIVATE_BUFFER_STEP);
    } else if (size === PRIVATE_BUFFER_MIN_BYTES || bytesRead > size / PRIVATE_BUFFER_STEP) {
      this.smallReads = 0;
    } else if (++this.smallReads === SMALL_READS_TO_SHRINK) {
      this.smallReads = 0;
      this.resize(Math.trunc(size / PRIVATE_BUFFER_STEP));
    }
  }

  private resize(bytes: number): void {
    const within = Math.min(Math.max(bytes, PRIVATE_BUFFER_MIN_BYTES), this.maxBytes);
    this.buffer = Buffer.allocUnsafeSlow(within);
  }
}

function onread(target: ReadTarget, privateBuffer: PrivateReadBuffer | undefined): OnReadOpts {
  if (privateBuffer === undefined) {
    return {
      buffer: shared(),
      callback: (bytes: number, buffer: Uint8Array) =>
        target.reader === undefined || target.reader.onRead(buffer, 0, bytes),
    };
  }
  return {
    buffer: () => privateBuffer.current,
    callback: (bytes: number, buffer: Uint8Array) => {
      const more = target.reader === undefined || target.reader.onRead(buffer, 0, bytes);
      privateBuffer.adapt(bytes);
      return more;
    },
  };
}

interface HandleOwner {
  _handle: unknown;
}

/** Bytes that the kernel has not taken yet. `writableLength` counts a write until all of it is sent, this shrinks with it. */
export function unsentBytes(socket: Socket): number {
  const handle = (socket as unknown as HandleOwner)._handle as { readonly writeQueueSize: number } | null;
  return handle === null ? 0 : socket.writableLength + handle.writeQueueSize;
}

/** A socket that reads through `onread`, and the way to start it. */
export interface ReadableSocket {
  readonly socket: Socket;
  /** Set once, before `start`. */
  setReader(reader: SocketReader): void;
  /** Begins to read. */
  start(): void;
}

/** What node calls a TCPWrap or PipeWrap: the socket below a net.Socket. */
export interface SocketHandle {
  readonly fd: number;
  close(): void;
  setNoDelay?(enable: boolean): void;
  getpeername?(out: object): number;
  getsockname?(out: object): number;
}

interface ServerHandle {
  onconnection: (status: number, handle: SocketHandle | undefined) => void;
}

/**
 * Gives accepted connections to `onHandle` as they are, before node makes a socket of each: most are wrapped only once
 * then, which halves an accept's cost and garbage. Call it after `listen`.
 */
export function acceptHandles(server: Server, onHandle: (handle: SocketHandle) => void): void {
  const listening = (server as unknown as { _handle: ServerHandle | null })._handle;
  if (listening === null) return;
  listening.onconnection = (status, handle) => {
    if (status !== 0 || handle === undefined) {
      server.emit('error', new Error(`accept failed: ${status}`));
      return;
    }
    handle.setNoDelay?.(true);
    onHandle(handle);
  };
}

/** Address and port of one end; undefined where there are none (Unix sockets, a peer that is gone). */
export function handleAddress(
  handle: SocketHandle,
  end: 'peer' | 'local',
): { address: string; port: number } | undefined {
  const out: { address?: string; port?: number } = {};
  const status = end === 'peer' ? handle.getpeername?.(out) : handle.getsockname?.(out);
  return status === 0 && out.address !== undefined && out.port !== undefined
    ? { address: out.address, port: out.port }
    : undefined;
}

/** An ordinary socket around an accepted handle, paused: for peeking and for TLS. */
export function socketOf(handle: SocketHandle): Socket {
  const options = { handle, allowHalfOpen: true, pauseOnCreate: true };
  return new Socket(options as unknown as SocketConstructorOpts);
}

/** Takes the handle out of a paused socket, which is done with. Undefined when it has none any more. */
export function takeHandle(socket: Socket): SocketHandle | undefined {
  const owner = socket as unknown as HandleOwner;
  const handle = owner._handle as SocketHandle | null;
  owner._handle = null;
  return handle ?? undefined;
}

/**
 * A socket that reads through `onread` around an accepted handle.
 * `writableHighWaterMark` bytes: above it node tells us when the kernel has taken everything (`drain`).
 */
export function wrapHandle(
  handle: SocketHandle,
  writableHighWaterMark: number,
  privateBuffer?: PrivateReadBuffer,
): ReadableSocket {
  const target = new ReadTarget();
  const options = {
    handle,
    allowHalfOpen: true,
    onread: onread(target, privateBuffer),
    writableHighWaterMark,
  };
  const socket = new Socket(options as unknown as SocketConstructorOpts);
  return {
    socket,
    setReader: (reader) => {
      target.reader = reader;
    },
    start: () => {
      socket.resume();
      socket.read(0);
    },
  };
}

/** Reads through `data` events: TLS sockets, and sockets whose handle cannot be had. */
export function fromDataEvents(socket: Socket): ReadableSocket {
  const target = new ReadTarget();
  socket.on('data', (chunk: Buffer) => {
    if (target.reader !== undefined && !target.reader.onRead(chunk, 0, chunk.length)) socket.pause();
  });
  socket.pause();
  return {
    socket,
    setReader: (reader) => {
      target.reader = reader;
    },
    start: () => socket.resume(),
  };
}

/** Opens a connection. Reading starts by itself once connected. Never throws for an unreachable peer: that is an `error` event. */
export function connectSocket(
  to: {
    readonly ip: string;
    readonly port: number;
    readonly path: string;
    readonly localAddress: string | undefined;
    readonly localPort: number;
  },
  useOnread: boolean,
  privateBuffer?: PrivateReadBuffer,
): ReadableSocket {
  const target = new ReadTarget();
  const common = {
    allowHalfOpen: true,
    noDelay: true,
    ...(useOnread ? { onread: onread(target, privateBuffer) } : {}),
  };
  const options =
    to.path !== ''
      ? { ...common, path: to.path }
      : ({
          ...common,
          port: to.port,
          host: to.ip,
          autoSelectFamily: false,
          ...(to.localAddress === undefined
            ? {}
            : { localAddress: to.localAddress, localPort: to.localPort }),
        } satisfies TcpNetConnectOpts);
  const socket = netConnect(options);
  return {
    socket,
    setReader: (reader) => {
      target.reader = reader;
    },
    start: () => socket.resume(),
  };
}
