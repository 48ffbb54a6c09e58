// A TCP or Unix connection, downstream or upstream: node's socket with gathered writes, watermarks and Envoy's closing
// rules. Plain sockets read through `onread` into one buffer that the thread shares (read_buffer.ts); TLS sockets through
// `data` events. Follows Envoy's source/common/network/connection_impl.cc.

import type { Socket } from 'node:net';
import type { ByteSink, WritableRegion } from '../../api/http/codec.ts';
import type {
  Connection,
  ConnectionCallbacks,
  ConnectionCloseType,
  ConnectionEvent,
} from '../../api/network/filter.ts';
import type { StatBlock } from '../../api/stats.ts';
import type { StreamInfo } from '../../api/stream_info.ts';
import { copyBytes } from '../buffer/copy_bytes.ts';
import { enter, type Flushable, leave, monotonicNow, requestFlush } from '../event/dispatcher.ts';
import { Timer, type TimerOwner } from '../event/timer.ts';
import type { ConnectionInfoRecord } from '../stream_info/stream_info.ts';
import { OutputBuffer } from './output_buffer.ts';
import { type PrivateReadBuffer, unsentBytes } from './socket.ts';
import { transportFailure } from './transport_failure.ts';

/** Takes what a connection reads. `bytes[start, end)` is valid during the call only; `endStream` is the peer's FIN. */
export interface ByteReader {
  onData(bytes: Uint8Array, start: number, end: number, endStream: boolean): void;
}

/** Sees bytes on their way to the socket (network filters with `onWrite`). Returns false when it keeps them. */
export interface ByteWriter {
  onWrite(bytes: Uint8Array, endStream: boolean): boolean;
}

/** Where a connection counts its bytes: the block of its owner and the offsets of the two totals in it. */
export interface ConnectionStats {
  readonly block: StatBlock;
  readonly rxBytesTotal: number;
  readonly txBytesTotal: number;
}

const NO_BYTES = new Uint8Array(0);

/** Where bytes go that a closed connection cannot send. */
let trash: Buffer = Buffer.alloc(0);
function discarded(length: number): WritableRegion {
  if (trash.length < length) trash = Buffer.allocUnsafeSlow(length);
  return { buffer: trash, end: 0 };
}

/** Gathered bytes that leave before the turn ends, so that one turn's many reads cannot pile up: as much as one read brings. */
const FLUSH_BYTES = 65_536;

let nextConnectionId = 1;
/** Ids are unique in the process: each worker begins its own range. */
export function setConnectionIdRange(workerIndex: number): void {
  nextConnectionId = workerIndex * 2 ** 40 + 1;
}
export function newConnectionId(): number {
  return nextConnectionId++;
}

/** A socket knows its connection, so that all sockets share their listeners: thousands of connections are mostly idle. */
const OWNER = Symbol('connection');
interface OwnedSocket extends Socket {
  [OWNER]: SocketConnection;
}

function listen(socket: Socket, connection: SocketConnection): void {
  (socket as OwnedSocket)[OWNER] = connection;
  socket.on('error', onError);
  socket.on('end', onEnd);
  socket.on('close', onClose);
  socket.on('drain', onDrain);
  socket.on('finish', onFinish);
}
function onError(this: Socket, error: NodeJS.ErrnoException): void {
  (this as OwnedSocket)[OWNER].onSocketError(error);
}
function onEnd(this: Socket): void {
  (this as OwnedSocket)[OWNER].onSocketEnd();
}
function onClose(this: Socket): void {
  (this as OwnedSocket)[OWNER].onSocketClose();
}
function onDrain(this: Socket): void {
  (this as OwnedSocket)[OWNER].onSocketDrain();
}
function onFinish(this: Socket): void {
  (this as OwnedSocket)[OWNER].onSocketFinish();
}

export class SocketConnection implements Connection, ByteSink, Flushable, TimerOwner {
  readonly id: number;
  readonly info: ConnectionInfoRecord;
  readonly socket: Socket;
  state: 'open' | 'closing' | 'closed' = 'open';
  /** Set by the owner before bytes can come. */
  reader: ByteReader | undefined = undefined;
  writer: ByteWriter | undefined = undefined;
  stats: ConnectionStats | undefined = undefined;
  /** Where it reads, if that is not the thread's shared buffer: then its bytes may be lent to another socket. */
  privateBuffer: PrivateReadBuffer | undefined = undefined;
  /** Why the transport failed (a connect error, a TLS error), '' while it has not. */
  transportFailureReason = '';
  /**
   * ms that a local close waits for a peer that neither reads nor ends; 0 = as long as it takes (FlushWriteAndDelay closes
   * after the flush then). Source: HttpConnectionManager.delayed_close_timeout; Envoy has none for other connections.
   */
  delayedCloseTimeoutMs = 0;

