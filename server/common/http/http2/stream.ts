// One stream: its states, its share of flow control in both directions, and what waits to be sent.
// Envoy: StreamImpl in source/common/http/http2/codec_impl.cc; RFC 9113 sections 5 and 6.9.

import type {
  BytesMeter,
  DataReceiver,
  Stream,
  StreamCallbacks,
  StreamResetReason,
} from '../../../api/http/codec.ts';
import type { TrailerMap } from '../../../api/http/header_map.ts';
import { monotonicNow } from '../../event/dispatcher.ts';
import { Timer, type TimerOwner } from '../../event/timer.ts';
import type { Http2Connection } from './connection.ts';
import { FRAME_HEADER_BYTES } from './frame.ts';
import { PendingData } from './pending_data.ts';

export abstract class Http2Stream implements Stream, BytesMeter, TimerOwner {
  /** 0 until a client's stream has sent its headers. */
  id: number;
  /** Bytes that the peer may still send, and that we may. The latter is negative after the peer made its windows smaller. */
  receiveWindow: number;
  sendWindow: number;
  /** END_STREAM has come. */
  remoteEnd = false;
  /** The owner has said all; END_STREAM is sent, or waits behind data. */
  localEnd = false;
  /** END_STREAM is sent. */
  localEndSent = false;
  /** In no direction anything more. */
  closed = false;
  /** Bytes that Content-Length announced, -1 without one. */
  contentLength = -1;
  private received = 0;

  wireBytesReceived = 0;
  wireBytesSent = 0;
  headerBytesReceived = 0;
  headerBytesSent = 0;

  protected readonly connection: Http2Connection;
  protected callbacks: StreamCallbacks | undefined = undefined;
  /** What waits for the peer's windows. */
  private pending: PendingData | undefined = undefined;
  private pendingTrailers: TrailerMap | undefined = undefined;
  private aboveHighWatermark = false;
  private flushTimer: Timer | undefined = undefined;
  /** -1: that of the connection. */
  private flushTimeoutMs = -1;
  private readDisables = 0;
  /** Received while reading was disabled: not given back to the windows yet. */
  private unconsumed = 0;
  /** Given back, but not announced yet. */
  private unannounced = 0;

  constructor(connection: Http2Connection, id: number) {
    this.connection = connection;
    this.id = id;
    this.receiveWindow = connection.settings.initialStreamWindowSize;
    this.sendWindow = connection.peerInitialWindowSize;
  }

  get bytesMeter(): BytesMeter {
    return this;
  }

  /** Takes body bytes; undefined once nobody wants them. */
  protected abstract get receiver(): DataReceiver | undefined;
  /** DATA may come. */
  abstract readonly headersReceived: boolean;
  /** The stream is over before its end. Raises the event of its decoder. */
  abstract raiseReset(reason: StreamResetReason, details: string): void;
  /** END_STREAM was sent and the peer's has not come. */
  protected abstract onLocalEndSent(): void;

  // ---- receiving -----------------------------------------------------------------------------------------------------

  /** False when there is more or less of it than Content-Length said. */
  receiveData(bytes: Uint8Array, start: number, end: number, endStream: boolean): boolean {
    this.received += end - start;
    if (this.contentLength >= 0 && !this.lengthFits(endStream)) return false;
    this.consume(end - start);
    const { receiver } = this;
    if (endStream) this.onRemoteEnd();
    receiver?.onData(bytes, start, end, endStream);
    return true;
  }

  /** False when there is more or less body than Content-Length said. */
  protected lengthFits(endStream: boolean): boolean {
    if (this.contentLength < 0) return true;
    return endStream ? this.received === this.contentLength : this.received <= this.contentLength;
  }

  /** The peer has said all. The stream leaves the connection if we have, too, before its owner hears of it. */
  protected onRemoteEnd(): void {
    this.remoteEnd = true;
    if (this.localEndSent) this.close();
  }

  private consume(bytes: number): void {
    if (this.readDisables > 0) {
      this.unconsumed += bytes;
      return;
    }
    this.giveBack(bytes);
  }

  /** Padding is used up as it comes. */
  giveBack(bytes: number): void {
    this.connection.giveBack(bytes);
    this.unannounced += bytes;
    if (this.remoteEnd || this.unannounced * 2 < this.connection.settings.initialStreamWindowSize) return;
    this.receiveWindow += this.unannounced;
    this.wireBytesSent += FRAME_HEADER_BYTES + 4;
    this.connection.writer.windowUpdate(this.id, this.unannounced);
    this.unannounced = 0;
  }

  readDisable(disable: boolean): void {
    if (disable) {
      this.readDisables++;
      return;
    }
    if (this.readDisables === 0 || --this.readDisables > 0 || this.unconsumed === 0) return;
    const bytes = this.unconsumed;
    this.unconsumed = 0;
    if (!this.closed) this.giveBack(bytes);
  }

  // ---- sending -------------------------------------------------------------------------------------------------------

  encodeData(bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    if (this.closed || this.localEnd || this.id === 0) return;
    let from = start;
    if (this.pending === undefined) {
      from = this.sendData(bytes, start, end, endStream);
      if (from === end) {
        if (endStream) this.finishLocal();
        return;
      }
    }
    if (endStream) this.localEnd = true;
    this.hold(bytes, from, end);
  }

