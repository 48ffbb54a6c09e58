// What both sides of HTTP/2 share: the connection's flow control, SETTINGS, PING, GOAWAY, and the table of streams.
// Envoy: ConnectionImpl in source/common/http/http2/codec_impl.cc.

import type { ByteSink, CodecError, StreamResetReason } from '../../../api/http/codec.ts';
import type { StatBlock } from '../../../api/stats.ts';
import { HTTP2_CODEC_STATS } from '../../stats/families/codec.ts';
import {
  connectionError,
  INBOUND_EMPTY_FRAMES_FLOOD,
  REMOTE_REFUSE,
  REMOTE_RESET,
  remoteResetReason,
  resetCode,
} from './errors.ts';
import { ReceiveWindow, SendWindow } from './flow_control.ts';
import {
  COMPRESSION_ERROR,
  DEFAULT_MAX_FRAME_SIZE,
  DEFAULT_WINDOW_SIZE,
  ENHANCE_YOUR_CALM,
  FLOW_CONTROL_ERROR,
  FRAME_HEADER_BYTES,
  INTERNAL_ERROR,
  LARGEST_MAX_FRAME_SIZE,
  LARGEST_WINDOW_SIZE,
  NO_ERROR,
  PROTOCOL_ERROR,
  REFUSED_STREAM,
  SETTINGS_ENABLE_CONNECT_PROTOCOL,
  SETTINGS_ENABLE_PUSH,
  SETTINGS_HEADER_TABLE_SIZE,
  SETTINGS_INITIAL_WINDOW_SIZE,
  SETTINGS_MAX_CONCURRENT_STREAMS,
  SETTINGS_MAX_FRAME_SIZE,
  STREAM_CLOSED,
} from './frame.ts';
import { FrameReader, uint32 } from './frame_reader.ts';
import { FrameWriter } from './frame_writer.ts';
import { HpackDecoder } from './hpack/decoder.ts';
import { Keepalive, type KeepaliveOwner } from './keepalive.ts';
import {
  HEADER_LIST_SIZE_TOO_LARGE,
  MESSAGING_RULE,
  TOO_MANY_HEADERS,
  UNEXPECTED_UNDERSCORE,
} from './message_reader.ts';
import { type FloodListener, ProtocolConstraints } from './protocol_constraints.ts';
import { ResetStreams } from './reset_streams.ts';
import type { Http2Settings } from './settings.ts';
import type { Http2Stream } from './stream.ts';

const STAT = HTTP2_CODEC_STATS.offset;

/**
 * Bytes that a stream holds back for a peer whose window is closed before its owner is asked to pause. Envoy takes the whole
 * initial_stream_window_size (16 MiB), which a thousand streams of one slow peer make too much; this is enough to have
 * something to send until a paused source goes on.
 */
const MAX_STREAM_BUFFER_BYTES = 256 * 1024;
/** Source: HttpConnectionManager.stream_idle_timeout, 5 min, which Envoy takes for this too. */
const DEFAULT_FLUSH_TIMEOUT_MS = 300_000;

/** What both kinds of owner hear. */
export interface ConnectionOwner {
  onCodecError(error: CodecError): void;
  onGoAway(): void;
  closeConnection?(): void;
}

