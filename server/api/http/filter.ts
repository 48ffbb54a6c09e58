// What an HTTP filter is. Every method is optional: an absent one costs nothing, because the filter chain keeps a list
// per method of those who have it. Statuses are Envoy's (envoy/http/filter.h) without those that nobody uses.

import type { ExplainNode, Route, RouteDiscoveryWaiter } from '../router.ts';
import type { StreamInfo } from '../stream_info.ts';
import type { Cluster } from '../upstream/cluster.ts';
import type { RequestHeaderMap, ResponseHeaderMap, TrailerMap } from './header_map.ts';

/** What happens after a filter has seen headers. */
export const FilterHeadersStatus = {
  /** On to the next filter. */
  Continue: 0,
  /** Hold headers and body until `continueDecoding`/`continueEncoding`; body is not given to this filter's data method meanwhile... it is buffered. */
  StopIteration: 1,
  /** As StopIteration, and the whole body is buffered (bounded by the buffer limit, 413 or 500 beyond it). */
  StopAllIterationAndBuffer: 2,
  /** As above, but the other side is paused at the watermark instead of failing. */
  StopAllIterationAndWatermark: 3,
} as const;
export type FilterHeadersStatus = (typeof FilterHeadersStatus)[keyof typeof FilterHeadersStatus];

export const FilterDataStatus = {
  Continue: 0,
  StopIterationAndBuffer: 1,
  StopIterationAndWatermark: 2,
  StopIterationNoBuffer: 3,
} as const;
export type FilterDataStatus = (typeof FilterDataStatus)[keyof typeof FilterDataStatus];

export const FilterTrailersStatus = { Continue: 0, StopIteration: 1 } as const;
export type FilterTrailersStatus = (typeof FilterTrailersStatus)[keyof typeof FilterTrailersStatus];

/** Common to both directions. */
export interface StreamFilterCallbacks {
  readonly streamInfo: StreamInfo;
  /** The matched route, undefined when there is none. Matched on first use and again after `clearRouteCache`. */
  route(): Route | undefined;
  /** The cluster the route leads to, or undefined. */
  clusterInfo(): Cluster | undefined;
  /** Headers changed in a way that may lead to another route. */
  clearRouteCache(): void;
  /** This filter's most specific per-route configuration (what its factory's `compileRoute` made), or undefined. */
  perFilterConfig<T>(): T | undefined;
  /** Random 64-bit-ish number for this stream (a safe integer), stable over its life. */
  readonly streamId: number;
  /** Ends the stream without an answer. */
  resetStream(details: string): void;
}

/** Options of a local reply. */
export interface LocalReplyOptions {
  /** Called on the headers before they are sent. */
  modifyHeaders?: (headers: ResponseHeaderMap) => void;
  /** gRPC status instead of the one mapped from the HTTP code. */
  grpcStatus?: number;
}

export interface StreamDecoderFilterCallbacks extends StreamFilterCallbacks {
  /** Asks for routes where the request has none, if they may be had (VHDS, scopes on demand). What it returns ends the waiting. */
  requestRouteConfigUpdate(waiter: RouteDiscoveryWaiter): (() => void) | undefined;
  /** Goes by the routes that are there now, not by those of when the request came. */
  refreshRouteConfig(): void;
  /** Goes on after StopIteration. Never call it inside the method that returned StopIteration. */
  continueDecoding(): void;
  /** The request headers as they are now. */
  readonly requestHeaders: RequestHeaderMap;
  /** Body bytes buffered so far because a filter said StopIterationAndBuffer. */
  decodingBuffer(): Uint8Array | undefined;
  /** Answers here and now. Runs the encode filters and local_reply_config. `details` is Envoy's response code detail. */
  sendLocalReply(code: number, body: string, details: string, options?: LocalReplyOptions): void;
  /**
   * Ends the stream without an answer, and begins it anew with the request's headers as they are now and this body. `response`
   * is what the access log shows. False, and nothing happens, while not all of the request has come. Nothing may follow it.
   */
  recreateStream(response: ResponseHeaderMap, body: Uint8Array | undefined): boolean;
  /** The terminal filter's way to answer. */
  encodeInformationalHeaders(headers: ResponseHeaderMap): void;
  encodeHeaders(headers: ResponseHeaderMap, endStream: boolean): void;
  encodeData(bytes: Uint8Array, start: number, end: number, endStream: boolean): void;
  encodeTrailers(trailers: TrailerMap): void;
  /** Backpressure towards the client: stop (or go on) reading the request body. Calls nest. */
  onDecoderFilterAboveWriteBufferHighWatermark(): void;
  onDecoderFilterBelowWriteBufferLowWatermark(): void;
  /** Told when the client reads too slowly (`above`) or again fast enough, so that upstream reading pauses. */
  addDownstreamWatermarkCallbacks(callbacks: DownstreamWatermarkCallbacks): void;
  /** Limit of body bytes buffered, bytes. */
  decoderBufferLimit(): number;
  /** Sets that limit for this stream, in both directions. */
  setDecoderBufferLimit(bytes: number): void;
  /** Sends body bytes on from this filter, past it, at a time of its own. Not inside its `decodeData`. */
  injectDecodedDataToFilterChain(bytes: Uint8Array, start: number, end: number, endStream: boolean): void;
}