  /** Sends what the windows allow. Returns the offset of what is left. */
  private sendData(bytes: Uint8Array, start: number, end: number, endStream: boolean): number {
    const { connection } = this;
    const { writer } = connection;
    let from = start;
    do {
      const window = Math.min(this.sendWindow, connection.sendWindow.size);
      const length = Math.min(end - from, writer.maxFrameSize, window);
      if (length <= 0 && from < end) break;
      const size = Math.max(0, length);
      writer.data(this.id, bytes, from, from + size, endStream && from + size === end);
      this.sendWindow -= size;
      connection.sendWindow.size -= size;
      this.wireBytesSent += FRAME_HEADER_BYTES + size;
      from += size;
    } while (from < end);
    return from;
  }

  private hold(bytes: Uint8Array, start: number, end: number): void {
    const pending = (this.pending ??= new PendingData());
    pending.add(bytes, start, end);
    this.connection.countPending(end - start);
    if (this.sendWindow > 0) this.connection.sendWindow.wait(this);
    if (!this.aboveHighWatermark && pending.length > this.connection.streamBufferLimit) {
      this.aboveHighWatermark = true;
      this.callbacks?.onAboveWriteBufferHighWatermark();
    }
    if (this.localEnd) this.startFlushTimer();
  }

  encodeTrailers(trailers: TrailerMap): void {
    if (this.closed || this.localEnd || this.id === 0) return;
    this.localEnd = true;
    if (this.pending !== undefined) {
      this.pendingTrailers = trailers;
      this.startFlushTimer();
      return;
    }
    this.sendTrailers(trailers);
  }

  /** Empty trailers are an empty DATA frame, as in Envoy. */
  private sendTrailers(trailers: TrailerMap): void {
    const { list } = trailers;
    const { writer } = this.connection;
    if (list.length === 0) {
      writer.data(this.id, EMPTY, 0, 0, true);
      this.wireBytesSent += FRAME_HEADER_BYTES;
    } else {
      writer.beginHeaders(list, 0, 0);
      this.encodeList(list);
      this.countHeaderBytes(writer.endHeaders(this.id, true));
    }
    this.finishLocal();
  }

  protected encodeList(list: readonly string[]): void {
    const { encoder } = this.connection.writer;
    for (let i = 0; i < list.length; i += 2) encoder.field(list[i], list[i + 1]);
  }

  protected countHeaderBytes(bytes: number): void {
    this.wireBytesSent += bytes;
    this.headerBytesSent += bytes;
  }

  /** END_STREAM is written. */
  protected finishLocal(): void {
    this.localEnd = true;
    this.localEndSent = true;
    this.flushTimer?.disable();
    if (this.remoteEnd) this.close();
    else this.onLocalEndSent();
  }

  /** A window opened. Sends at most one frame, so that streams take turns. True when more could be sent at once. */
  flush(): boolean {
    const { pending } = this;
    if (pending === undefined || this.closed) return false;
    const { connection } = this;
    const limit = Math.min(this.sendWindow, connection.sendWindow.size, connection.writer.maxFrameSize);
    if (limit <= 0) return false;
    const { bytes, start, end } = pending.first(limit);
    const last = pending.length === end - start;
    this.sendData(bytes, start, end, last && this.localEnd && this.pendingTrailers === undefined);
    pending.remove(end - start);
    connection.countPending(start - end);
    if (this.flushTimer?.enabled) this.startFlushTimer();
    if (last) this.pending = undefined;
    if (this.aboveHighWatermark && pending.length * 2 <= connection.streamBufferLimit) {
      this.aboveHighWatermark = false;
      this.callbacks?.onBelowWriteBufferLowWatermark();
    }
    if (this.pending !== undefined) return this.sendWindow > 0;
    if (this.closed) return false;
    if (this.pendingTrailers !== undefined) this.sendTrailers(this.pendingTrailers);
    else if (this.localEnd) this.finishLocal();
    return false;
  }

  setFlushTimeout(ms: number): void {
    this.flushTimeoutMs = ms;
  }

  get hasPendingData(): boolean {
    return this.pending !== undefined;
  }

  setStreamCallbacks(callbacks: StreamCallbacks): void {
    this.callbacks = callbacks;
  }

  // ---- the end -------------------------------------------------------------------------------------------------------

  /** For the owner. What waits to be sent is dropped. */
  resetStream(reason: StreamResetReason): void {
    if (!this.closed) this.connection.resetStream(this, reason);
  }

  /** Takes the stream out of its connection. Nothing is sent. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.flushTimer?.disable();
    if (this.pending !== undefined) {
      this.connection.countPending(-this.pending.length);
      this.pending = undefined;
    }
    this.pendingTrailers = undefined;
    const held = this.unconsumed;
    this.unconsumed = 0;
    this.connection.streamClosed(this, held);
  }

  /** The owner is done, but the peer does not take the rest: it gets only so long. Envoy: onPendingFlushTimer. */
  private startFlushTimer(): void {
    const ms = this.flushTimeoutMs < 0 ? this.connection.flushTimeoutMs : this.flushTimeoutMs;
    if (ms > 0) (this.flushTimer ??= new Timer(this)).enable(ms, monotonicNow());
  }

  onTimeout(): void {
    if (!this.closed) this.connection.onFlushTimeout(this);
  }
}

const EMPTY = new Uint8Array(0);