export abstract class Http2Connection<S extends Http2Stream = Http2Stream>
  extends FrameReader
  implements FloodListener, KeepaliveOwner
{
  readonly protocol = 'HTTP/2';
  readonly settings: Http2Settings;
  readonly stats: StatBlock;
  readonly writer: FrameWriter;
  readonly streamBufferLimit: number;
  /** ms that the rest of a message may wait for the peer's windows, unless its stream says otherwise; 0 = for ever. */
  flushTimeoutMs = DEFAULT_FLUSH_TIMEOUT_MS;
  /** Of new streams, by the peer's SETTINGS. */
  peerInitialWindowSize = DEFAULT_WINDOW_SIZE;
  readonly sendWindow = new SendWindow();
  protected readonly streams = new Map<number, S>();
  protected readonly decoder = new HpackDecoder();
  protected readonly constraints: ProtocolConstraints;
  protected readonly resetStreams = new ResetStreams();
  protected readonly keepalive: Keepalive | undefined;
  private readonly owner: ConnectionOwner;
  private readonly isServer: boolean;
  private readonly receiveWindow: ReceiveWindow;
  private currentStream: S | undefined = undefined;
  private failed = false;

  constructor(
    sink: ByteSink,
    owner: ConnectionOwner,
    settings: Http2Settings,
    stats: StatBlock,
    isServer: boolean,
  ) {
    super(isServer, settings.maxHeadersBytes);
    this.owner = owner;
    this.settings = settings;
    this.stats = stats;
    this.isServer = isServer;
    this.constraints = new ProtocolConstraints(sink, settings, stats, this);
    this.writer = new FrameWriter(sink, this.constraints, settings);
    this.streamBufferLimit = Math.min(settings.initialStreamWindowSize, MAX_STREAM_BUFFER_BYTES);
    this.receiveWindow = new ReceiveWindow(settings.initialConnectionWindowSize);
    this.keepalive = settings.keepalive === undefined ? undefined : new Keepalive(this, settings.keepalive);
    this.sendPreface();
  }

  private sendPreface(): void {
    const { settings, writer } = this;
    if (!this.isServer) writer.preface();
    writer.settings([
      ...(this.isServer ? [] : [[SETTINGS_ENABLE_PUSH, 0] as const]),
      ...settings.customSettings,
      [SETTINGS_HEADER_TABLE_SIZE, settings.hpackTableSize],
      [SETTINGS_ENABLE_CONNECT_PROTOCOL, settings.allowConnect ? 1 : 0],
      [SETTINGS_MAX_CONCURRENT_STREAMS, settings.maxConcurrentStreams],
      [SETTINGS_INITIAL_WINDOW_SIZE, settings.initialStreamWindowSize],
    ]);
    const more = settings.initialConnectionWindowSize - DEFAULT_WINDOW_SIZE;
    if (more > 0) writer.windowUpdate(0, more);
  }

  /** Streams that have begun and are not over. */
  get activeStreams(): number {
    return this.streams.size;
  }

  dispatch(bytes: Uint8Array, start: number, end: number): void {
    if (!this.reading) return;
    this.constraints.release();
    this.keepalive?.onReceived();
    this.read(bytes, start, end);
  }

  /** A peer that ends its direction ends the connection, which its owner hears of. */
  onHalfClose(): void {}

  // ---- streams -------------------------------------------------------------------------------------------------------

  protected abstract isIdle(id: number): boolean;
  /** A stream is over and out of the table. */
  protected abstract onStreamClosed(): void;

  protected addStream(stream: S): void {
    this.streams.set(stream.id, stream);
    this.count(STAT.streams_active, 1);
    this.constraints.onStreamOpened();
  }

  /** For the stream. `held`: bytes that it had not given back to the window. */
  streamClosed(stream: Http2Stream, held: number): void {
    this.sendWindow.forget(stream);
    if (held > 0) this.giveBack(held);
    if (this.streams.delete(stream.id)) this.count(STAT.streams_active, -1);
    this.onStreamClosed();
  }

  /** For the stream: its owner gives up. */
  resetStream(stream: Http2Stream, reason: StreamResetReason): void {
    if (stream.id !== 0) this.sendReset(stream.id, resetCode(reason, this.isServer));
    stream.close();
  }

  /** Resets a stream whose response is sent while the request goes on: nobody reads it (RFC 9113 8.1). */
  endUnreadRequest(stream: Http2Stream): void {
    this.sendReset(stream.id, NO_ERROR);
    stream.close();
  }

  protected sendReset(id: number, code: number): void {
    this.writer.rstStream(id, code);
    this.resetStreams.add(id);
    this.count(STAT.tx_reset, 1);
  }

  protected streamError(stream: S, code: number, reason: StreamResetReason, details: string): void {
    this.sendReset(stream.id, code);
    stream.close();
    stream.raiseReset(reason, details);
  }

  /**
   * A message is not what HTTP allows. Too big a head costs the stream, and counts as the peer's reset, as in Envoy; a broken
   * rule costs the connection, or the stream alone where that is configured.
   */
  protected onFault(stream: S, details: string): void {
    switch (details) {
      case TOO_MANY_HEADERS:
        this.count(STAT.header_overflow, 1);
        break;
      case HEADER_LIST_SIZE_TOO_LARGE:
        this.count(STAT.header_list_size_too_large, 1);
        break;
      case UNEXPECTED_UNDERSCORE:
        break;
      default:
        this.count(STAT.rx_messaging_error, 1);
        if (this.settings.streamErrorOnInvalidHttpMessaging)
          this.streamError(stream, PROTOCOL_ERROR, 'ProtocolError', details);
        else this.failAt(stream, PROTOCOL_ERROR, details, false);
        return;
    }
    this.streamError(stream, INTERNAL_ERROR, 'RemoteReset', details);
  }

  /** A frame for a stream that is not in the table. */
  protected onFrameOfNoStream(id: number): void {
    if (this.isIdle(id)) this.connectionError(PROTOCOL_ERROR, 'frame on an idle stream');
    else if (!this.resetStreams.has(id)) this.connectionError(STREAM_CLOSED, 'frame on a closed stream');
  }

  protected decodeBlock(bytes: Uint8Array, start: number, end: number): boolean {
    const { maxHeadersBytes, maxHeadersCount } = this.settings;
    if (this.decoder.decode(bytes, start, end, maxHeadersBytes, maxHeadersCount)) return true;
    this.connectionError(COMPRESSION_ERROR, 'malformed header block');
    return false;
  }

  // ---- frames --------------------------------------------------------------------------------------------------------

  protected override onPayload(id: number, empty: boolean): boolean {
    if (this.constraints.onPayload(empty)) return true;
    const stream = this.streams.get(id);
    if (stream === undefined) this.flood(INBOUND_EMPTY_FRAMES_FLOOD);
    else this.failAt(stream, ENHANCE_YOUR_CALM, INBOUND_EMPTY_FRAMES_FLOOD, true);
    return false;
  }

  protected override onHeaderBlockTooLong(): void {
    this.count(STAT.header_overflow, 1);
  }

  protected override onDataFrame(id: number, length: number, padding: number): boolean {
    if (!this.receiveWindow.take(length)) {
      this.connectionError(FLOW_CONTROL_ERROR, 'the connection window is overrun');
      return false;
    }
    const stream = this.streams.get(id);
    this.currentStream = stream;
    if (stream === undefined) {
      this.giveBack(length);
      this.onFrameOfNoStream(id);
      return false;
    }
    stream.wireBytesReceived += FRAME_HEADER_BYTES + length;
    stream.receiveWindow -= length;
    if (stream.remoteEnd) {
      this.giveBack(length);
      this.streamError(stream, STREAM_CLOSED, 'ProtocolError', MESSAGING_RULE);
      return false;
    }
    if (stream.receiveWindow < 0) {
      this.giveBack(length);
      this.streamError(stream, FLOW_CONTROL_ERROR, 'ProtocolError', MESSAGING_RULE);
      return false;
    }
    if (!stream.headersReceived) {
      this.giveBack(length);
      this.onFault(stream, MESSAGING_RULE);
      return false;
    }
    if (padding > 0) stream.giveBack(padding);
    return true;
  }

  protected override onData(
    _id: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    endStream: boolean,
  ): void {
    const stream = this.currentStream as S;
    // It may have been reset since the frame began.
    if (stream.closed) {
      this.giveBack(end - start);
    } else if (!stream.receiveData(bytes, start, end, endStream)) {
      this.giveBack(end - start);
      this.streamError(stream, PROTOCOL_ERROR, 'ProtocolError', MESSAGING_RULE);
    }
  }

  /** `bytes` of the connection's window are used up and free again. */
  giveBack(bytes: number): void {
    const increment = this.receiveWindow.giveBack(bytes);
    if (increment > 0 && !this.failed) this.writer.windowUpdate(0, increment);
  }

  protected override onPriority(): void {
    if (!this.constraints.onPriorityFrame()) this.flood('Too many PRIORITY frames');
  }

  protected override onRstStream(id: number, code: number): void {
    const stream = this.streams.get(id);
    if (stream === undefined) {
      if (this.isIdle(id)) this.connectionError(PROTOCOL_ERROR, 'RST_STREAM on an idle stream');
      return;
    }
    stream.wireBytesReceived += FRAME_HEADER_BYTES + 4;
    this.count(STAT.rx_reset, 1);
    stream.close();
    stream.raiseReset(remoteResetReason(code), code === REFUSED_STREAM ? REMOTE_REFUSE : REMOTE_RESET);
  }

  protected override onPing(bytes: Uint8Array, start: number, ack: boolean): void {
    if (ack) this.keepalive?.onPingAck();
    else this.writer.ping(bytes, start, true);
  }

  protected override onWindowUpdate(id: number, increment: number): void {
    if (!this.constraints.onWindowUpdateFrame()) {
      this.flood('Too many WINDOW_UPDATE frames');
      return;
    }
    if (id === 0) {
      if (increment === 0) {
        this.connectionError(PROTOCOL_ERROR, 'WINDOW_UPDATE of nothing');
      } else if (!this.sendWindow.add(increment)) {
        this.connectionError(FLOW_CONTROL_ERROR, 'the connection window is too large');
      } else {
        this.sendWindow.flush();
      }
      return;
    }
    const stream = this.streams.get(id);
    if (stream === undefined) {
      if (this.isIdle(id)) this.connectionError(PROTOCOL_ERROR, 'WINDOW_UPDATE on an idle stream');
      return;
    }
    stream.wireBytesReceived += FRAME_HEADER_BYTES + 4;
    if (increment === 0) {
      this.streamError(stream, PROTOCOL_ERROR, 'ProtocolError', MESSAGING_RULE);
    } else if ((stream.sendWindow += increment) > LARGEST_WINDOW_SIZE) {
      this.streamError(stream, FLOW_CONTROL_ERROR, 'ProtocolError', MESSAGING_RULE);
    } else if (stream.hasPendingData) {
      this.sendWindow.wait(stream);
      this.sendWindow.flush();
    }
  }

  protected override onSettings(bytes: Uint8Array, start: number, end: number): void {
    for (let at = start; at < end && this.reading; at += 6)
      this.applySetting((bytes[at] << 8) | bytes[at + 1], uint32(bytes, at + 2));
    if (this.reading) this.writer.settingsAck();
  }

  private applySetting(identifier: number, value: number): void {
    switch (identifier) {
      case SETTINGS_HEADER_TABLE_SIZE:
        this.writer.encoder.setMaxTableSize(value);
        return;
      case SETTINGS_ENABLE_PUSH:
        if (value > 1 || (value === 1 && !this.isServer))
          this.connectionError(PROTOCOL_ERROR, 'bad SETTINGS_ENABLE_PUSH');
        return;
      case SETTINGS_MAX_CONCURRENT_STREAMS:
        this.onPeerMaxConcurrentStreams(value);
        return;
      case SETTINGS_INITIAL_WINDOW_SIZE:
        this.setPeerInitialWindowSize(value);
        return;
      case SETTINGS_MAX_FRAME_SIZE:
        if (value < DEFAULT_MAX_FRAME_SIZE || value > LARGEST_MAX_FRAME_SIZE)
          this.connectionError(PROTOCOL_ERROR, 'bad SETTINGS_MAX_FRAME_SIZE');
        // Larger frames would only make other streams wait.
        return;
      case SETTINGS_ENABLE_CONNECT_PROTOCOL:
        if (value > 1) this.connectionError(PROTOCOL_ERROR, 'bad SETTINGS_ENABLE_CONNECT_PROTOCOL');
        return;
      default:
      // Unknown settings are to be ignored (RFC 9113 6.5.2).
    }
  }

  protected abstract onPeerMaxConcurrentStreams(streams: number): void;

  private setPeerInitialWindowSize(size: number): void {
    if (size > LARGEST_WINDOW_SIZE) {
      this.connectionError(FLOW_CONTROL_ERROR, 'bad SETTINGS_INITIAL_WINDOW_SIZE');
      return;
    }
    const delta = size - this.peerInitialWindowSize;
    this.peerInitialWindowSize = size;
    for (const stream of this.streams.values()) {
      stream.sendWindow += delta;
      if (stream.sendWindow > LARGEST_WINDOW_SIZE) {
        this.connectionError(FLOW_CONTROL_ERROR, 'a stream window is too large');
        return;
      }
      if (stream.sendWindow > 0 && stream.hasPendingData) this.sendWindow.wait(stream);
    }
    this.sendWindow.flush();
  }

  protected override onSettingsAck(): void {
    this.decoder.setMaxTableSize(this.settings.hpackTableSize);
  }

  // ---- the end -------------------------------------------------------------------------------------------------------

  protected override connectionError(code: number, message: string): void {
    this.fail(code, message, false);
  }

  private flood(message: string): void {
    this.fail(ENHANCE_YOUR_CALM, message, true);
  }

  onOutboundFlood(message: string): void {
    this.reading = false;
    // Whoever was writing finishes first.
    queueMicrotask(() => this.flood(message));
  }

  /** Fails because of one stream, which hears of it first and of why. */
  private failAt(stream: S, code: number, details: string, flood: boolean): void {
    this.reading = false;
    stream.close();
    stream.raiseReset('ProtocolError', details);
    this.fail(code, details, flood);
  }

  private fail(code: number, message: string, flood: boolean): void {
    if (this.failed) return;
    this.failed = true;
    this.reading = false;
    this.keepalive?.stop();
    this.writer.goAway(this.lastPeerStream, code);
    this.owner.onCodecError(connectionError(message, flood));
  }

  /** The last stream of the peer that was or might be processed. */
  protected abstract get lastPeerStream(): number;

  sendPing(): void {
    const now = Buffer.alloc(8);
    now.writeBigUInt64BE(BigInt(Date.now()));
    this.writer.ping(now, 0, false);
  }

  onKeepaliveTimeout(): void {
    this.count(STAT.keepalive_timeout, 1);
    this.reading = false;
    this.owner.closeConnection?.();
  }

  /** For the stream: the peer did not take the end of a message. */
  onFlushTimeout(stream: Http2Stream): void {
    this.count(STAT.tx_flush_timeout, 1);
    this.sendReset(stream.id, resetCode('LocalReset', this.isServer));
    stream.close();
    stream.raiseReset('LocalReset', '');
  }

  /** For the stream: `bytes` more wait for windows. */
  countPending(bytes: number): void {
    this.count(STAT.pending_send_bytes, bytes);
  }

  protected stop(): void {
    this.reading = false;
    this.failed = true;
    this.keepalive?.stop();
  }

  protected count(offset: number, by: number): void {
    this.stats.values[this.stats.base + offset] += by;
  }
}
