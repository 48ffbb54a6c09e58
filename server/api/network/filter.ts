// What listener filters and network filters are, and the connection they see. Envoy: envoy/network/filter.h, connection.h.

import type { ConnectionInfo, StreamInfo } from '../stream_info.ts';

/** How to close. FlushWrite sends what is buffered first; Abort sends RST. Envoy: ConnectionCloseType. */
export type ConnectionCloseType = 'FlushWrite' | 'NoFlush' | 'FlushWriteAndDelay' | 'AbortReset';

/** What happened to a connection. */
export type ConnectionEvent = 'Connected' | 'RemoteClose' | 'LocalClose';

export interface ConnectionCallbacks {
  onEvent(event: ConnectionEvent): void;
  onAboveWriteBufferHighWatermark?(): void;
  onBelowWriteBufferLowWatermark?(): void;
}

/** A connection as filters and codecs see it. Writes are gathered and leave once per event-loop turn. */
export interface Connection {
  readonly id: number;
  readonly info: ConnectionInfo;
  readonly streamInfo: StreamInfo;
  /** Text whose characters are bytes. */
  writeLatin1(text: string): void;
  /** Bytes that belong to the connection from now on (see `copyBytes`). */
  writeBytes(bytes: Uint8Array): void;
  /** FIN after what is buffered. */
  endWrite(): void;
  /** Stops (true) or resumes (false) reading. Calls nest. */
  readDisable(disable: boolean): void;
  /** `details` goes to CONNECTION_TERMINATION_DETAILS-like fields and the log. */
  close(type: ConnectionCloseType, details?: string): void;
  readonly state: 'open' | 'closing' | 'closed';
  /** Bytes waiting to be sent. */
  readonly writeBufferBytes: number;
  addConnectionCallbacks(callbacks: ConnectionCallbacks): void;
  removeConnectionCallbacks(callbacks: ConnectionCallbacks): void;
  /** Bytes at which callbacks hear of the high watermark (per_connection_buffer_limit_bytes, default 1 MiB); 0 = none. */
  setBufferLimits(bytes: number): void;
  enableHalfClose(enabled: boolean): void;
}

export const NetworkFilterStatus = { Continue: 0, StopIteration: 1 } as const;
export type NetworkFilterStatus = (typeof NetworkFilterStatus)[keyof typeof NetworkFilterStatus];

export interface ReadFilterCallbacks {
  readonly connection: Connection;
  /** Goes on with the next filter (and the bytes held back) after `onNewConnection` or `onData` stopped. */
  continueReading(): void;
  /** Inside `onData`: the first `count` bytes it was given are the filter's own, filters behind it do not see them. */
  consume(count: number): void;
}

export interface WriteFilterCallbacks {
  readonly connection: Connection;
  /** Sends bytes past this filter, towards the socket. */
  injectWriteData(bytes: Uint8Array): void;
}

/** A network filter instance: one per connection; implement what you need. `bytes[start, end)` is valid during the call only. */
export interface NetworkFilter {
  initializeReadFilterCallbacks?(callbacks: ReadFilterCallbacks): void;
  initializeWriteFilterCallbacks?(callbacks: WriteFilterCallbacks): void;
  onNewConnection?(): NetworkFilterStatus;
  /**
   * Bytes from the peer. `endStream` is its FIN (with half-close enabled) and may come with start === end.
   * On StopIteration the bytes of this call are kept and are given again, with what came since, on continueReading,
   * unless the filter is terminal, which consumes what it is given.
   */
  onData?(bytes: Uint8Array, start: number, end: number, endStream: boolean): NetworkFilterStatus;
  /** Bytes towards the peer from a filter behind this one. */
  onWrite?(bytes: Uint8Array, start: number, end: number, endStream: boolean): NetworkFilterStatus;
  /** The connection's chain is draining to its end: close now if nothing is going on. Asked repeatedly. */
  closeIfIdle?(): void;
  /** Somebody wants this one connection away: ask the peer to go, finish what is under way. Without it, it is closed. */
  drain?(): void;
  /** What a terminal filter knows of the connection, for whoever looks at all of them. */
  facts?(): ConnectionFacts;
  onDestroy?(): void;
}

/** A connection as its terminal filter sees it now. */
export interface ConnectionFacts {
  /** As %PROTOCOL%; '' while it is not known. */
  readonly protocol: 'HTTP/1.1' | 'HTTP/2' | 'TCP' | '';
  readonly activeStreams: number;
  /** Since it was opened. */
  readonly streams: number;
  /** Its peer has been asked to go. */
  readonly draining: boolean;
  /** `performance.now()` since when nothing happens; undefined while something does, or where no timer knows. */
  readonly idleSince: number | undefined;
}

/** A compiled network filter configuration. Shared by all connections of the filter chain. */
export interface NetworkFilterConfig {
  createFilter(): NetworkFilter;
  readonly isTerminal: boolean;
  /** Moves bytes rather than messages: its connections read into buffers of their own. */
  readonly bulk?: boolean;
}

/** The socket before a filter chain is chosen. */
export interface ListenerFilterCallbacks {
  readonly info: ConnectionInfo;
  /** Fd of the socket, or -1 where there is none. For getsockopt only. */
  readonly fd: number;
  /** Goes on after `onAccept` returned StopIteration or when enough was peeked. `false` closes the connection. */
  continueFilterChain(success: boolean): void;
  /** Sets what tls_inspector or proxy_protocol learned. */
  setDynamicMetadata(namespace: string, value: Record<string, unknown>): void;
  readonly streamInfo: StreamInfo;
}

/** What a listener filter that looks at bytes wants next. */
export type ListenerFilterDataResult =
  /** Need more bytes than were given. */
  | { readonly type: 'more' }
  /** Done; drop `consume` bytes from the front (proxy_protocol), 0 to leave all. */
  | { readonly type: 'done'; readonly consume: number }
  /** Close the connection; `reason` goes to the log. */
  | { readonly type: 'close'; readonly reason: string };

/** A listener filter instance: one per accepted socket. */
export interface ListenerFilter {
  /** Continue, or StopIteration to wait for bytes (`onData`) or for `continueFilterChain`. */
  onAccept(callbacks: ListenerFilterCallbacks): NetworkFilterStatus;
  /** All bytes peeked so far. Called again with more while it answers `more`. */
  onData?(bytes: Uint8Array): ListenerFilterDataResult;
  /** Bytes it wants to see at most; 0 when it does not look at bytes. */
  readonly maxReadBytes: number;
  /** The listener_filters_timeout fired, or the socket closed, while waiting. */
  onDestroy?(): void;
}

export interface ListenerFilterConfig {
  createFilter(): ListenerFilter;
}