export interface DownstreamWatermarkCallbacks {
  onAboveWriteBufferHighWatermark(): void;
  onBelowWriteBufferLowWatermark(): void;
}

export interface StreamEncoderFilterCallbacks extends StreamFilterCallbacks {
  continueEncoding(): void;
  readonly requestHeaders: RequestHeaderMap;
  readonly responseHeaders: ResponseHeaderMap | undefined;
  sendLocalReply(code: number, body: string, details: string, options?: LocalReplyOptions): void;
  encoderBufferLimit(): number;
  /** Sends body bytes on from this filter, past it, at a time of its own. Not inside its `encodeData`. */
  injectEncodedDataToFilterChain(bytes: Uint8Array, start: number, end: number, endStream: boolean): void;
  /** Backpressure towards whoever produces the response. Calls nest. */
  onEncoderFilterAboveWriteBufferHighWatermark(): void;
  onEncoderFilterBelowWriteBufferLowWatermark(): void;
}

/** A filter instance: one per stream. Implement what you need. `bytes[start, end)` is valid during the call only. */
export interface HttpFilter {
  setDecoderFilterCallbacks?(callbacks: StreamDecoderFilterCallbacks): void;
  setEncoderFilterCallbacks?(callbacks: StreamEncoderFilterCallbacks): void;
  decodeHeaders?(headers: RequestHeaderMap, endStream: boolean): FilterHeadersStatus;
  decodeData?(bytes: Uint8Array, start: number, end: number, endStream: boolean): FilterDataStatus;
  decodeTrailers?(trailers: TrailerMap): FilterTrailersStatus;
  encodeHeaders?(headers: ResponseHeaderMap, endStream: boolean): FilterHeadersStatus;
  encodeData?(bytes: Uint8Array, start: number, end: number, endStream: boolean): FilterDataStatus;
  encodeTrailers?(trailers: TrailerMap): FilterTrailersStatus;
  /** The stream is complete: the last moment to add to StreamInfo before the access log is written. */
  onStreamComplete?(): void;
  /** The stream is gone: cancel timers and requests. Always called, exactly once, last. */
  onDestroy?(): void;
}

/** A compiled HTTP filter configuration: makes the per-stream instances. Shared by all streams, so it holds no stream state. */
export interface HttpFilterConfig {
  /** The instance for one stream, or undefined where the filter has nothing to do for this configuration. */
  createFilter(): HttpFilter;
  /** True only for the router and those that may end a chain. */
  readonly isTerminal: boolean;
  /** What the filter would do with such a request; cold. `ofRoute` is the route's own configuration of the filter. */
  explain?(headers: RequestHeaderMap, streamInfo: StreamInfo, ofRoute: unknown): HttpFilterExplanation;
}

export interface HttpFilterExplanation {
  /** In a line. */
  readonly note: string;
  /** Why. */
  readonly tree: ExplainNode | undefined;
  /** The answer that the filter gives itself; undefined: the request goes on. */
  readonly answer: { readonly status: number; readonly details: string } | undefined;
}
