// A codec turns bytes into HTTP messages and messages into bytes; it knows no socket (sans-I/O). HTTP/1 and HTTP/2 hide
// behind these interfaces, so the connection manager and the connection pools know neither. Envoy: envoy/http/codec.h.

import type { RequestHeaderMap, ResponseHeaderMap, TrailerMap } from './header_map.ts';

/** Where a codec's bytes go: the connection. Writes are gathered and leave in one write per event-loop turn. */
export interface ByteSink {
  /** Text whose characters are bytes (latin1). The cheapest way for message heads and small bodies. */
  writeLatin1(text: string): void;
  /** Bytes. They are the sink's from now on: a caller whose buffer will be reused passes a copy (`copyBytes` in common/buffer). */
  writeBytes(bytes: Uint8Array): void;
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

/** Sends one response. */
export interface ResponseEncoder {
  encodeInformationalHeaders(headers: ResponseHeaderMap): void;
  encodeHeaders(headers: ResponseHeaderMap, endStream: boolean): void;
  /** `bytes[start, end)` may be reused after the call. */
  encodeData(bytes: Uint8Array, start: number, end: number, endStream: boolean): void;
  encodeTrailers(trailers: TrailerMap): void;
  /** Ends the stream at once. On HTTP/1 that closes the connection. */
  resetStream(reason: StreamResetReason): void;
  /** Stops (true) or resumes (false) reading this stream's request body: backpressure. Calls nest: each true needs a false. */
  readDisable(disable: boolean): void;
}

/** Sends one request. */
export interface RequestEncoder {
  encodeHeaders(headers: RequestHeaderMap, endStream: boolean): void;
  encodeData(bytes: Uint8Array, start: number, end: number, endStream: boolean): void;
  encodeTrailers(trailers: TrailerMap): void;
  resetStream(reason: StreamResetReason): void;
  readDisable(disable: boolean): void;
}

/** What a bad peer did. `responseCodeDetails` is Envoy's (`http1.codec_error`, …); `status` is for the local reply, 0 for none. */
export interface CodecError {
  readonly status: number;
  readonly responseCodeDetails: string;
  readonly message: string;
}

/** What a server codec asks of its connection manager. */
export interface ServerConnectionCallbacks {
  /** A request begins; its events go to the returned decoder. */
  newStream(encoder: ResponseEncoder): RequestDecoder;
  /** The peer broke the protocol: nothing more is read. The receiver may still send `error.status` on the newest stream. */
  onCodecError(error: CodecError): void;
  /** The peer announced that it is going away (HTTP/2 GOAWAY). */
  onGoAway(): void;
  /** HTTP/1: stop (true) or resume (false) reading the socket. Calls nest, as `Connection.readDisable`. */
  readDisable?(disable: boolean): void;
  /** HTTP/1: a stream was reset, so this connection has nothing more to say. */
  closeConnection?(): void;
}

/** The downstream side of a connection. */
export interface ServerConnection {
  /** Of the newest request on HTTP/1. */
  readonly protocol: 'HTTP/1.0' | 'HTTP/1.1' | 'HTTP/2';
  /** Takes bytes from the socket. `bytes` may be reused after the call. Never throws on bad input. */
  dispatch(bytes: Uint8Array, start: number, end: number): void;
  /** The peer sent FIN. */
  onHalfClose(): void;
  /** Asks the peer to go away: GOAWAY on HTTP/2; on HTTP/1 the next response carries `connection: close`. */
  goAway(): void;
  shutdownNotice(): void;
  /** The socket's send buffer rose over its high watermark, or fell below its low one. */
  onUnderlyingConnectionAboveWriteBufferHighWatermark(): void;
  onUnderlyingConnectionBelowWriteBufferLowWatermark(): void;
}

/** What a client codec asks of its pool. */
export interface ClientConnectionCallbacks {
  onCodecError(error: CodecError): void;
  onGoAway(): void;
  /** HTTP/2: the peer's concurrent-stream limit changed. */
  onMaxStreamsChanged(streams: number): void;
  /** HTTP/1: stop (true) or resume (false) reading the socket. Calls nest, as `Connection.readDisable`. */
  readDisable?(disable: boolean): void;
  /** HTTP/1: a stream was reset, so this connection cannot be used again. */
  closeConnection?(): void;
}

/** The upstream side of a connection. */
export interface ClientConnection {
  readonly protocol: 'HTTP/1.1' | 'HTTP/2';
  newStream(decoder: ResponseDecoder): RequestEncoder;
  dispatch(bytes: Uint8Array, start: number, end: number): void;
  onHalfClose(): void;
  goAway(): void;
}
