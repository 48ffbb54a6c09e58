// One filter in one stream: its place in the chain, where it has stopped the walk, and what it may ask of the stream.
// Envoy: ActiveStreamDecoderFilter and ActiveStreamEncoderFilter in source/common/http/filter_manager.h.

import type {
  DownstreamWatermarkCallbacks,
  HttpFilter,
  LocalReplyOptions,
  StreamDecoderFilterCallbacks,
  StreamEncoderFilterCallbacks,
} from '../../api/http/filter.ts';
import type { RequestHeaderMap, ResponseHeaderMap, TrailerMap } from '../../api/http/header_map.ts';
import type { Route, RouteDiscoveryWaiter } from '../../api/router.ts';
import type { StreamInfo } from '../../api/stream_info.ts';
import type { Cluster } from '../../api/upstream/cluster.ts';
import type { BodyBuffer } from '../buffer/body_buffer.ts';

/** The stream as its filters' callbacks need it. */
export interface FilterManagerCallbacks {
  readonly streamInfo: StreamInfo;
  readonly streamId: number;
  bufferLimit: number;
  readonly requestHeaders: RequestHeaderMap;
  readonly responseHeaders: ResponseHeaderMap | undefined;
  readonly decodingData: BodyBuffer | undefined;
  route(): Route | undefined;
  clusterInfo(): Cluster | undefined;
  clearRouteCache(): void;
  requestRouteConfigUpdate(waiter: RouteDiscoveryWaiter): (() => void) | undefined;
  refreshRouteConfig(): void;
  resetStream(details: string): void;
  recreateStream(response: ResponseHeaderMap, body: Uint8Array | undefined): boolean;
  continueDecoding(one: ActiveFilter): void;
  continueEncoding(one: ActiveFilter): void;
  sendLocalReply(code: number, body: string, details: string, options?: LocalReplyOptions): void;
  encodeInformationalHeaders(headers: ResponseHeaderMap): void;
  encodeHeaders(headers: ResponseHeaderMap, endStream: boolean): void;
  encodeData(bytes: Uint8Array, start: number, end: number, endStream: boolean): void;
  encodeTrailers(trailers: TrailerMap): void;
  readDisable(disable: boolean): void;
  injectDecodedData(
    one: ActiveFilter,
    bytes: Uint8Array,
    start: number,
    end: number,
    endStream: boolean,
  ): void;
  injectEncodedData(
    one: ActiveFilter,
    bytes: Uint8Array,
    start: number,
    end: number,
    endStream: boolean,
  ): void;
  /** Pauses (true) or resumes whoever produces the response. */
  pauseEncoding(pause: boolean): void;
  addDownstreamWatermarkCallbacks(callbacks: DownstreamWatermarkCallbacks): void;
}

export class ActiveFilter implements StreamDecoderFilterCallbacks, StreamEncoderFilterCallbacks {
  readonly filter: HttpFilter;
  readonly index: number;
  decodeStopped = false;
  /** Stopped in a way that keeps data from this filter, too. */
  decodeStoppedAll = false;
  /** Held body above the limit pauses the client instead of failing the request. */
  decodeWatermark = false;
  decodeHeadersPassed = false;
  encodeStopped = false;
  encodeStoppedAll = false;
  encodeWatermark = false;
  encodeHeadersPassed = false;
  private readonly stream: FilterManagerCallbacks;
  private readonly name: string;

  constructor(stream: FilterManagerCallbacks, filter: HttpFilter, name: string, index: number) {
    this.stream = stream;
    this.filter = filter;
    this.name = name;
    this.index = index;
  }

  get streamInfo(): StreamInfo {
    return this.stream.streamInfo;
  }
  get streamId(): number {
    return this.stream.streamId;
  }
  get requestHeaders(): RequestHeaderMap {
    return this.stream.requestHeaders;
  }
  get responseHeaders(): ResponseHeaderMap | undefined {
    return this.stream.responseHeaders;
  }
  route(): Route | undefined {
    return this.stream.route();
  }
  clusterInfo(): Cluster | undefined {
    return this.stream.clusterInfo();
  }
  clearRouteCache(): void {
    this.stream.clearRouteCache();
  }
  requestRouteConfigUpdate(waiter: RouteDiscoveryWaiter): (() => void) | undefined {
    return this.stream.requestRouteConfigUpdate(waiter);
  }
  refreshRouteConfig(): void {
    this.stream.refreshRouteConfig();
  }
  perFilterConfig<T>(): T | undefined {
    return this.stream.route()?.perFilterConfig(this.name) as T | undefined;
  }
  resetStream(details: string): void {
    this.stream.resetStream(details);
  }
  recreateStream(response: ResponseHeaderMap, body: Uint8Array | undefined): boolean {
    return this.stream.recreateStream(response, body);
  }
  continueDecoding(): void {
    this.stream.continueDecoding(this);
  }
  continueEncoding(): void {
    this.stream.continueEncoding(this);
  }
  decodingBuffer(): Uint8Array | undefined {
    return this.stream.decodingData?.peek();
  }
  sendLocalReply(code: number, body: string, details: string, options?: LocalReplyOptions): void {
    this.stream.sendLocalReply(code, body, details, options);
  }
  encodeInformationalHeaders(headers: ResponseHeaderMap): void {
    this.stream.encodeInformationalHeaders(headers);
  }
  encodeHeaders(headers: ResponseHeaderMap, endStream: boolean): void {
    this.stream.encodeHeaders(headers, endStream);
  }
  encodeData(bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    this.stream.encodeData(bytes, start, end, endStream);
  }
  encodeTrailers(trailers: TrailerMap): void {
    this.stream.encodeTrailers(trailers);
  }
  onDecoderFilterAboveWriteBufferHighWatermark(): void {
    this.stream.readDisable(true);
  }
  onDecoderFilterBelowWriteBufferLowWatermark(): void {
    this.stream.readDisable(false);
  }
  addDownstreamWatermarkCallbacks(callbacks: DownstreamWatermarkCallbacks): void {
    this.stream.addDownstreamWatermarkCallbacks(callbacks);
  }
  decoderBufferLimit(): number {
    return this.stream.bufferLimit;
  }
  setDecoderBufferLimit(bytes: number): void {
    this.stream.bufferLimit = bytes;
  }
  encoderBufferLimit(): number {
    return this.stream.bufferLimit;
  }
  injectDecodedDataToFilterChain(bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    this.stream.injectDecodedData(this, bytes, start, end, endStream);
  }
  injectEncodedDataToFilterChain(bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    this.stream.injectEncodedData(this, bytes, start, end, endStream);
  }
  onEncoderFilterAboveWriteBufferHighWatermark(): void {
    this.stream.pauseEncoding(true);
  }
  onEncoderFilterBelowWriteBufferLowWatermark(): void {
    this.stream.pauseEncoding(false);
  }
}