  /** Bytes of this connection so far, below TLS's plaintext. */
  bytesReceived = 0;
  private bytesSent = 0;
  private readonly output: OutputBuffer = new OutputBuffer();
  /** TLS encrypts what it is given before `write` returns, so that the memory may be used again at once. */
  private readonly copiesWrites: boolean;
  private callbacks: ConnectionCallbacks[] = [];
  private dirty = false;
  private bufferLimit: number;
  private aboveHighWatermark = false;
  private readDisableCount = 0;
  private halfClose = false;
  private endAfterFlush = false;
  private readEnded = false;
  private delayedClose: Timer | undefined = undefined;
  private unsentAtDelayedClose = 0;
  private heldBytes: Uint8Array | undefined = undefined;
  private heldEnd = false;

  /** `bufferLimit` bytes: per_connection_buffer_limit_bytes (1 MiB by default). 0 = none. */
  constructor(socket: Socket, info: ConnectionInfoRecord, bufferLimit: number) {
    this.id = info.id;
    this.socket = socket;
    this.info = info;
    this.bufferLimit = bufferLimit;
    this.copiesWrites = 'encrypted' in socket;
    listen(socket, this);
  }

  /** Made when somebody asks: most connections only carry streams that have their own. */
  get streamInfo(): StreamInfo {
    return this.info.streamInfo;
  }

  /** A read. Called by the socket layer, once per read event. Returns false to stop reading. */
  onRead(bytes: Uint8Array, start: number, end: number): boolean {
    const stats = this.stats;
    this.bytesReceived += end - start;
    if (stats !== undefined) stats.block.values[stats.block.base + stats.rxBytesTotal] += end - start;
    return this.deliver(bytes, start, end);
  }

