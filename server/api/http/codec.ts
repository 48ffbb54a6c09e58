// A codec turns bytes into HTTP messages and messages into bytes; it knows no socket (sans-I/O). HTTP/1 and HTTP/2 hide
// behind these interfaces, so the connection manager and the connection pools know neither. Envoy: envoy/http/codec.h.

import type { RequestHeaderMap, ResponseHeaderMap, TrailerMap } from './header_map.ts';

/** Where a codec's bytes go: the connection. Writes are gathered and leave in one write per event-loop turn. */
export interface ByteSink {
  /** Text whose characters are bytes (latin1). The cheapest way for message heads and small bodies. */
  writeLatin1(text: string): void;
  /** Bytes. They are the sink's from now on: a caller whose buffer will be reused passes a copy (`copyBytes` in common/buffer). */
  writeBytes(bytes: Uint8Array): void;
  /**
   * Room for `length` bytes at the end of the output. The caller writes them at `region.buffer[region.end]` and advances
   * `region.end`, all before it calls the sink again. For codecs whose output is many small binary pieces.
   */
  reserve(length: number): WritableRegion;
  /** Bytes written so far, those that leave at the end of this turn included. */
  readonly wireBytesSent: number;
  /** Bytes of these that the kernel has not taken yet. */
  readonly unsentBytes: number;
}

/** The end of a sink's output. */
export interface WritableRegion {
  readonly buffer: Buffer;
  end: number;
}

/** Why a stream ended early. Envoy: StreamResetReason. */
export type StreamResetReason =
  | 'LocalReset'
  | 'LocalRefusedStreamReset'
  | 'RemoteReset'
  | 'RemoteRefusedStreamReset'
  | 'LocalConnectionFailure'
  | 'RemoteConnectionFailure'
  | 'ConnectionTimeout'
  | 'ConnectionTermination'
  | 'Overflow'
  | 'ConnectError'
  | 'ProtocolError'
  | 'OverloadManager';

/** Body bytes: `bytes[start, end)` is valid during the call only; keep what you need with `copyBytes`. */
export interface DataReceiver {
  onData(bytes: Uint8Array, start: number, end: number, endStream: boolean): void;
}

/** Receives one request from a server codec. */
export interface RequestDecoder extends DataReceiver {
  onRequestHeaders(headers: RequestHeaderMap, endStream: boolean): void;
  onRequestTrailers(trailers: TrailerMap): void;
  /** The stream is over before its end: the peer reset it or the connection went away. */
  onResetStream(reason: StreamResetReason, details: string): void;
}

/** Receives one response from a client codec. 1xx heads come through `onInformationalHeaders` (101 comes as a final head). */
export interface ResponseDecoder extends DataReceiver {
  onInformationalHeaders(headers: ResponseHeaderMap): void;
  onResponseHeaders(headers: ResponseHeaderMap, endStream: boolean): void;
  onResponseTrailers(trailers: TrailerMap): void;
  onResetStream(reason: StreamResetReason, details: string): void;
}

/**
 * What happens to a stream of HTTP/2 besides its message. HTTP/1 has one stream at a time, whose owner hears of the
 * connection's watermarks instead. Envoy: StreamCallbacks.
 */
export interface StreamCallbacks {
  /** The peer's flow-control window is closed and what waits for it grew too long: pause whoever fills it. */
  onAboveWriteBufferHighWatermark(): void;
  onBelowWriteBufferLowWatermark(): void;
  /** A server's stream has written its last byte; more often than not within the call that ends the response. */
  onCodecEncodeComplete?(): void;
}

/** Bytes of one stream on the wire. Envoy: BytesMeter. */
export interface BytesMeter {
  /** Of all its frames, with their heads. */
  readonly wireBytesReceived: number;
  readonly wireBytesSent: number;
  /** Of HEADERS and CONTINUATION frames (compressed) alone. */
  readonly headerBytesReceived: number;
  readonly headerBytesSent: number;
}

/** What is common to both encoders of a stream. Envoy: Stream. */
export interface Stream {
  /** Ends the stream at once, without an event to its decoder. On HTTP/1 that closes the connection. */
  resetStream(reason: StreamResetReason): void;
  /** Stops (true) or resumes (false) reading this stream's incoming body: backpressure. Calls nest: each true needs a false. */
  readDisable(disable: boolean): void;
  /** HTTP/2: where the stream's watermarks go. Watermarks of the connection are its owner's to tell. */
  setStreamCallbacks?(callbacks: StreamCallbacks): void;
  /** HTTP/2: valid also after the stream's end. Undefined on HTTP/1, where the connection's bytes are the stream's. */
  readonly bytesMeter?: BytesMeter | undefined;
}

/** Sends one response. */
export interface ResponseEncoder extends Stream {
  /** Who hears of the request's end from now on, once the request has come in full. Its reset is all that may still happen. */
  setRequestDecoder(decoder: RequestDecoder): void;
  encodeInformationalHeaders(headers: ResponseHeaderMap): void;
  encodeHeaders(headers: ResponseHeaderMap, endStream: boolean): void;
  /** `bytes[start, end)` may be reused after the call. */
  encodeData(bytes: Uint8Array, start: number, end: number, endStream: boolean): void;
  encodeTrailers(trailers: TrailerMap): void;
  /** HTTP/2: ms that the end of the message may wait for the peer's windows; 0 = for ever. In place of the connection's. */
  setFlushTimeout?(ms: number): void;
}

/** Sends one request. */
export interface RequestEncoder extends Stream {
  encodeHeaders(headers: RequestHeaderMap, endStream: boolean): void;
  encodeData(bytes: Uint8Array, start: number, end: number, endStream: boolean): void;
  encodeTrailers(trailers: TrailerMap): void;
}

/** What a bad peer did. `responseCodeDetails` is Envoy's (`http1.codec_error`, ...); `status` is for the local reply, 0 for none. */
export interface CodecError {
  readonly status: number;
  readonly responseCodeDetails: string;
  readonly message: string;
  /** The peer flooded us within the rules: no protocol error in the statistics. Envoy: BufferFloodError. */
  readonly flood?: boolean;
}

/** What a server codec asks of its connection manager. */
export interface ServerConnectionCallbacks {
  /** A request begins; its events go to the returned decoder. */
  newStream(encoder: ResponseEncoder): RequestDecoder;
  /** The peer broke the protocol: nothing more is read. The receiver may still send `error.status` on the newest stream. */
  onCodecError(error: CodecError): void;
  /** The peer announced that it is going away (HTTP/2 GOAWAY). */
  onGoAway(): void;
  /** HTTP/2: a stream is over on the wire, too; its last bytes may have waited for the peer's windows. */
  onStreamClosed?(): void;
  /** HTTP/1: stop (true) or resume (false) reading the socket. Calls nest, as `Connection.readDisable`. */
  readDisable?(disable: boolean): void;
  /** HTTP/1: a stream was reset, so this connection has nothing more to say. HTTP/2: keepalive pings were not answered. */
  closeConnection?(): void;
}

/** The downstream side of a connection. */
export interface ServerConnection {
  /** Of the newest request on HTTP/1. */
  readonly protocol: 'HTTP/1.0' | 'HTTP/1.1' | 'HTTP/2';
  /** HTTP/2: streams that are not over on the wire. */
  readonly activeStreams?: number;
  /** Takes bytes from the socket. `bytes` may be reused after the call. Never throws on bad input. */
  dispatch(bytes: Uint8Array, start: number, end: number): void;
  /** The peer sent FIN. */
  onHalfClose(): void;
  /**
   * Asks the peer to go away: GOAWAY with the last stream on HTTP/2, whose later streams are refused; on HTTP/1 the next
   * response carries `connection: close`.
   */
  goAway(): void;
  /** HTTP/2: GOAWAY with 2^31 - 1, which announces `goAway` and refuses nothing yet. */
  shutdownNotice(): void;
  /** The socket's send buffer rose over its high watermark, or fell below its low one. */
  onUnderlyingConnectionAboveWriteBufferHighWatermark(): void;
  onUnderlyingConnectionBelowWriteBufferLowWatermark(): void;
  /** HTTP/2: the connection is closed. Ends timers and gives back gauges; its streams are the owner's to end. */
  onConnectionClosed?(): void;
}

/** What a client codec asks of its pool. */
export interface ClientConnectionCallbacks {
  onCodecError(error: CodecError): void;
  onGoAway(): void;
  /** HTTP/2: the peer's concurrent-stream limit changed. */
  onMaxStreamsChanged(streams: number): void;
  /** HTTP/2: a stream is over in both directions, which makes room for another. Not told when the connection ends. */
  onStreamClosed?(): void;
  /** HTTP/1: stop (true) or resume (false) reading the socket. Calls nest, as `Connection.readDisable`. */
  readDisable?(disable: boolean): void;
  /** HTTP/1: a stream was reset, so this connection cannot be used again. HTTP/2: keepalive pings were not answered. */
  closeConnection?(): void;
}

/** The upstream side of a connection. */
export interface ClientConnection {
  readonly protocol: 'HTTP/1.0' | 'HTTP/1.1' | 'HTTP/2';
  newStream(decoder: ResponseDecoder): RequestEncoder;
  dispatch(bytes: Uint8Array, start: number, end: number): void;
  onHalfClose(): void;
  goAway(): void;
}