  private deliver(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.state !== 'open' || this.reader === undefined) return true;
    if (this.readDisableCount > 0) {
      // What the kernel had already given us when reading was switched off; at most one read.
      this.hold(bytes, start, end);
      return false;
    }
    enter();
    try {
      this.reader.onData(bytes, start, end, false);
    } catch (error) {
      this.fail(error);
    } finally {
      leave();
    }
    return this.readDisableCount === 0;
  }

  writeLatin1(text: string): void {
    if (this.state !== 'open') return;
    if (this.writer !== undefined) {
      this.filterRegion();
      if (!this.writer.onWrite(Buffer.from(text, 'latin1'), false)) return;
    }
    this.output.addText(text);
    if (!this.dirty) this.markDirty();
  }

  writeBytes(bytes: Uint8Array): void {
    if (this.state !== 'open') return;
    if (this.writer !== undefined) {
      this.filterRegion();
      if (!this.writer.onWrite(bytes, false)) return;
    }
    this.output.addBytes(bytes);
    if (this.output.length >= FLUSH_BYTES) this.flush();
    else if (!this.dirty) this.markDirty();
  }

  reserve(length: number): WritableRegion {
    if (this.state !== 'open') return discarded(length);
    if (this.output.length >= FLUSH_BYTES) this.flush();
    if (!this.dirty) this.markDirty();
    return this.output.reserve(length);
  }

  /** Write filters see what came through `reserve` once it is complete; they may keep it, and its page is used again. */
  private filterRegion(): void {
    const region = this.output.takeRegion();
    if (region === undefined) return;
    const bytes = copyBytes(region, 0, region.length);
    if (this.writer!.onWrite(bytes, false)) this.output.addBytes(bytes);
  }

  /** Sends past the write filters. */
  injectWriteData(bytes: Uint8Array): void {
    if (this.state !== 'open') return;
    this.output.addBytes(bytes);
    if (!this.dirty) this.markDirty();
  }

  /**
   * Sends bytes at once, after what is gathered. True when their memory may be read into again; false when the socket needs
   * it until the bytes are sent: whoever reads into it stops reading (callbacks hear of the high watermark), or detaches it.
   */
  writeThrough(bytes: Uint8Array): boolean {
    if (this.state !== 'open') return true;
    if (this.writer !== undefined && !this.writer.onWrite(bytes, false)) return false;
    if (!this.output.empty) this.flush();
    const stats = this.stats;
    this.bytesSent += bytes.length;
    if (stats !== undefined) stats.block.values[stats.block.base + stats.txBytesTotal] += bytes.length;
    const { socket } = this;
    const free = this.copiesWrites && socket.writableLength === 0;
    socket.write(bytes);
    if (socket.writableLength === 0) return true;
    if (free) this.checkHighWatermark();
    else if (socket.writableNeedDrain) this.raiseAboveHighWatermark();
    return free;
  }

  endWrite(): void {
    if (this.state !== 'open' || this.endAfterFlush) return;
    this.endAfterFlush = true;
    if (!this.dirty) this.markDirty();
  }

  /** At the end of the event loop's turn. */
  flush(): void {
    this.dirty = false;
    if (this.state === 'closed') return;
    try {
      this.flushOutput();
    } catch (error) {
      this.fail(error);
    }
  }

  private flushOutput(): void {
    if (this.writer !== undefined) this.filterRegion();
    const sent = this.output.flushTo(this.socket, this.copiesWrites && !this.socket.connecting);
    if (sent > 0) {
      this.bytesSent += sent;
      const stats = this.stats;
      if (stats !== undefined) stats.block.values[stats.block.base + stats.txBytesTotal] += sent;
      this.checkHighWatermark();
    }
    if (this.endAfterFlush && !this.socket.writableEnded) this.socket.end();
  }

  readDisable(disable: boolean): void {
    if (disable) {
      if (this.readDisableCount++ === 0) this.socket.pause();
      return;
    }
    if (this.readDisableCount === 0 || --this.readDisableCount > 0) return;
    if (this.heldBytes !== undefined || this.heldEnd) {
      // Deliver what was held only after the caller has unwound: it is in the middle of its own work.
      queueMicrotask(() => this.deliverHeld());
      return;
    }
    if (this.state !== 'closed') this.socket.resume();
  }

  close(type: ConnectionCloseType, details = ''): void {
    if (this.state === 'closed') return;
    if (this.info.localCloseReason === '') this.info.localCloseReason = details;
    if (type === 'AbortReset') {
      this.info.detectedCloseType = 'LocalReset';
      this.markClosed('LocalClose');
      this.socket.resetAndDestroy();
      return;
    }
    if (type === 'NoFlush') {
      this.markClosed('LocalClose');
      this.socket.destroy();
      return;
    }
    if (this.state === 'closing') return;
    this.flush();
    this.state = 'closing';
    if (this.readEnded || type === 'FlushWrite' || this.delayedCloseTimeoutMs === 0) {
      if (this.socket.writableLength === 0) {
        this.markClosed('LocalClose');
        this.socket.end();
        this.socket.destroySoon();
        return;
      }
      this.socket.destroySoon();
    } else {
      // The peer may still be sending: an immediate close would answer that with RST, which can overtake our last bytes.
      if (!this.socket.writableEnded) this.socket.end();
    }
    this.socket.resume();
    if (this.delayedCloseTimeoutMs === 0) return;
    this.delayedClose = new Timer(this);
    this.waitForClose();
  }

  private waitForClose(): void {
    this.unsentAtDelayedClose = unsentBytes(this.socket);
    this.delayedClose!.enable(this.delayedCloseTimeoutMs, monotonicNow());
  }

  onTimeout(): void {
    if (this.state !== 'closing') return;
    // Bytes still on their way to a slow reader are given more time as long as they move.
    if (unsentBytes(this.socket) < this.unsentAtDelayedClose) this.waitForClose();
    else this.close('NoFlush', this.info.localCloseReason);
  }

  get remoteReset(): boolean {
    return this.info.detectedCloseType === 'RemoteReset';
  }

  get writeBufferBytes(): number {
    return this.output.length + this.socket.writableLength;
  }

  /** Bytes that the kernel has not taken yet. */
  get unsentBytes(): number {
    return this.output.length + unsentBytes(this.socket);
  }

  get readDisabled(): boolean {
    return this.readDisableCount > 0;
  }

  /** Bytes sent so far, with those that leave at the end of this turn. */
  get wireBytesSent(): number {
    return this.bytesSent + this.output.length;
  }

  addConnectionCallbacks(callbacks: ConnectionCallbacks): void {
    this.callbacks.push(callbacks);
  }

  removeConnectionCallbacks(callbacks: ConnectionCallbacks): void {
    // Copy on write: this may be called while `raise` walks the list.
    this.callbacks = this.callbacks.filter((one) => one !== callbacks);
  }

  setBufferLimits(bytes: number): void {
    this.bufferLimit = bytes;
  }

  enableHalfClose(enabled: boolean): void {
    this.halfClose = enabled;
  }

  /** Tells callbacks that a connect or a handshake is complete. */
  raiseConnected(): void {
    if (this.state === 'open') this.raise('Connected');
  }

  private markDirty(): void {
    this.dirty = true;
    requestFlush(this);
  }

  private checkHighWatermark(): void {
    const { socket } = this;
    // A socket that does not need to drain would never tell us when it has.
    if (this.bufferLimit !== 0 && socket.writableLength > this.bufferLimit && socket.writableNeedDrain)
      this.raiseAboveHighWatermark();
  }

  private raiseAboveHighWatermark(): void {
    if (this.aboveHighWatermark) return;
    this.aboveHighWatermark = true;
    for (const callbacks of this.callbacks) callbacks.onAboveWriteBufferHighWatermark?.();
  }

  onSocketDrain(): void {
    if (!this.aboveHighWatermark) return;
    this.aboveHighWatermark = false;
    enter();
    try {
      for (const callbacks of this.callbacks) callbacks.onBelowWriteBufferLowWatermark?.();
    } catch (error) {
      this.fail(error);
    } finally {
      leave();
    }
  }

  /** Everything is sent, our FIN too. */
  onSocketFinish(): void {
    this.onSocketDrain();
    if (!this.readEnded || this.state !== 'open' || !this.halfClose || this.heldEnd) return;
    enter();
    try {
      this.markClosed('LocalClose');
    } finally {
      leave();
    }
  }

  private hold(bytes: Uint8Array, start: number, end: number): void {
    const copy = Buffer.from(bytes.subarray(start, end));
    this.heldBytes = this.heldBytes === undefined ? copy : Buffer.concat([this.heldBytes, copy]);
  }

  private deliverHeld(): void {
    if (this.readDisableCount > 0 || this.state !== 'open') return;
    const bytes = this.heldBytes;
    this.heldBytes = undefined;
    if (bytes !== undefined && !this.deliver(bytes, 0, bytes.length)) return;
    if (this.heldEnd) {
      this.heldEnd = false;
      this.onSocketEnd();
    } else if (this.readDisableCount === 0) this.socket.resume();
  }

  onSocketEnd(): void {
    this.readEnded = true;
    if (this.state === 'closing') {
      this.close('NoFlush', this.info.localCloseReason);
      return;
    }
    if (this.state !== 'open') return;
    if (this.readDisableCount > 0) {
      this.heldEnd = true;
      return;
    }
    enter();
    try {
      if (this.halfClose && this.reader !== undefined) {
        this.reader.onData(NO_BYTES, 0, 0, true);
        // Both directions are done; where ours still has bytes or its FIN to send, `finish` comes later.
        if (this.socket.writableEnded && this.socket.writableLength === 0) this.markClosed('RemoteClose');
      } else {
        this.flush();
        this.markClosed('RemoteClose');
        this.socket.destroySoon();
      }
    } catch (error) {
      this.fail(error);
    } finally {
      leave();
    }
  }

  onSocketError(error: NodeJS.ErrnoException): void {
    if (error.code === 'ECONNRESET') this.info.detectedCloseType = 'RemoteReset';
    if (this.transportFailureReason === '') this.transportFailureReason = transportFailure(error);
  }

  onSocketClose(): void {
    enter();
    try {
      this.markClosed(this.state === 'closing' ? 'LocalClose' : 'RemoteClose');
    } finally {
      leave();
    }
  }

  private markClosed(event: ConnectionEvent): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.delayedClose?.disable();
    this.output.clear();
    this.heldBytes = undefined;
    this.raise(event);
  }

  private raise(event: ConnectionEvent): void {
    const callbacks = this.callbacks;
    for (let i = 0; i < callbacks.length; i++) callbacks[i].onEvent(event);
  }

  /** An exception in a filter or codec is a bug of ours: it costs this connection, not the process. */
  fail(error: unknown): void {
    reportConnectionFailure(error);
    this.close('NoFlush', 'internal_error');
  }
}

let report: (error: unknown) => void = (error) => {
  process.stderr.write(`connection failed: ${error instanceof Error ? error.stack : String(error)}\n`);
};
/** Where exceptions of the data path are reported: the worker's log. */
export function onConnectionFailure(reporter: (error: unknown) => void): void {
  report = reporter;
}
/** Tells of an exception that cost a connection. */
export function reportConnectionFailure(error: unknown): void {
  report(error);
}
